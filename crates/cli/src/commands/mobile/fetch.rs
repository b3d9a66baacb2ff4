//! `ambit mobile fetch`: what Expo built is fetched by this process and published by the daemon, as any other file.

use std::{path::Path, process::ExitCode};

use ambit_app::{Changes, Progress, Which};
use ambit_domain::{Failure, FailureKind};
use tokio::sync::mpsc;

use super::{super::outside, publish};
use crate::{context, progress::Lines};

pub(crate) async fn run(
    folder: &Path,
    which: &Which,
    environment: &str,
    changes: Changes,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let name = declaration.select(&[environment.to_owned()])?.remove(0);
    let tokens = outside::tokens(&declaration);
    let mut file = tempfile::Builder::new().prefix("ambit-").suffix(".apk").tempfile().map_err(|e| {
        Failure::new(FailureKind::Machine, "there is no place for the file")
            .because(e.to_string())
            .hint("set TMPDIR to a folder that you can write to")
    })?;
    let lines = Lines::new(json);
    let (events, mut told) = mpsc::unbounded_channel();
    let progress = Progress::here(events);
    let build = {
        let work = ambit_app::fetch_expo_build(&declaration, &tokens, &name, which, file.as_file_mut(), &progress);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(event) = told.recv() => lines.show(&event),
                fetched = &mut work => break fetched?,
            }
        }
    };
    while let Ok(event) = told.try_recv() {
        lines.show(&event);
    }
    if build.dirty && !json {
        eprintln!("! Expo built files that differ from the commit it names");
    }
    publish::run(folder, file.path(), environment, build.commit, changes, json).await
}
