//! The build store: `BUILDS/ID/tree` with `BUILDS/ID/build.json` beside it. A build exists from the moment in
//! which that file does: it is written last, as a whole.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ambit_domain::{BuildId, release::TestResult};
use serde::{Deserialize, Serialize};

use crate::{detect::Recipe, error::Error};

/// The format of `build.json`.
pub const FORMAT: u32 = 1;

/// An immutable build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// How it was built and is run.
    pub recipe: Recipe,
    /// What it takes on disk, in bytes.
    pub size: u64,
    /// What its tests showed, where they ran.
    pub tests: Option<TestResult>,
    pub(crate) place: PathBuf,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) format: u32,
    pub(crate) tree: String,
    pub(crate) recipe: Recipe,
    pub(crate) size: u64,
}

impl Build {
    /// The built tree.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// A PATH with the build's own programs first.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        let own = [".venv/bin", "node_modules/.bin", ".ambit/bin", "bin"].map(|f| self.folder().join(f));
        let mut parts: Vec<String> =
            own.into_iter().filter(|f| f.is_dir()).map(|f| f.to_string_lossy().into_owned()).collect();
        let root = rustix::process::geteuid().is_root();
        let whole: Vec<PathBuf> = path.split(':').map(PathBuf::from).collect();
        let reachable = crate::toolchain::reachable(&whole, root);
        parts.extend(reachable.into_iter().map(|p| p.to_string_lossy().into_owned()));
        parts.join(":")
    }
}

/// The build with an id, if it was built.
pub fn find(builds: &Path, id: &BuildId) -> Result<Option<Build>, Error> {
    let place = builds.join(&id.0);
    let file = place.join("build.json");
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(&file)(error)),
    };
    let damaged = |why: String| Error::Refused { path: file.clone(), why };
    let stored: Stored =
        serde_json::from_slice(&text).map_err(|e| damaged(format!("is damaged ({e}); delete its folder")))?;
    if stored.format > FORMAT {
        return Err(damaged(format!("has format {}, newer than this program knows", stored.format)));
    }
    let tests = fs::read(place.join(TESTS)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    Ok(Some(Build { id: id.clone(), recipe: stored.recipe, size: stored.size, tests, place }))
}

/// What the tests of a build showed: a file of its own, since they may run after the build was made.
pub(crate) const TESTS: &str = "tests.json";

/// Deletes a build. Whoever calls makes sure that nothing runs it.
pub fn remove(builds: &Path, id: &BuildId) -> Result<(), Error> {
    let place = builds.join(&id.0);
    // First the file by which it exists: what a crash leaves is no build any more.
    for path in [place.join("build.json"), place.join(TESTS)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path)(error)),
            _ => {}
        }
    }
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&place)(error)),
        _ => Ok(()),
    }
}

/// The ids of every build in the store.
pub fn all(builds: &Path) -> Vec<BuildId> {
    let Ok(entries) = fs::read_dir(builds) else { return Vec::new() };
    entries
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|name| name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit()))
        .map(BuildId)
        .collect()
}
