//! There is a copy of the data that is younger than its bound.

use std::time::Duration;

use ambit_domain::Failure;

use super::{Evidence, Finding, ago};
use crate::ambit::{now, store_failure};

/// The bound where no `backup` is declared.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    if at.scope.servers.postgres.is_none() {
        return Ok(Finding::passed("there is no database"));
    }
    let bound = at.scope.environment.backup.as_ref().map_or(DAY, |b| b.every);
    let points = at.scope.ambit.store.restore_points(&at.scope.id).map_err(|e| store_failure(&e))?;
    let next = format!("ambit restore-point make -e {}", at.scope.environment.name);
    let hours = bound.as_secs() / 3600;
    Ok(match points.first() {
        Some(point) if now() - point.at <= i64::try_from(bound.as_millis()).unwrap_or(i64::MAX) => Finding::passed(
            format!("restore point {} of {} kB, {}", point.name, point.size.div_ceil(1024), ago(point.at)),
        ),
        Some(point) => {
            Finding::failed(format!("the newest copy is from {}; {hours} h are allowed", ago(point.at)), next)
        }
        None => Finding::failed("there is no copy of its data", next),
    })
}
