//! Apps for phones: they are built elsewhere and run on no machine of ours, so they are no services.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::node;

/// An app made with Expo, and what its `app.json` says it is.
pub(super) struct PhoneApp {
    pub(super) folder: PathBuf,
    pub(super) package: Option<String>,
    pub(super) name: Option<String>,
}

/// The one in the tree; none where there are several, since `ambit.toml` declares one.
pub(super) fn find(folders: impl Iterator<Item = PathBuf>, tree: &Path) -> Option<PhoneApp> {
    let mut found = folders.filter(|f| json(&tree.join(f).join("package.json")).is_some_and(|m| node::is_expo(&m)));
    let folder = found.next().filter(|_| found.next().is_none())?;
    let app = json(&tree.join(&folder).join("app.json")).unwrap_or_default();
    let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let package = text(&app["expo"]["android"]["package"]).or_else(|| text(&app["expo"]["ios"]["bundleIdentifier"]));
    Some(PhoneApp { folder, package, name: text(&app["expo"]["name"]) })
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_str(fs::read_to_string(file).ok()?.trim_start_matches('\u{feff}')).ok()
}
