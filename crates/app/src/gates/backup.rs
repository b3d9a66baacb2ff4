//! There is a copy of the data that is younger than its bound: a restore point, or a backup that a drill has restored.

use std::time::Duration;

use ambit_domain::{Failure, backup::Worth};

use super::{Evidence, Finding, ago};
use crate::ambit::{now, store_failure};

/// The bound where no `backup` is declared.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) async fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    if at.scope.servers.postgres.is_none() {
        return Ok(Finding::passed("there is no database"));
    }
    let declared = at.scope.environment.backup.as_ref();
    let bound = declared.map_or(DAY, |b| b.every);
    let young = |then: i64| now() - then <= i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
    if at.deployment.hosted.is_some() {
        return there(at, bound).await;
    }
    let proven = at.scope.ambit.proven(&at.scope.id)?.filter(|b| b.postgres.is_some());
    if let Some(backup) = proven.as_ref().filter(|b| young(b.started)) {
        return Ok(Finding::passed(format!("backup {}, proven by a drill, {}", backup.name, ago(backup.started))));
    }
    let points = at.scope.ambit.store.restore_points(&at.scope.id).map_err(|e| store_failure(&e))?;
    if let Some(point) = points.first().filter(|point| young(point.at)) {
        let size = point.size.div_ceil(1024);
        return Ok(Finding::passed(format!("restore point {} of {size} kB, {}", point.name, ago(point.at))));
    }
    let next = match declared {
        Some(_) => format!("ambit backup now -e {}", at.scope.environment.name),
        None => format!("ambit restore-point make -e {}", at.scope.environment.name),
    };
    let newest = proven.map(|b| b.started).into_iter().chain(points.first().map(|p| p.at)).max();
    let hours = bound.as_secs() / 3600;
    Ok(match newest {
        Some(then) => Finding::failed(format!("the newest copy is from {}; {hours} h are allowed", ago(then)), next),
        None => Finding::failed("there is no copy of its data", next),
    })
}

/// Of a database elsewhere a copy counts as long as no drill failed on it: where nothing restores it for trial, that is said.
async fn there(at: &Evidence<'_>, bound: Duration) -> Result<Finding, Failure> {
    let young = |then: i64| now() - then <= i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
    let backups = at.scope.ambit.store.hosted_backups(&at.scope.id).map_err(|e| store_failure(&e))?;
    if let Some(backup) = backups.iter().find(|b| b.worth() == Worth::Proven).filter(|b| young(b.started)) {
        return Ok(Finding::passed(format!("backup {}, proven by a drill, {}", backup.name, ago(backup.started))));
    }
    let next = format!("ambit backup now -e {} --at railway", at.scope.environment.name);
    if let Some(failed) = backups.first().filter(|b| b.worth() == Worth::Failed) {
        return Ok(Finding::failed(format!("a drill could not restore backup {}", failed.name), next));
    }
    let looked = match at.scope.hosted() {
        Ok(hosted) => hosted.newest_copy().await.map(|newest| (newest, hosted.describe())),
        Err(failure) => Err(failure),
    };
    let hours = bound.as_secs() / 3600;
    Ok(match looked {
        Ok((Some(newest), place)) if young(newest) => {
            Finding::passed(format!("a copy at {place}, {}; it was not restored for trial", ago(newest)))
        }
        Ok((Some(newest), _)) => {
            Finding::failed(format!("the newest copy is from {}; {hours} h are allowed", ago(newest)), next)
        }
        Ok((None, place)) => Finding::failed(format!("there is no copy of its data at {place}"), next),
        Err(failure) => Finding::failed(failure.message, "ambit plan --only railway"),
    })
}
