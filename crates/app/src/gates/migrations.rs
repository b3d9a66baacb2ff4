//! What would migrate here was rehearsed on masked data; before there is any, it has migrated in a staging environment.

use ambit_domain::{EnvironmentId, Failure, release::pending_migrations, spec::Kind};

use super::{Evidence, Finding, ago};
use crate::{ambit::store_failure, rehearse::Rehearsal};

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let live = at.live.as_ref().and_then(|(_, release)| release.as_ref());
    let pending = pending_migrations(&at.release, live);
    if pending.is_empty() {
        return Ok(Finding::passed("there is nothing to migrate"));
    }
    let id = &at.deployment.environment;
    let whole = |r: &Rehearsal| pending.iter().all(|m| r.migrations.contains(&m.path));
    if let Some(rehearsal) = at.scope.ambit.rehearsal(id, &at.release.id)?.filter(whole) {
        return Ok(rehearsed(&rehearsal, id));
    }
    let names = pending.iter().map(|m| m.path.as_str()).take(5).collect::<Vec<_>>().join(", ");
    if at.scope.environment.kind == Kind::Production && live.is_some() {
        return Ok(Finding::waiting(
            format!("{} was not rehearsed on a masked copy of {}'s data", names, id.environment),
            format!(
                "ambit rehearse -e {} says what is in the way (ambit data classify makes masking.toml)",
                id.environment
            ),
        ));
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
    Ok(Finding::failed(format!("no staging environment has run {}", names), "deploy it to a staging environment first"))
}

fn rehearsed(rehearsal: &Rehearsal, id: &EnvironmentId) -> Finding {
    let (report, ago) = (&rehearsal.report, ago(rehearsal.at));
    let place = &rehearsal.place;
    if let Some(failed) = &report.failed {
        let error = failed.error.lines().next().unwrap_or_default();
        return Finding::failed(
            format!("{} failed in the rehearsal in {place} {ago}: {error}", failed.migration),
            format!("correct it and rehearse again: ambit rehearse -e {}", id.environment),
        );
    }
    if let Some(first) = report.dangers.first() {
        let more = match report.dangers.len() {
            1 => String::new(),
            n => format!("; and {} more", n - 1),
        };
        return Finding::failed(format!("{}: {}{more}", first.migration, first.what), first.safe_way.as_str());
    }
    let millis: u64 = report.statements.iter().map(|statement| statement.millis).sum();
    Finding::passed(format!(
        "{} statements were rehearsed in {place} {ago}, in {}.{} s",
        report.statements.len(),
        millis / 1000,
        millis % 1000 / 100
    ))
}
