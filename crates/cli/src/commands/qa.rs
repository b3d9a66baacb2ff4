//! `ambit qa`

use std::{path::Path, process::ExitCode};

use ambit_app::QaSay;
use ambit_domain::{Failure, release::QaVerdict};

use super::print_json;
use crate::context;

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    yes: bool,
    comment: String,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let request =
        QaSay { project: id.project, environment: id.environment, yes, comment, actor: context::actor(folder) };
    let verdict: QaVerdict = context::daemon().await?.work("/v1/qa", &request, |_| {}).await?;
    if json {
        print_json(&verdict);
    } else {
        let word = if yes { "approved" } else { "rejected" };
        println!("✓ release {} is {word} by {}", verdict.release.short(), verdict.actor.who);
    }
    Ok(ExitCode::SUCCESS)
}
