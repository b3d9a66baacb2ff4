//! `ambit mobile submit`: `eas` shows its own progress, and what it prints is passed on as it is.

use std::{path::Path, process::ExitCode};

use ambit_app::{EasSubmit, Which};
use ambit_domain::{Failure, FailureKind};

use super::super::outside;
use crate::{context, screen::plain};

pub(crate) async fn run(folder: &Path, which: &Which, environment: &str, wait: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let name = declaration.select(&[environment.to_owned()])?.remove(0);
    let tokens = outside::tokens(&declaration);
    let (programs, actor) = (context::surroundings()?.path, context::actor(folder));
    let EasSubmit { mut command, build } =
        ambit_app::eas_submit(&declaration, &tokens, &programs, &name, which, &actor, wait).await?;
    eprintln!("build {} ({}) goes to the store", plain(&build.id), plain(build.version.as_deref().unwrap_or("–")));
    let status = command
        .status()
        .map_err(|e| Failure::new(FailureKind::Machine, "Expo's command `eas` cannot be run").because(e.to_string()))?;
    if !status.success() {
        return Err(
            Failure::new(FailureKind::App, "the build was not sent").because(format!("eas ended with {status}"))
        );
    }
    Ok(ExitCode::SUCCESS)
}
