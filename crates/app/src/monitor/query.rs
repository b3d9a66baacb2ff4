//! What was measured, for those who look: one series over some time, and how much of each day every URL answered.

use ambit_domain::{
    EnvironmentId, Failure,
    spec::{EnvironmentName, ProjectName},
};
use ambit_store::{Metrics, Point};
use serde::Serialize;

use super::series::{MACHINE, UPTIME};
use crate::ambit::{Ambit, now, store_failure};

const DAY: i64 = 24 * 3600 * 1000;

/// How much of each day a URL answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Uptime {
    /// The service.
    pub service: String,
    /// The URL, as declared.
    pub url: String,
    /// The days, the earliest first, today last.
    pub days: Vec<UptimeDay>,
}

/// One day of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UptimeDay {
    /// Its beginning in universal time, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The share of the time for which it was looked at that the URL answered, from 0 to 1; `None` where nobody looked.
    pub share: Option<f64>,
    /// For how many minutes it was looked at.
    pub minutes: u32,
}

impl Ambit {
    /// The names of an environment's series, and those of the machine, which begin with `machine/`.
    pub fn metric_names(&self, project: &ProjectName, environment: &EnvironmentName) -> Result<Vec<String>, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
        let read = |id| self.kept_metrics()?.series(id).map_err(|e| store_failure(&e));
        Ok([read(Some(&id))?, read(None)?].concat())
    }

    /// A series of an environment, or of the machine where its name begins with `machine/`, from a moment in milliseconds
    /// since the Unix epoch until now, in at most so many points of the same length.
    pub fn metrics(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
        series: &str,
        since: i64,
        points: u32,
    ) -> Result<Vec<Point>, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
        let of = Some(&id).filter(|_| !series.starts_with(MACHINE));
        self.kept_metrics()?.read(of, series, since, now(), points).map_err(|e| store_failure(&e))
    }

    /// How much of each of the last days every URL of an environment answered. A URL that is no longer declared is shown as long
    /// as it is remembered.
    pub fn uptime(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
        days: u32,
    ) -> Result<Vec<Uptime>, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
        let today = now().div_euclid(DAY) * DAY;
        let first = today - (i64::from(days.max(1)) - 1) * DAY;
        let metrics = self.kept_metrics()?;
        let names = metrics.series(Some(&id)).map_err(|e| store_failure(&e))?;
        let mut all = Vec::new();
        for name in names {
            let Some((service, url)) = name.strip_prefix(UPTIME).and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            let known = metrics.shares(Some(&id), &name, first, DAY).map_err(|e| store_failure(&e))?;
            let days = (0..i64::from(days.max(1))).map(|n| first + n * DAY).map(|at| {
                let known = known.iter().find(|(begin, _, _)| *begin == at);
                UptimeDay { at, share: known.map(|k| k.1), minutes: known.map_or(0, |k| k.2) }
            });
            all.push(Uptime { service: service.to_owned(), url: url.to_owned(), days: days.collect() });
        }
        Ok(all)
    }

    /// The database of metrics, opened at the first call: most commands never ask.
    pub(crate) fn kept_metrics(&self) -> Result<&Metrics, Failure> {
        if let Some(metrics) = self.metrics.get() {
            return Ok(metrics);
        }
        let opened = Metrics::open(&self.home.metrics()).map_err(|e| store_failure(&e))?;
        Ok(self.metrics.get_or_init(|| opened))
    }
}
