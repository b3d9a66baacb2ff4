//! `ambit deploy`, `ambit promote`

use std::{path::Path, process::ExitCode};

use ambit_app::{Deploy, Promote};
use ambit_domain::{Deployment, Failure, Placement, ids::DeploymentId};

use super::print_json;
use crate::{
    arguments::Following,
    context,
    follow::{Until, follow},
    screen::{Paint, plain},
};

pub(crate) async fn run(
    folder: &Path,
    environment: String,
    reference: Option<String>,
    to: Option<Placement>,
    following: &Following,
    json: bool,
) -> Result<ExitCode, Failure> {
    let keys = context::keys(&context::project(folder)?)?;
    let request = Deploy {
        folder: folder.to_path_buf(),
        environment,
        reference,
        to,
        reason: following.reason.clone(),
        keys,
        actor: context::actor(folder),
    };
    let queued: Deployment = context::daemon().await?.work("/v1/deploy", &request, |_| {}).await?;
    show(&queued, following, json).await
}

pub(crate) async fn promote(
    folder: &Path,
    from: String,
    to: String,
    following: &Following,
    json: bool,
) -> Result<ExitCode, Failure> {
    let keys = context::keys(&context::project(folder)?)?;
    let request = Promote {
        folder: folder.to_path_buf(),
        from,
        to,
        reason: following.reason.clone(),
        keys,
        actor: context::actor(folder),
    };
    let queued: Deployment = context::daemon().await?.work("/v1/promote", &request, |_| {}).await?;
    show(&queued, following, json).await
}

/// Says what was queued and follows it, unless nobody wants to.
pub(crate) async fn show(queued: &Deployment, following: &Following, json: bool) -> Result<ExitCode, Failure> {
    if !json {
        let paint = Paint::stdout();
        let commit = queued.commit.as_ref().map_or(String::new(), |c| {
            format!(" ({} \"{}\")", c.short(), plain(&c.subject).chars().take(60).collect::<String>())
        });
        let (version, name) = (plain(&queued.version), &queued.environment.environment);
        let there = if queued.hosted.is_some() { " at Railway" } else { "" };
        let said = format!("Deploying {version}{commit} to {name}{there} · deployment {}", queued.number);
        println!("{}", paint.strong(&said));
    }
    if following.detach {
        if json {
            print_json(queued);
        } else {
            println!("  it goes on; ambit deployment log {} -f", queued.number);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let until = if following.wait { Until::Finished } else { Until::Live };
    follow_it(queued.number, until, json).await
}

/// Follows a deployment; ctrl-C stops following and nothing else.
async fn follow_it(number: DeploymentId, until: Until, json: bool) -> Result<ExitCode, Failure> {
    let ambit = context::ambit()?;
    tokio::select! {
        result = follow(&ambit, number, until, json) => result,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("the deployment goes on; ambit deployment log {number} -f, or ambit deployment cancel {number}");
            Ok(ExitCode::from(130))
        }
    }
}
