//! `ambit mobile build`: `eas` shows its own progress, and what it prints is passed on as it is.

use std::{path::Path, process::ExitCode};

use ambit_app::EasBuild;
use ambit_domain::{Failure, FailureKind};

use crate::{arguments::Platform, context};

pub(crate) fn run(
    folder: &Path,
    profile: &str,
    platform: Platform,
    wait: bool,
    json: bool,
) -> Result<ExitCode, Failure> {
    let keys = context::keys(&context::project(folder)?)?;
    let programs = context::surroundings()?.path;
    let EasBuild { mut command, environment } =
        ambit_app::eas_build(folder, &keys, &programs, profile, platform.name(), wait)?;
    if json {
        command.arg("--json");
    }
    let status = command
        .status()
        .map_err(|e| Failure::new(FailureKind::Machine, "Expo's command `eas` cannot be run").because(e.to_string()))?;
    if !status.success() {
        return Err(Failure::new(FailureKind::App, format!("the build of `{profile}` failed"))
            .because(format!("eas ended with {status}")));
    }
    if !json {
        eprintln!(
            "next: ambit mobile fetch --latest -e {environment}   or download the APK, and: ambit mobile publish app.apk -e {environment}"
        );
    }
    Ok(ExitCode::SUCCESS)
}
