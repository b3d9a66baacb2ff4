//! Expo's command `eas`: where it is, and who it is for.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ambit_domain::{Failure, FailureKind, spec::EnvironmentName};

use crate::declaration::Declaration;

const TOKEN: &str = "EXPO_TOKEN";

/// The command, found and logged in.
pub(super) struct Eas {
    program: PathBuf,
    folder: PathBuf,
    token: Option<String>,
}

impl Eas {
    /// Looks for it in these folders, and whether it is logged in as what an environment's app is built by. It runs in `folder`.
    pub(super) fn find(
        declaration: &Declaration,
        folder: &Path,
        programs: &[PathBuf],
        environment: &EnvironmentName,
    ) -> Result<Self, Failure> {
        let is_program = |file: &PathBuf| {
            use std::os::unix::fs::PermissionsExt;
            file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let Some(program) = programs.iter().map(|folder| folder.join("eas")).find(is_program) else {
            return Err(Failure::new(FailureKind::Machine, "Expo's command `eas` is not installed")
                .hint("npm install --global eas-cli"));
        };
        let eas = Self { program, folder: folder.to_path_buf(), token: token(declaration, environment)? };
        let logged_in = eas
            .command(&["whoami"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if logged_in {
            return Ok(eas);
        }
        let failure = Failure::new(FailureKind::Machine, "`eas` is not logged in to Expo");
        Err(match &eas.token {
            Some(_) => failure.because("the token was not accepted").hint("make another at expo.dev, under Access tokens"),
            None => failure.hint("eas login").hint(
                "or add to [mobile] the secret that holds a token, token = \"EXPO_TOKEN\", and set it: ambit secret set EXPO_TOKEN -e …",
            ),
        })
    }

    /// A call of it. The token is in its environment, never among its arguments.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder);
        if let Some(token) = &self.token {
            command.env(TOKEN, token);
        }
        command
    }
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
