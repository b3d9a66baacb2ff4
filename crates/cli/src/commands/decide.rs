//! `ambit approve`, `ambit reject`, `ambit deployment cancel`

use std::{
    io::{BufRead, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use ambit_app::{Decide, Decision};
use ambit_domain::{Deployment, Failure, ids::DeploymentId};

use super::{deploy, print_json};
use crate::{arguments::Following, context, screen::plain};

pub(crate) async fn approve(
    folder: &Path,
    number: u64,
    following: &Following,
    json: bool,
) -> Result<ExitCode, Failure> {
    let reason = match &following.reason {
        Some(reason) => reason.clone(),
        None => ask("Why is it good? ")?,
    };
    let approved = decide(folder, number, Decision::Approve, reason).await?;
    deploy::show(&approved, following, json).await
}

pub(crate) async fn run(
    folder: &Path,
    number: u64,
    decision: Decision,
    reason: String,
    json: bool,
) -> Result<ExitCode, Failure> {
    let decided = decide(folder, number, decision, reason).await?;
    if json {
        print_json(&decided);
    } else {
        let word = if decision == Decision::Reject { "rejected" } else { "cancelled" };
        println!(
            "✓ deployment {number} of {} to {} is {word}",
            plain(&decided.version),
            decided.environment.environment
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn decide(folder: &Path, number: u64, decision: Decision, reason: String) -> Result<Deployment, Failure> {
    let request = Decide {
        number: DeploymentId(number),
        decision,
        reason,
        keys: context::keys(&context::project(folder)?)?,
        actor: context::actor(folder),
    };
    context::daemon().await?.work("/v1/decide", &request, |_| {}).await
}

/// Asks on a terminal; elsewhere nothing is asked, and what is missing is told by whoever needs it.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(String::new());
    }
    eprint!("{question}");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| {
        Failure::new(ambit_domain::FailureKind::Machine, "nothing could be read").because(e.to_string())
    })?;
    Ok(line.trim().to_owned())
}
