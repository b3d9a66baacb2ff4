//! Backups of environments that live at a service elsewhere. Nothing else of those is looked at here, and nobody there is asked: what
//! counts is what was recorded.

use std::{collections::BTreeMap, sync::PoisonError};

use ambit_domain::{
    EnvironmentId, Failure,
    monitoring::{Check, Finding, Judge, What, bounds},
    spec::{self, MonitoringLevel},
};

use super::deep::Pace;
use crate::ambit::{Ambit, now, store_failure};

/// An environment elsewhere that the daemon backs up.
#[derive(Debug, Clone)]
pub(crate) struct KeptElsewhere {
    /// What is declared of its backups.
    pub(crate) declared: spec::Backup,
    /// How much is looked at.
    pub(crate) level: MonitoringLevel,
    /// Since when it is backed up, in milliseconds since the Unix epoch.
    pub(crate) since: i64,
}

impl Ambit {
    /// Those that are looked at, as the backups that are due were last looked through.
    fn looked_at_elsewhere(&self) -> BTreeMap<EnvironmentId, KeptElsewhere> {
        let all = self.kept_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let full = all.iter().filter(|(_, kept)| kept.level >= MonitoringLevel::Full);
        full.map(|(id, kept)| (id.clone(), kept.clone())).collect()
    }

    /// The age of the newest backup of an environment elsewhere; `None` where there is nothing to look at.
    pub(super) fn backup_elsewhere(&self, id: &EnvironmentId) -> Result<Option<(Check, Finding)>, Failure> {
        let Some(kept) = self.looked_at_elsewhere().remove(id) else { return Ok(None) };
        let newest = self.store.hosted_backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        let trouble = self.hosted_backup_status(id)?.trouble;
        let finding = bounds::backup(&kept.declared, newest.as_ref(), kept.since, trouble.as_deref(), now());
        self.with_readings(|readings| {
            let reading = readings.environments.entry(id.clone()).or_default();
            reading.backup_at = reading.backup_at.max(newest.map(|b| b.started));
        });
        Ok(Some((Check::of(What::Backup, "railway"), finding)))
    }

    /// Looks at those that do not run here; tells which those are.
    pub(super) fn look_elsewhere(
        &self,
        runs_here: impl Fn(&EnvironmentId) -> bool,
        judges: &mut BTreeMap<EnvironmentId, Judge>,
    ) -> Result<Vec<EnvironmentId>, Failure> {
        let ids: Vec<EnvironmentId> = self.looked_at_elsewhere().into_keys().filter(|id| !runs_here(id)).collect();
        judges.retain(|id, _| ids.contains(id));
        for id in &ids {
            let found: Vec<_> = self.backup_elsewhere(id)?.into_iter().collect();
            self.settle_findings(id, Pace::Second, judges.entry(id.clone()).or_default(), &found)?;
        }
        Ok(ids)
    }
}
