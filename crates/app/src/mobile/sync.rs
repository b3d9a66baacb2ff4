//! `mobile sync`: writes what Expo builds the app by, and tells what is not as `ambit.toml` has it. Both files are a matter of
//! the folder alone; no daemon is asked.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ambit_domain::{
    Failure, FailureKind,
    mobile::{APP_CONFIG, Drift, EAS, EAS_BASE, Files, MobileApp, drift},
};
use serde::Serialize;

use super::declared::{Declared, declared, required};
use crate::declaration::Declaration;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncState {
    /// It is new or was replaced.
    Written,
    /// It was so already.
    Unchanged,
}

/// Larger files are not what Expo reads.
const MAX_FILE: u64 = 1 << 20;
/// How much of a difference is shown.
const SHOWN: usize = 24;

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
    let config = read(&at.folder, APP_CONFIG)?;
    let files = [(EAS, read(&at.folder, EAS)?, &wanted.eas), (APP_CONFIG, config.clone(), &wanted.app_config)];
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
                    difference(there, wanted)
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
                write(&at.folder, name, wanted)?;
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
    let (eas, config) = (read(&at.folder, EAS)?, read(&at.folder, APP_CONFIG)?);
    let found = drift(&at.app, &wanted, eas.as_deref(), config.as_deref());
    let placed = |drift: Drift| Drift { file: at.source.join(&drift.file).display().to_string(), ..drift };
    Ok(found.into_iter().map(placed).collect())
}

fn wanted(at: &Declared) -> Result<Files, Failure> {
    let base = read(&at.folder, EAS_BASE)?;
    at.app.files(base.as_deref()).map_err(|e| Failure::from_error(FailureKind::Declaration, &e))
}

fn read(folder: &Path, name: &str) -> Result<Option<String>, Failure> {
    let file = folder.join(name);
    let cannot =
        |why: String| Failure::new(FailureKind::Declaration, format!("cannot read {}", file.display())).because(why);
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error.to_string())),
        Ok(metadata) if !metadata.is_file() => return Err(cannot("it is not a file".to_owned())),
        Ok(metadata) if metadata.len() > MAX_FILE => return Err(cannot("it is larger than 1 MB".to_owned())),
        Ok(_) => {}
    }
    fs::read_to_string(&file).map(Some).map_err(|e| cannot(e.to_string()))
}

/// Replaces a file as a whole: a crash leaves the old one or the new one.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let place = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(folder.join(name)).map_err(|e| e.error)?;
        fs::File::open(folder)?.sync_all()
    };
    place().map_err(|error| {
        Failure::new(FailureKind::Machine, format!("cannot write {}", folder.join(name).display()))
            .because(error.to_string())
    })
}

/// The lines between the first and the last that differ.
fn difference(there: &str, wanted: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (there.lines().collect(), wanted.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..], &new[same..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let lines = |mark: char, lines: &[&str]| {
        let more = lines.len().saturating_sub(SHOWN);
        let shown = lines.iter().take(SHOWN).map(|line| format!("{mark} {line}")).collect::<Vec<_>>().join("\n");
        if more > 0 { format!("{shown}\n{mark} … {more} more lines") } else { shown }
    };
    let (old, new) = (lines('-', &old[..old.len() - end]), lines('+', &new[..new.len() - end]));
    format!("line {}\n{old}\n{new}", same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_between_the_same_lines_and_has_an_end() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "line 2\n- b\n+ x\n+ y");
        let long: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert!(difference(&long, "x\n").contains("… 76 more lines"));
        assert_eq!(difference("a\n", "a\nb\n"), "line 2\n\n+ b");
    }
}
