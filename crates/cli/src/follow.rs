//! A deployment on the screen while it goes on, whoever carries it out.

use std::{process::ExitCode, time::Duration};

use ambit_app::{Ambit, Followed};
use ambit_domain::{Deployment, DeploymentState, Event, Failure, Outcome, deployment::Trigger, ids::DeploymentId};

use crate::{
    commands::print_json,
    failure::{code, text},
    progress::Lines,
    screen::{Paint, plain, took},
};

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(25);

/// Until when somebody waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// It serves, or never will, or waits for a person.
    Live,
    /// Its result is certain, or it waits for a person.
    Finished,
    /// The next look: what was said so far.
    Now,
}

/// Shows a deployment until it has come that far; the exit code says how it went.
pub(crate) async fn follow(ambit: &Ambit, number: DeploymentId, until: Until, json: bool) -> Result<ExitCode, Failure> {
    let lines = Lines::new(json);
    let (mut position, mut told_why) = (0, None);
    loop {
        let Followed { events, deployment, frozen, held_up } = ambit.follow(number, &mut position)?;
        for event in &events {
            lines.show(event);
        }
        if held_up != told_why {
            if let Some(why) = &held_up {
                lines.show(&Event {
                    environment: Some(deployment.environment.environment.clone()),
                    service: None,
                    step: "deploy".to_owned(),
                    outcome: Outcome::Notice { text: why.clone() },
                });
            }
            told_why = held_up;
        }
        let state = deployment.state;
        let waits =
            matches!(state, DeploymentState::Waiting) || (state == DeploymentState::Approved && frozen.is_some());
        let enough = match until {
            Until::Now => true,
            Until::Live => state.is_final() || state.serves() || waits,
            Until::Finished => state.is_final() || waits,
        };
        if enough && events.is_empty() {
            return Ok(told(&deployment, frozen, json));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Says how a deployment stands; the exit code does, too.
pub(crate) fn told(deployment: &Deployment, frozen: Option<String>, json: bool) -> ExitCode {
    let exit = match (deployment.state, &deployment.failure) {
        (DeploymentState::Failed | DeploymentState::RolledBack, Some(failure)) => code(failure.kind),
        (
            DeploymentState::Rejected
            | DeploymentState::Expired
            | DeploymentState::Cancelled
            | DeploymentState::Superseded
            | DeploymentState::Failed
            | DeploymentState::RolledBack,
            _,
        ) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    if json {
        print_json(deployment);
        return exit;
    }
    let paint = Paint::stdout();
    let name = &deployment.environment.environment;
    let number = deployment.number;
    let version = plain(&deployment.version);
    match deployment.state {
        DeploymentState::Watching | DeploymentState::Succeeded => {
            let times = deployment.switched.zip(deployment.started.or(Some(deployment.created)));
            let after = times.map_or(String::new(), |(live, begun)| format!(" after {}", took(begun, live)));
            println!("{} {version} is live in {name}{after} · deployment {number}", paint.good("✓"));
            if deployment.state == DeploymentState::Watching {
                println!("  it is watched; ambit deployment log {number} -f");
            }
            if !matches!(deployment.trigger, Trigger::Rollback { .. }) {
                println!("  undo with: ambit rollback {name}");
            }
        }
        DeploymentState::Waiting => {
            println!("{} {version} waits for a yes to {name} · deployment {number}", paint.strong("…"));
            println!("  next: ambit gates {name} · ambit approve {number} --reason \"…\"");
        }
        DeploymentState::Approved => match frozen {
            Some(freeze) => {
                println!("{} {name} is frozen ({freeze}); deployment {number} starts after it", paint.strong("…"))
            }
            None => println!("{} deployment {number} to {name} is about to start", paint.strong("…")),
        },
        state => {
            eprintln!("{} deployment {number} of {version} to {name}: {}", paint.bad("✗"), state.name());
            if let Some(failure) = &deployment.failure {
                eprint!("{}", text(failure));
            }
        }
    }
    exit
}
