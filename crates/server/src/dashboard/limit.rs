//! How often somebody may be wrong about who they are. What is guessed at has 256 random bits; this keeps guessing from
//! being work for the machine and noise in its records.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So many failures from one client within the window, and no more.
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// So many clients are told apart.
const CLIENTS: usize = 1000;

#[derive(Default)]
pub(crate) struct Limit(Mutex<HashMap<String, (Instant, u32)>>);

impl Limit {
    /// Whether a client may try.
    pub(crate) fn may_try(&self, client: &str) -> bool {
        self.held().get(client).is_none_or(|(since, failures)| since.elapsed() > WINDOW || *failures < FAILURES)
    }

    /// Notes a failure.
    pub(crate) fn failed(&self, client: &str) {
        let mut all = self.held();
        if all.len() >= CLIENTS {
            all.retain(|_, (since, _)| since.elapsed() <= WINDOW);
        }
        // Where there are too many to be told apart, the one more counts as one of them all.
        let name = if all.len() >= CLIENTS && !all.contains_key(client) { "" } else { client };
        let entry = all.entry(name.to_owned()).or_insert((Instant::now(), 0));
        if entry.0.elapsed() > WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, (Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_waits_and_nobody_else_does() {
        let limit = Limit::default();
        for _ in 0..FAILURES {
            assert!(limit.may_try("10.0.0.1"));
            limit.failed("10.0.0.1");
        }
        assert!(!limit.may_try("10.0.0.1"));
        assert!(limit.may_try("10.0.0.2"));
        for n in 0..10 * CLIENTS {
            limit.failed(&n.to_string());
        }
        assert!(limit.held().len() <= CLIENTS + 1);
    }
}
