//! `ambit reset`

use std::{path::Path, process::ExitCode};

use ambit_app::Reset;
use ambit_domain::Failure;

use super::{decide::ask, print_json};
use crate::{context, progress::Lines};

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    confirm: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    // Before anybody types anything.
    context::ambit()?.may_be_reset(&id)?;
    let confirmed = match confirm {
        Some(typed) => typed,
        None => ask(&format!("This deletes the data of {environment}. Type its name to go on: "))?,
    };
    let request = Reset {
        keys: context::keys(&id.project)?,
        project: id.project,
        environment: id.environment,
        confirmed,
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    context::daemon().await?.work::<_, ()>("/v1/reset", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "reset": request.environment }));
    } else {
        println!("✓ {environment} has a new database");
    }
    Ok(ExitCode::SUCCESS)
}
