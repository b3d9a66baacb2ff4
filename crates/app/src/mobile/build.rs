//! `mobile build`: Expo's builder is asked for a build, after the files that it builds by were checked.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ambit_domain::{Failure, FailureKind, spec::EnvironmentName};

use super::{declared::required, sync::drift_of};
use crate::{ambit::nearest, declaration::Declaration};

const TOKEN: &str = "EXPO_TOKEN";

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
    let is_program = |file: &PathBuf| {
        use std::os::unix::fs::PermissionsExt;
        file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let Some(eas) = programs.iter().map(|folder| folder.join("eas")).find(is_program) else {
        return Err(Failure::new(FailureKind::Machine, "Expo's command `eas` is not installed")
            .hint("npm install --global eas-cli"));
    };
    let environment = variant.environment.clone();
    let token = token(&declaration, &environment)?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&eas);
        command.args(arguments).current_dir(&at.folder);
        if let Some(token) = &token {
            command.env(TOKEN, token);
        }
        command
    };
    let logged_in = command(&["whoami"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !logged_in {
        let failure = Failure::new(FailureKind::Machine, "`eas` is not logged in to Expo");
        return Err(match &token {
            Some(_) => failure.because("the token was not accepted").hint("make another at expo.dev, under Access tokens"),
            None => failure.hint("eas login").hint(
                "or add to [mobile] the secret that holds a token, token = \"EXPO_TOKEN\", and set it: ambit secret set EXPO_TOKEN -e …",
            ),
        });
    }
    let mut arguments = vec!["build", "--platform", platform, "--profile", profile, "--non-interactive"];
    if !wait {
        arguments.push("--no-wait");
    }
    Ok(EasBuild { command: command(&arguments), environment })
}

/// The declared secret, else what the command itself was given; none where `eas` remembers a login.
fn token(declaration: &Declaration, environment: &EnvironmentName) -> Result<Option<String>, Failure> {
    let mobile = declaration.project.environments.get(environment).and_then(|e| e.mobile.as_ref());
    let name = mobile.and_then(|m| m.token.as_deref());
    match name {
        Some(name) => declaration.secret(environment, name),
        None => Ok(std::env::var(TOKEN).ok().filter(|token| !token.is_empty())),
    }
}
