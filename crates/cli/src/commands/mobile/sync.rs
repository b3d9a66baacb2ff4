//! `ambit mobile sync`

use std::{path::Path, process::ExitCode};

use ambit_app::{SyncState, mobile_drift, sync_mobile};
use ambit_domain::{Failure, FailureKind};

use super::{super::print_json, place};
use crate::screen::Paint;

pub(crate) fn run(folder: &Path, force: bool, json: bool) -> Result<ExitCode, Failure> {
    let files = sync_mobile(folder, force)?;
    if json {
        let shown = files.iter().map(|(file, state)| serde_json::json!({ "file": file, "state": state }));
        print_json(&shown.collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    for (file, state) in files {
        let word = if state == SyncState::Written { "written" } else { "unchanged" };
        println!("{} {} {word}", Paint::stdout().good("✓"), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let found = mobile_drift(folder)?;
    if json {
        print_json(&found);
        return Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(4) });
    }
    if found.is_empty() {
        println!("{} eas.json and app.config.js are as ambit.toml has them", Paint::stdout().good("✓"));
        return Ok(ExitCode::SUCCESS);
    }
    let failure = Failure::new(FailureKind::Declaration, "the mobile app is not built as ambit.toml declares it");
    Err(found.iter().fold(failure, |failure, drift| failure.because(place(drift))).hint("ambit mobile sync"))
}
