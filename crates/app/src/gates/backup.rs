//! There is a copy of the data that is younger than its bound: a restore point, or a backup that a drill has restored.

use std::time::Duration;

use ambit_domain::Failure;

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
        return Ok(there(at, bound).await);
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

/// Of a database elsewhere it is known that there is a copy, and not that it restores.
async fn there(at: &Evidence<'_>, bound: Duration) -> Finding {
    let looked = match at.scope.hosted() {
        Ok(hosted) => hosted.newest_copy().await.map(|newest| (newest, hosted.describe())),
        Err(failure) => Err(failure),
    };
    let hours = bound.as_secs() / 3600;
    let next = "make one there, or waive with a reason";
    match looked {
        Ok((Some(newest), place)) if now() - newest <= i64::try_from(bound.as_millis()).unwrap_or(i64::MAX) => {
            Finding::passed(format!("a copy at {place}, {}; it was not restored for trial", ago(newest)))
        }
        Ok((Some(newest), _)) => {
            Finding::failed(format!("the newest copy is from {}; {hours} h are allowed", ago(newest)), next)
        }
        Ok((None, place)) => Finding::failed(format!("there is no copy of its data at {place}"), next),
        Err(failure) => Finding::failed(failure.message, "ambit plan --only railway"),
    }
}
