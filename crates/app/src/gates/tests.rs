//! This very release passed its tests and ran in a staging environment.

use super::{Evidence, Finding, ago};

pub(super) fn look(at: &Evidence<'_>) -> Finding {
    if at.release.tests.is_empty() {
        return Finding::failed(
            "no service of this release has tests",
            "declare `test` in [services.NAME], or waive with a reason",
        );
    }
    let Some(staged) = at.ran_in() else {
        return Finding::failed(
            "no staging environment has run this release",
            "merge it to staging first, so that it runs there",
        );
    };
    let counted: u64 = at.release.tests.values().filter_map(|t| t.passed).sum();
    let newest = at.release.tests.values().map(|t| t.at).max().unwrap_or_default();
    let count = if counted > 0 { format!("{counted} passed") } else { "passed".to_owned() };
    Finding::passed(format!(
        "{count} {}, and {} has run this release since {}",
        ago(newest),
        staged.environment.environment,
        ago(staged.switched.unwrap_or(staged.created))
    ))
}
