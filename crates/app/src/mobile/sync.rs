//! `mobile sync`: writes what Expo builds the app by, and tells what is not as `ambit.toml` has it. Both files are a matter of
//! the folder alone; no daemon is asked.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Failure, FailureKind,
    mobile::{APP_CONFIG, Drift, EAS, EAS_BASE, Files, MobileApp, drift},
};
use serde::Serialize;

use super::declared::{Declared, declared, required};
use crate::{declaration::Declaration, generated};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncState {
    /// It is new or was replaced.
    Written,
    /// It was so already.
    Unchanged,
}

/// Writes the files; returns each, relative to the project. A file that somebody edited is refused with what would be
/// lost, unless that is forced.
pub fn sync_mobile(folder: &Path, force: bool) -> Result<Vec<(PathBuf, SyncState)>, Failure> {
    let declaration = Declaration::open(folder, "")?;
    let at = required(&declaration)?;
    if !at.folder.is_dir() {
        return Err(Failure::new(FailureKind::NotFound, format!("there is no folder {}", at.folder.display()))
            .hint("make the app first: npx create-expo-app, or say its folder in [mobile]: source = \"mobile\""));
    }
    let wanted = wanted(&at)?;
    let config = generated::read(&at.folder.join(APP_CONFIG))?;
    let files =
        [(EAS, generated::read(&at.folder.join(EAS))?, &wanted.eas), (APP_CONFIG, config.clone(), &wanted.app_config)];
    if !force {
        for (name, there, wanted) in &files {
            let Some(there) = there else { continue };
            if there != *wanted && !MobileApp::is_untouched(name, there, config.as_deref()) {
                let file = at.source.join(name);
                return Err(Failure::new(
                    FailureKind::Declaration,
                    format!("{} was edited by hand; nothing was written", file.display()),
                )
                .because(format!(
                    "what would be lost (-) and what would stand there (+):\n{}",
                    generated::difference(there, wanted)
                ))
                .hint(format!("move what you need to {EAS_BASE} or app.json, or change ambit.toml"))
                .hint("ambit mobile sync --force writes over it"));
            }
        }
    }
    // `app.config.js` last: it holds the marks of both, so that a crash in between leaves files that are told as written by
    // ambit or are as they should be.
    files
        .iter()
        .map(|(name, there, wanted)| {
            let state = if there.as_ref() == Some(*wanted) { SyncState::Unchanged } else { SyncState::Written };
            if state == SyncState::Written {
                generated::replace(&at.folder.join(name), wanted)?;
            }
            Ok((at.source.join(name), state))
        })
        .collect()
}

/// What is not as it should be, by files relative to the project; nothing where no mobile app is declared or its folder is
/// not there.
pub fn mobile_drift(folder: &Path) -> Result<Vec<Drift>, Failure> {
    let declaration = Declaration::open(folder, "")?;
    drift_of(&declaration)
}

pub(crate) fn drift_of(declaration: &Declaration) -> Result<Vec<Drift>, Failure> {
    let source = declaration.project.environments.values().find_map(|e| Some(&e.mobile.as_ref()?.source));
    if !source.is_some_and(|source| declaration.folder.join(source).is_dir()) {
        return Ok(Vec::new());
    }
    let Some(at) = declared(declaration)? else { return Ok(Vec::new()) };
    let wanted = wanted(&at)?;
    let (eas, config) = (generated::read(&at.folder.join(EAS))?, generated::read(&at.folder.join(APP_CONFIG))?);
    let found = drift(&at.app, &wanted, eas.as_deref(), config.as_deref());
    let placed = |drift: Drift| Drift { file: at.source.join(&drift.file).display().to_string(), ..drift };
    Ok(found.into_iter().map(placed).collect())
}

fn wanted(at: &Declared) -> Result<Files, Failure> {
    let base = generated::read(&at.folder.join(EAS_BASE))?;
    at.app.files(base.as_deref()).map_err(|e| Failure::from_error(FailureKind::Declaration, &e))
}
