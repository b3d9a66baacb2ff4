//! From findings to alerts that are written down, and from those to what is told.

use std::{collections::HashSet, sync::PoisonError};

use ambit_domain::{
    Announcement, EnvironmentId, Failure, Outgoing,
    monitoring::{Alert, Change, Check, Finding, Judge, Notice, Say, What, headline, to_say},
    spec::{Language, Monitoring, Occasion},
};

use super::deep::Pace;
use crate::{
    ambit::{Ambit, now, store_failure},
    notify::outgoing,
};

impl Ambit {
    /// Opens and ends alerts by what was found.
    pub(super) fn settle_findings(
        &self,
        id: &EnvironmentId,
        pace: Pace,
        judge: &mut Judge,
        findings: &[(Check, Finding)],
    ) -> Result<(), Failure> {
        let _one_at_a_time = self.alerting.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.store.pending_alerts().map_err(|e| store_failure(&e))?;
        let open: Vec<&Alert> = pending.iter().filter(|a| a.is_open() && a.environment == *id).collect();
        let checks: HashSet<Check> = open.iter().map(|a| a.check.clone()).collect();
        for change in judge.look(findings, &checks) {
            match change {
                Change::Opens { check, why } => self.open_alert(id, check, why)?,
                Change::Resolves { check } => {
                    if let Some(alert) = open.iter().find(|a| a.check == check) {
                        self.end_alert(alert)?;
                    }
                }
            }
        }
        // What is not there any more is not wrong any more.
        let gone = |a: &&&Alert| Pace::of(a.check.what) == pace && findings.iter().all(|(check, _)| *check != a.check);
        open.iter().filter(gone).try_for_each(|alert| self.end_alert(alert))
    }

    /// Ends the alerts of environments that are not watched now: they were brought down, destroyed, or declared so.
    pub(super) fn end_alerts_of_the_unwatched(&self, watched: impl Fn(&EnvironmentId) -> bool) -> Result<(), Failure> {
        let _one_at_a_time = self.alerting.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.store.pending_alerts().map_err(|e| store_failure(&e))?;
        pending.iter().filter(|a| a.is_open() && !watched(&a.environment)).try_for_each(|alert| self.end_alert(alert))
    }

    fn open_alert(&self, id: &EnvironmentId, check: Check, why: String) -> Result<(), Failure> {
        tracing::warn!("{id}: {}: {why}", headline(&check, Language::English));
        self.store.open_alert(&Alert::new(id.clone(), check, why, now())).map(drop).map_err(|e| store_failure(&e))
    }

    fn end_alert(&self, alert: &Alert) -> Result<(), Failure> {
        tracing::info!("{}: over: {}", alert.environment, headline(&alert.check, Language::English));
        let over = Alert { resolved: Some(now()), ..alert.clone() };
        self.store.set_alert(&over, None).map_err(|e| store_failure(&e))
    }

    /// Tells what is to be told of every alert.
    pub(super) fn tell_alerts(&self) -> Result<(), Failure> {
        let _one_at_a_time = self.alerting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        let mut told = false;
        for alert in self.store.pending_alerts().map_err(|e| store_failure(&e))? {
            let record = self.store.environment(&alert.environment).map_err(|e| store_failure(&e))?;
            let monitoring = record.map(|r| r.monitoring).unwrap_or_default();
            let after = monitoring.escalate.as_ref().map(|e| e.after);
            let Some(say) = to_say(&alert, now, is_quiet(&monitoring, &jiff::Zoned::now()), after) else { continue };
            let (alert, outgoing) = said(alert, say, now);
            // Both in one transaction: an alert is told once, and not lost, whatever becomes of the daemon.
            self.store.set_alert(&alert, Some(&outgoing)).map_err(|e| store_failure(&e))?;
            told = true;
        }
        if told {
            self.announced.notify_one();
        }
        Ok(())
    }
}

fn is_quiet(monitoring: &Monitoring, at: &jiff::Zoned) -> bool {
    let minute = u16::try_from(at.hour()).unwrap_or(0) * 60 + u16::try_from(at.minute()).unwrap_or(0);
    monitoring.quiet.is_some_and(|quiet| quiet.contains(minute))
}

/// The alert after it was told, and what is told.
fn said(mut alert: Alert, say: Say, now: i64) -> (Alert, Outgoing) {
    match say {
        Say::Alert | Say::Again => (alert.told, alert.told_at) = (alert.told.saturating_add(1), Some(now)),
        Say::Resolved => alert.end_told = true,
    }
    let over = say == Say::Resolved;
    let notice = Notice {
        alert: alert.id,
        check: alert.check.clone(),
        again: say == Say::Again || (over && alert.told > 1),
        lasted: alert.resolved.filter(|_| over).map(|at| at - alert.opened),
    };
    let next = (!over).then(|| {
        format!("ambit alerts ack {} --reason \"…\", ambit logs -e {}", alert.id, alert.environment.environment)
    });
    let announcement = Announcement {
        reason: (!over).then(|| alert.why.clone()),
        next,
        url: Some(alert.check.target.clone()).filter(|_| alert.check.what == What::Http),
        alert: Some(notice),
        ..Announcement::new(
            if over { Occasion::Resolved } else { Occasion::Alert },
            None,
            headline(&alert.check, Language::English),
        )
    };
    let outgoing = outgoing(&alert.environment, announcement);
    (alert, outgoing)
}
