//! Watching what runs: looked at by the daemon every ten seconds, judged by the domain's rules, measured each minute.
//!
//! Nothing is found of an environment that somebody is changing: whoever changes one has it alone ([`Ambit::alone`]), and a
//! look counts only if nobody had it so from its beginning to its end. What was to be stopped is not looked at at all.

mod alerts;
mod deep;
mod elsewhere;
mod exposition;
mod look;
mod query;
mod readings;
mod sample;
mod series;
mod settle;
mod targets;

pub use alerts::Acknowledge;
pub(crate) use elsewhere::KeptElsewhere;
pub use query::{Uptime, UptimeDay};
pub(crate) use readings::Readings;
pub(crate) use targets::Declared;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError},
    time::Duration,
};

use ambit_domain::{EnvironmentId, EnvironmentRecord, Failure, Wanted, monitoring::Judge, spec::MonitoringLevel};
use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;

use self::{deep::Pace, sample::Sampler};
use crate::ambit::{Ambit, store_failure};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);

/// What is remembered of an environment from look to look.
#[derive(Default)]
struct Watched {
    /// How often it had been changed when it was last looked at.
    changes: Option<u64>,
    /// How often each instance had ended by itself when that was last told, or when it was first seen.
    restarts: HashMap<(String, u32), u32>,
    judges: HashMap<Pace, Judge>,
    declared: Declared,
}

impl Ambit {
    /// Watches the environments of this machine, for as long as it is polled.
    pub async fn watch_environments(self: Arc<Self>) {
        let mut watched: BTreeMap<EnvironmentId, Watched> = BTreeMap::new();
        let mut elsewhere: BTreeMap<EnvironmentId, Judge> = BTreeMap::new();
        let mut sampler = Sampler::default();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0_u64;
        loop {
            ticks.tick().await;
            if let Err(failure) = self.watch_once(&mut watched, &mut elsewhere, &mut sampler, number).await {
                tracing::warn!(causes = ?failure.causes, "what runs could not be watched: {failure}");
            }
            number = number.wrapping_add(1);
        }
    }

    async fn watch_once(
        &self,
        watched: &mut BTreeMap<EnvironmentId, Watched>,
        elsewhere: &mut BTreeMap<EnvironmentId, Judge>,
        sampler: &mut Sampler,
        number: u64,
    ) -> Result<(), Failure> {
        let all = self.store.environments().map_err(|e| store_failure(&e))?;
        let running: Vec<_> = all.into_iter().filter(|(_, record)| is_up(record)).collect();
        watched.retain(|id, _| running.iter().any(|(known, _)| known == id));
        for (id, _) in &running {
            watched.entry(id.clone()).or_default();
        }
        let looks = watched.iter_mut().filter_map(|(id, watched)| {
            let record = &running.iter().find(|(known, _)| known == id)?.1;
            (record.monitoring.level != MonitoringLevel::None).then(|| self.look_at(id, record, watched, number))
        });
        for failure in join_all(looks).await.into_iter().filter_map(Result::err) {
            tracing::warn!(causes = ?failure.causes, "{failure}");
        }
        let level = |id: &EnvironmentId| running.iter().find(|(known, _)| known == id).map(|(_, r)| r.monitoring.level);
        let there = self.look_elsewhere(|id| level(id).is_some(), elsewhere)?;
        self.end_alerts_of_the_unwatched(|id| {
            level(id).is_some_and(|level| level != MonitoringLevel::None) || there.contains(id)
        })?;
        self.tell_alerts()?;
        self.sample(&running, sampler, number).await
    }

    /// What was last read, to be read or changed in a moment.
    pub(crate) fn with_readings<T>(&self, work: impl FnOnce(&mut Readings) -> T) -> T {
        work(&mut self.readings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether an environment is to run and did so once: what never came up is told by `up`.
fn is_up(record: &EnvironmentRecord) -> bool {
    record.wanted == Wanted::Running && record.up_since.is_some()
}
