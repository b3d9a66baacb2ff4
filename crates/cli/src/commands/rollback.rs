//! `ambit rollback`

use std::{path::Path, process::ExitCode};

use ambit_app::Rollback;
use ambit_domain::{Deployment, Failure, FailureKind};

use super::{decide::ask, deploy};
use crate::{
    arguments::Following,
    context,
    screen::{Paint, plain},
};

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    to: Option<String>,
    restore: bool,
    yes: bool,
    following: &Following,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let preview = context::ambit()?.preview_rollback(&id.project, &id.environment, to.as_deref())?;
    let paint = Paint::stderr();
    if !json {
        eprintln!("{} {} → {}", id.environment, plain(&preview.from), plain(&preview.to));
        match preview.migrations {
            0 => eprintln!("  no migration ran since"),
            n => eprintln!("  {n} migrations ran since; the code goes back, the database does not"),
        }
        for lost in &preview.irreversible {
            eprintln!("  {} {} cannot come back by itself", paint.bad("!"), plain(lost));
        }
        if let Some(point) = preview.restore_point.as_ref().filter(|_| !restore) {
            eprintln!("  the data from before is kept: restore point {point} (--restore puts it back)");
        }
    }
    let dangerous = restore || !preview.irreversible.is_empty();
    if dangerous && !yes && ask(&format!("Type {} to go on: ", id.environment))? != id.environment.as_str() {
        let what = if restore {
            "what was written since the deployment is lost for the app (it is kept beside)"
        } else {
            "the release before may not work with the database as it is now"
        };
        return Err(Failure::new(FailureKind::User, "nothing was changed")
            .because(what)
            .hint("say yes with --yes, or type the environment's name"));
    }
    let request = Rollback {
        project: id.project,
        environment: id.environment,
        // What was shown is what is done.
        to: Some(preview.target.to_string()),
        reason: following.reason.clone(),
        restore,
        keys: context::keys(&context::project(folder)?)?,
        actor: context::actor(folder),
    };
    let queued: Deployment = context::daemon().await?.work("/v1/rollback", &request, |_| {}).await?;
    deploy::show(&queued, following, json).await
}
