//! There is a release to go back to, its builds are there, and the migrations since then leave it working.

use ambit_domain::{Failure, release::pending_migrations};

use super::{Evidence, Finding};
use crate::code::source_failure;

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let Some((live, Some(release))) = &at.live else {
        return Ok(Finding::failed("nothing serves that one could go back to", "waive it for a first deployment"));
    };
    let folder = at.scope.ambit.builds(&at.scope.id.project);
    for build in release.builds.values() {
        if ambit_source::builds::find(&folder, build).map_err(|e| source_failure(&e))?.is_none() {
            return Ok(Finding::failed(
                format!("a build of {} is gone", live.version),
                "deploy it once more, so that it can be gone back to",
            ));
        }
    }
    let lost: Vec<String> = pending_migrations(&at.release, Some(release))
        .iter()
        .flat_map(|m| m.irreversible.iter().map(move |what| format!("{} {what}", m.path)))
        .collect();
    if lost.is_empty() {
        return Ok(Finding::passed(format!("{} can serve again", live.version)));
    }
    Ok(Finding::failed(
        format!("{} could not simply serve again: {}", live.version, lost.join("; ")),
        "split it: first code that does without, later the migration; or waive with a reason",
    ))
}
