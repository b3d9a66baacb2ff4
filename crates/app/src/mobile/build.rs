//! `mobile build`: Expo's builder is asked for a build, after the files that it builds by were checked.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ambit_domain::{Failure, FailureKind, spec::EnvironmentName};

use super::{declared::required, eas::Eas, sync::drift_of};
use crate::{ambit::nearest, declaration::Declaration};

/// A command that asks for a build, ready to be run.
pub struct EasBuild {
    /// The command. The token is in its environment, never among its arguments.
    pub command: Command,
    /// What the app is built against.
    pub environment: EnvironmentName,
}

/// Prepares a build of a profile. `programs` are the folders in which programs are looked for.
pub fn eas_build(
    folder: &Path,
    keys: &str,
    programs: &[PathBuf],
    profile: &str,
    platform: &str,
    wait: bool,
) -> Result<EasBuild, Failure> {
    let declaration = Declaration::open(folder, keys)?;
    let at = required(&declaration)?;
    let profiles = || at.app.variants.iter().flat_map(|v| v.profiles.iter().map(move |p| (p.as_str(), v)));
    let Some((_, variant)) = profiles().find(|(name, _)| *name == profile) else {
        let known: Vec<&str> = profiles().map(|(name, _)| name).collect();
        let failure = Failure::new(FailureKind::NotFound, format!("there is no profile `{}`", profile.escape_debug()))
            .because(format!("[mobile] declares {}", known.join(", ")));
        return Err(failure.hint_if(nearest(profile, known).map(|near| format!("did you mean `{near}`?"))));
    };
    let drift = drift_of(&declaration)?;
    if !at.folder.is_dir() || !drift.is_empty() {
        let failure = Failure::new(FailureKind::Declaration, "the app would not be built as ambit.toml declares it");
        let failure = drift.iter().fold(failure, |failure, d| {
            let line = d.line.map(|l| format!(":{l}")).unwrap_or_default();
            failure.because(format!("{}{line}: {}; expected {}", d.file, d.message, d.expected))
        });
        return Err(failure.hint("ambit mobile sync"));
    }
    let environment = variant.environment.clone();
    let eas = Eas::find(&declaration, &at.folder, programs, &environment)?;
    let mut arguments = vec!["build", "--platform", platform, "--profile", profile, "--non-interactive"];
    if !wait {
        arguments.push("--no-wait");
    }
    Ok(EasBuild { command: eas.command(&arguments), environment })
}
