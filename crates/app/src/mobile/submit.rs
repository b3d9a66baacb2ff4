//! `mobile submit`: a build goes to the store. `eas submit` sends it: Google's key for that is kept at Expo or named in `eas.base.json`, and
//! only `eas` knows to put the two together.

use std::{path::PathBuf, process::Command};

use ambit_domain::{
    Actor, Failure, FailureKind,
    expo::{Build, BuildState},
    spec::{EnvironmentName, Kind},
};

use super::{
    declared::required,
    eas::Eas,
    expo::{Which, expo_build, variant},
};
use crate::{approve::is_among, declaration::Declaration, outside::Tokens};

/// A command that sends a build to the store, ready to be run.
pub struct EasSubmit {
    /// The command. The token is in its environment, never among its arguments.
    pub command: Command,
    /// What is sent.
    pub build: Build,
}

/// Prepares the sending of a finished build. `programs` are the folders in which programs are looked for.
pub async fn eas_submit(
    declaration: &Declaration,
    tokens: &Tokens,
    programs: &[PathBuf],
    environment: &EnvironmentName,
    which: &Which,
    actor: &Actor,
    wait: bool,
) -> Result<EasSubmit, Failure> {
    let refuse = |what: String| Failure::new(FailureKind::User, what);
    let declared = declaration.project.environments.get(environment);
    let production = declared.filter(|e| e.kind == Kind::Production).ok_or_else(|| {
        refuse(format!("{environment} is not production: its builds are for testers"))
            .hint("ambit mobile fetch --latest -e test hands them out")
    })?;
    let approvers = &production.policy.approvers;
    if !approvers.is_empty() && !is_among(approvers, actor) {
        return Err(refuse(format!("{} may not send builds of {environment} to the store", actor.who))
            .because(format!("approvers are {}", approvers.join(", ")))
            .hint("who you are is taken from AMBIT_USER, else from git's user.email in the project"));
    }
    let build = expo_build(declaration, tokens, environment, which).await?;
    if build.state != BuildState::Finished {
        return Err(refuse(format!("build {} is {}", build.id, build.state)).hint("ambit mobile builds --expo"));
    }
    let variant = variant(declaration, environment)?;
    let by = build.profile.clone().unwrap_or_default();
    if !variant.store_profiles().contains(&by.as_str()) {
        return Err(refuse(format!("build {} is built by {by}, which is not for the store", build.id))
            .hint("ambit mobile build --profile production"));
    }
    let eas = Eas::find(declaration, &required(declaration)?.folder, programs, environment)?;
    let mut arguments =
        vec!["submit", "--platform", "android", "--id", &build.id, "--profile", &by, "--non-interactive"];
    if !wait {
        arguments.push("--no-wait");
    }
    Ok(EasSubmit { command: eas.command(&arguments), build })
}
