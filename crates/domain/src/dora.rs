//! The four figures by which delivery is judged (DORA, dora.dev): how often, how long from commit to production, how often
//! it fails, how long until it is well again. Computed from the record of deployments alone.

use serde::{Deserialize, Serialize};

use crate::deployment::{Deployment, DeploymentState};

/// What counts of one deployment. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When new requests went to it.
    pub served: i64,
    /// When its commit was made, where that is known.
    pub committed: Option<i64>,
    /// Whether it had to be taken back or failed while it served.
    pub failed: bool,
    /// Whether it is itself the way back from another.
    pub goes_back: bool,
}

/// The figures of a span of days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The days that they are about.
    pub days: u32,
    /// Changes that came to serve.
    pub deployments: usize,
    /// Changes a day.
    pub per_day: f64,
    /// Median time from commit to serving, in milliseconds.
    pub lead_time: Option<i64>,
    /// Share of the changes that failed, in percent.
    pub failure_rate: f64,
    /// Median time from a failed change to the next one that serves well, in milliseconds.
    pub time_to_restore: Option<i64>,
}

/// What counts of a deployment; `None` where it never served.
#[must_use]
pub fn change(deployment: &Deployment, committed: Option<i64>) -> Option<Change> {
    Some(Change {
        served: deployment.switched?,
        committed,
        failed: matches!(deployment.state, DeploymentState::Failed | DeploymentState::RolledBack),
        goes_back: deployment.trigger.goes_back(),
    })
}

/// When the last `days` days before `now` began.
#[must_use]
pub fn start(now: i64, days: u32) -> i64 {
    now.saturating_sub(i64::from(days) * 86_400_000)
}

/// The figures of the last `days` days before `now`.
#[must_use]
pub fn figures(changes: &[Change], now: i64, days: u32) -> Figures {
    let start = start(now, days);
    let mut sorted: Vec<Change> = changes.iter().copied().filter(|c| c.served <= now).collect();
    sorted.sort_by_key(|c| c.served);
    // A rollback by a person says that the change before it failed.
    for n in 1..sorted.len() {
        if sorted[n].goes_back && !sorted[n - 1].goes_back {
            sorted[n - 1].failed = true;
        }
    }
    let within: Vec<Change> = sorted.iter().copied().filter(|c| c.served >= start).collect();
    let made: Vec<&Change> = within.iter().filter(|c| !c.goes_back).collect();
    let failed = made.iter().filter(|c| c.failed).count();
    let restores = within.iter().filter(|c| c.failed).filter_map(|bad| {
        let well = sorted.iter().find(|c| c.served > bad.served && !c.failed)?;
        Some(well.served - bad.served)
    });
    #[allow(clippy::cast_precision_loss)]
    Figures {
        days,
        deployments: made.len(),
        per_day: if days == 0 { 0.0 } else { made.len() as f64 / f64::from(days) },
        lead_time: median(made.iter().filter_map(|c| Some((c.served - c.committed?).max(0))).collect()),
        failure_rate: if made.is_empty() { 0.0 } else { failed as f64 * 100.0 / made.len() as f64 },
        time_to_restore: median(restores.collect()),
    }
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => Some(i64::midpoint(values[middle - 1], *upper)),
        (found, _) => found.copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn served(at: i64) -> Change {
        Change { served: at * HOUR, committed: Some((at - 2) * HOUR), failed: false, goes_back: false }
    }

    #[test]
    fn a_week_with_one_failure_that_was_taken_back() {
        let changes = [
            served(10),
            served(40),
            Change { failed: true, ..served(60) },
            Change { goes_back: true, committed: None, ..served(61) },
            served(100),
        ];
        let figures = figures(&changes, 168 * HOUR, 7);
        assert_eq!(figures.deployments, 4);
        assert_eq!(figures.lead_time, Some(2 * HOUR));
        assert!((figures.failure_rate - 25.0).abs() < 1e-9);
        assert_eq!(figures.time_to_restore, Some(HOUR));
    }

    #[test]
    fn a_rollback_by_a_person_counts_against_the_change_before_it() {
        let changes = [served(10), Change { goes_back: true, ..served(13) }];
        let figures = figures(&changes, 20 * HOUR, 1);
        assert!((figures.failure_rate - 100.0).abs() < 1e-9);
        assert_eq!(figures.time_to_restore, Some(3 * HOUR));
    }

    #[test]
    fn nothing_deployed_is_no_figure_at_all() {
        let figures = figures(&[], 0, 7);
        assert_eq!((figures.lead_time, figures.time_to_restore, figures.deployments), (None, None, 0));
    }
}
