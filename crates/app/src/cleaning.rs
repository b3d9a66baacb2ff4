//! Environments that are reset every so often (`clean = "weekly"`). When one was last reset is remembered, so that neither a
//! daemon that restarts nor a machine that was off changes when it is due; what is overdue is done once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ambit_domain::{Actor, EnvironmentId, Failure, Wanted, audit::Note, spec::Kind};

use crate::{
    ambit::{Ambit, now, store_failure},
    progress::Progress,
};

/// How often it is looked at what is due.
const EVERY: Duration = Duration::from_secs(10);
/// How long one that failed is left alone.
const AGAIN: i64 = 3_600_000;

/// Under which name it is remembered when an environment was last reset.
pub(crate) fn setting(id: &EnvironmentId) -> String {
    format!("cleaned {id}")
}

impl Ambit {
    /// Resets what is due, for as long as it is polled.
    pub async fn run_cleaning(self: Arc<Self>) {
        let mut failed: HashMap<EnvironmentId, i64> = HashMap::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let due = match self.due_for_cleaning(now()) {
                Ok(due) => due,
                Err(failure) => {
                    tracing::error!("what is to be reset cannot be found out: {failure}");
                    continue;
                }
            };
            for id in due {
                if failed.get(&id).is_some_and(|at| now() - at < AGAIN) {
                    continue;
                }
                match self.reset_environment(&id, &Actor::daemon(), &Progress::unheard()).await {
                    Ok(()) => {
                        failed.remove(&id);
                        tracing::info!("{id} was reset, as its `clean` says");
                    }
                    Err(failure) => {
                        failed.insert(id.clone(), now());
                        tracing::warn!(causes = ?failure.causes, "{id} was due for a reset: {failure}");
                        let note = Note::new(&Actor::daemon(), &id.project, "environment.reset-failed");
                        self.note_quietly(note.environment(&id.environment).about("why", failure.message.as_str()));
                    }
                }
            }
        }
    }

    /// Environments whose last reset is longer ago than they declare. What was never reset counts from when it is first seen.
    fn due_for_cleaning(&self, at: i64) -> Result<Vec<EnvironmentId>, Failure> {
        let mut due = Vec::new();
        for (id, record) in self.store.environments().map_err(|e| store_failure(&e))? {
            if record.kind == Kind::Production || record.wanted != Wanted::Running {
                continue;
            }
            let Some(live) = self.live_of(&record)? else { continue };
            let Ok((declaration, _)) = self.declaration_of(&live) else { continue };
            let environment = declaration.project.environments.get(&id.environment);
            let Some(clean) = environment.and_then(|environment| environment.clean) else { continue };
            match self.remembered::<Option<i64>>(&setting(&id))? {
                None => self.remember(&setting(&id), &Some(at))?,
                Some(last) if is_due(last, clean, at) => due.push(id),
                Some(_) => {}
            }
        }
        Ok(due)
    }
}

fn is_due(last: i64, every: Duration, at: i64) -> bool {
    i128::from(at) - i128::from(last) >= i128::try_from(every.as_millis()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_counted_from_the_last_reset_whatever_happened_meanwhile() {
        let week = Duration::from_secs(7 * 24 * 3600);
        let last = 1_700_000_000_000;
        assert!(!is_due(last, week, last));
        assert!(!is_due(last, week, last + 7 * 24 * 3_600_000 - 1));
        assert!(is_due(last, week, last + 7 * 24 * 3_600_000));
        assert!(is_due(last, week, last + 70 * 24 * 3_600_000), "a machine that was off is not excused");
        assert!(!is_due(i64::MAX, week, i64::MIN));
        assert!(!is_due(last, Duration::MAX, i64::MAX));
    }
}
