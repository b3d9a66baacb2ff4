//! The changelog has an entry for the version.

use ambit_domain::Failure;

use super::{Evidence, Finding};
use crate::changelog::{entry, find, version_of};

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let Some(commit) = at.commit() else { return Ok(Finding::failed("there is no commit", "commit what is deployed")) };
    if let Some((file, text)) = find(&at.repository, commit)? {
        let version = version_of(&at.deployment.version);
        return Ok(match version {
            Some(version) if entry(&text, version).is_some() => {
                Finding::passed(format!("{file} has an entry for {version}"))
            }
            Some(version) => Finding::failed(
                format!("{file} has no entry for {version}"),
                format!("add a heading with {version} to it"),
            ),
            None if entry(&text, "unreleased").is_some() => {
                Finding::passed(format!("{file} has an entry for what is unreleased"))
            }
            None => Finding::failed(
                format!("{file} has no entry for what is unreleased"),
                "add a heading `Unreleased` with what changed, or deploy a tag",
            ),
        });
    }
    Ok(Finding::failed("there is no CHANGELOG.md", "add one with an entry for this version"))
}
