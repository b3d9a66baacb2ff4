//! `ambit deployments`, `ambit deployment show`, `ambit deployment log`

use std::{path::Path, process::ExitCode};

use ambit_domain::{Deployment, DeploymentState, Failure, FailureKind, deployment::StepState, ids::DeploymentId};

use super::print_json;
use crate::{
    context,
    failure::text,
    follow::{Until, follow},
    screen::{Paint, ago, columns, moment, plain, table, took},
};

pub(crate) fn list(folder: &Path, environment: Option<&str>, lines: usize, json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let id = environment.map(|name| context::environment(folder, name)).transpose()?;
    print(&context::ambit()?.deployments(&project, id.as_ref(), lines)?, json);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn print(all: &[Deployment], json: bool) {
    if json {
        print_json(&all);
    } else if all.is_empty() {
        println!("nothing was deployed yet; ambit up, or ambit deploy -e ENV");
    } else {
        table(&["", "to", "version", "state", "by", "who", "when", "took"], all.iter().map(row));
    }
}

fn row(d: &Deployment) -> Vec<String> {
    vec![
        d.number.to_string(),
        d.environment.environment.to_string(),
        plain(&d.version),
        d.state.name().to_owned(),
        d.trigger.describe(),
        plain(&d.actor.who),
        format!("{} ago", ago(d.created)),
        d.switched.zip(d.started).map_or_else(String::new, |(live, begun)| took(begun, live)),
    ]
}

pub(crate) fn show(number: u64, json: bool) -> Result<ExitCode, Failure> {
    let view = context::ambit()?.deployment(DeploymentId(number))?;
    if json {
        print_json(&view);
        return Ok(ExitCode::SUCCESS);
    }
    let d = &view.deployment;
    let paint = Paint::stdout();
    println!(
        "{} of {} to {} · {}",
        paint.strong(&format!("Deployment {number}")),
        plain(&d.version),
        d.environment,
        d.state.name()
    );
    if let Some(commit) = &d.commit {
        println!("  commit   {} \"{}\" by {}", commit.short(), plain(&commit.subject), plain(&commit.author));
    }
    if let Some(release) = &d.release {
        println!("  release  {}", release.short());
    }
    println!(
        "  asked    {} by {} ({}), {}",
        moment(d.created),
        plain(&d.actor.who),
        plain(&d.actor.from),
        d.trigger.describe()
    );
    if let Some(reason) = &d.reason {
        println!("  reason   {}", plain(reason));
    }
    for approval in &d.approvals {
        let word = if approval.yes { "yes" } else { "no " };
        println!(
            "  {word}      {} by {}: \"{}\"",
            moment(approval.at),
            plain(&approval.actor.who),
            plain(&approval.reason)
        );
    }
    for waiver in &d.waivers {
        println!("  waived   {} by {}: \"{}\"", waiver.gate.name(), plain(&waiver.actor.who), plain(&waiver.reason));
    }
    if let Some(why) = &view.held_up {
        println!("  held up  {}", plain(why));
    }
    if let Some(frozen) = &view.frozen {
        println!("  frozen   {frozen}; it starts after that");
    }
    let rows: Vec<Vec<String>> = d
        .steps
        .iter()
        .map(|step| {
            let mark = match step.state {
                StepState::Done => "✓",
                StepState::Failed => "✗",
                StepState::Running => "…",
                StepState::Pending => " ",
            };
            let time = step.started.zip(step.finished).map_or_else(String::new, |(a, b)| took(a, b));
            let round = if step.round > 0 { format!(" {}", step.round + 1) } else { String::new() };
            vec![mark.to_owned(), format!("{}{round}", step.name.name()), plain(&step.detail), time]
        })
        .collect();
    if !rows.is_empty() {
        println!();
        for row in columns(&rows, "  ") {
            println!("{}", paint.mark(&row));
        }
    }
    if let Some(failure) = &d.failure {
        println!();
        print!("{}", text(failure));
    }
    if d.state == DeploymentState::Waiting {
        println!("\n  next: ambit gates {} · ambit approve {number} --reason \"…\"", d.environment.environment);
    }
    Ok(ExitCode::SUCCESS)
}

/// How many deployments are looked through for a commit.
const LATEST: usize = 100;

pub(crate) async fn follow_commit(
    folder: &Path,
    environment: &str,
    commit: &str,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let ambit = context::ambit()?;
    let all = ambit.deployments(&id.project, Some(&id), LATEST)?;
    let newest = all.into_iter().find(|d| d.commit.as_ref().is_some_and(|c| c.id == commit)).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("{commit} was not deployed to {environment}"))
            .hint(format!("ambit deployments -e {environment}"))
    })?;
    if !newest.state.is_final() {
        context::daemon().await?;
    }
    follow(&ambit, newest.number, Until::Live, json).await
}

pub(crate) async fn log(number: u64, following: bool, json: bool) -> Result<ExitCode, Failure> {
    let ambit = context::ambit()?;
    let until = if following { Until::Finished } else { Until::Now };
    // It would be waited for in vain where nobody carries it out.
    if following && !ambit.deployment(DeploymentId(number))?.deployment.state.is_final() {
        context::daemon().await?;
    }
    follow(&ambit, DeploymentId(number), until, json).await
}
