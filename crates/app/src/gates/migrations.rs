//! What would migrate here has migrated in a staging environment.

use ambit_domain::{Failure, release::pending_migrations};

use super::{Evidence, Finding, ago};
use crate::ambit::store_failure;

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let live = at.live.as_ref().and_then(|(_, release)| release.as_ref());
    let pending = pending_migrations(&at.release, live);
    if pending.is_empty() {
        return Ok(Finding::passed("there is nothing to migrate"));
    }
    let project = &at.deployment.environment.project;
    for staged in &at.staged {
        let Some(id) = &staged.release else { continue };
        let release = at.scope.ambit.store.release(project, id).map_err(|e| store_failure(&e))?;
        if release.is_some_and(|r| pending.iter().all(|m| r.migrations.contains(m))) {
            let plural = if pending.len() == 1 { "migration" } else { "migrations" };
            return Ok(Finding::passed(format!(
                "{} {plural} ran in {} {}",
                pending.len(),
                staged.environment.environment,
                ago(staged.switched.unwrap_or(staged.created))
            )));
        }
    }
    let names: Vec<&str> = pending.iter().map(|m| m.path.as_str()).take(5).collect();
    Ok(Finding::failed(
        format!("no staging environment has run {}", names.join(", ")),
        "deploy it to a staging environment first",
    ))
}
