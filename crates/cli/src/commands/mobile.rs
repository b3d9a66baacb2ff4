//! `ambit mobile`: one file a subcommand.

mod build;
mod builds;
mod publish;
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
            wait(publish::run(folder, &file, &environment, commit, changes, from_changelog, json))
        }
        MobileCommand::Builds { environment } => builds::run(folder, environment.as_deref(), json),
    }
}

/// `mobile/eas.json:12: what is wrong; expected what`
pub(crate) fn place(drift: &Drift) -> String {
    let line = drift.line.map(|line| format!(":{line}")).unwrap_or_default();
    plain(&format!("{}{line}: {}; expected {}", drift.file, drift.message, drift.expected))
}
