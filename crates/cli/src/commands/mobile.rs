//! `ambit mobile`: one file a subcommand.

mod build;
mod builds;
mod expo;
mod fetch;
mod publish;
mod submit;
mod sync;

use std::{path::Path, process::ExitCode};

use ambit_domain::{Failure, mobile::Drift};

use super::wait;
use crate::{arguments::MobileCommand, screen::plain};

pub(crate) fn run(folder: &Path, command: MobileCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        MobileCommand::Sync { check: true, .. } => sync::check(folder, json),
        MobileCommand::Sync { force, .. } => sync::run(folder, force, json),
        MobileCommand::Build { profile, platform, no_wait } => build::run(folder, &profile, platform, !no_wait, json),
        MobileCommand::Publish { file, environment, commit, changes, from_changelog } => {
            let changes = publish::changes(changes, from_changelog);
            wait(publish::run(folder, &file, &environment, commit, changes, json))
        }
        MobileCommand::Builds { environment, expo: true } => wait(expo::run(folder, environment.as_deref(), json)),
        MobileCommand::Builds { environment, .. } => builds::run(folder, environment.as_deref(), json),
        MobileCommand::Fetch { which, environment, changes, from_changelog } => {
            let changes = publish::changes(changes, from_changelog);
            wait(fetch::run(folder, &which.which(), &environment, changes, json))
        }
        MobileCommand::Submit { which, environment, no_wait } => {
            wait(submit::run(folder, &which.which(), &environment, !no_wait))
        }
    }
}

/// `mobile/eas.json:12: what is wrong; expected what`
pub(crate) fn place(drift: &Drift) -> String {
    let line = drift.line.map(|line| format!(":{line}")).unwrap_or_default();
    plain(&format!("{}{line}: {}; expected {}", drift.file, drift.message, drift.expected))
}
