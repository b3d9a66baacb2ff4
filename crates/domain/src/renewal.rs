//! When a certificate is ordered: a third of its lifetime before its end, and after a failure not at once again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// After the first failure. Authorities count: Let's Encrypt takes five failed proofs an hour for one host.
const FIRST_PAUSE: i64 = 5 * 60 * 1000;
/// However often it failed: a person may have mended the cause meanwhile.
const LONGEST_PAUSE: i64 = 60 * 60 * 1000;

/// What is remembered of ordering one host's certificate. All times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// How many in a row came to nothing.
    pub failures: u32,
    /// When the last one was begun.
    pub last: Option<i64>,
    /// Nothing is ordered before.
    pub pause_until: i64,
    /// Why the last one came to nothing.
    pub error: Option<String>,
}

impl Orders {
    /// An order is about to be made. It counts as failed until it is known to be not, so that what ends in a crash each
    /// time is not tried without a pause either.
    pub fn begin(&mut self, now: i64) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        self.pause_until = now.saturating_add(pause(self.failures));
    }

    /// It came to nothing; the authority may have said for how long to leave it alone.
    pub fn fail(&mut self, now: i64, error: String, asked: Option<Duration>) {
        self.error = Some(error);
        if let Some(asked) = asked {
            let asked = i64::try_from(asked.as_millis()).unwrap_or(i64::MAX);
            self.pause_until = self.pause_until.max(now.saturating_add(asked));
        }
    }

    /// There is a certificate.
    pub fn succeed(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }

    /// When to order, given from when and until when the present certificate holds.
    #[must_use]
    pub fn due(&self, validity: Option<(i64, i64)>) -> i64 {
        let wanted = validity.map_or(0, |(from, until)| until.saturating_sub(until.saturating_sub(from) / 3));
        wanted.max(self.pause_until)
    }
}

fn pause(failures: u32) -> i64 {
    let doubled = FIRST_PAUSE.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(LONGEST_PAUSE);
    doubled.min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    #[test]
    fn a_certificate_of_ninety_days_is_renewed_after_sixty() {
        assert_eq!(Orders::default().due(Some((10 * DAY, 100 * DAY))), 70 * DAY);
        assert_eq!(Orders::default().due(None), 0, "and one that is not there at once");
    }

    #[test]
    fn pauses_grow_and_end_with_success() {
        let mut orders = Orders::default();
        let pauses: Vec<i64> = (0..7)
            .map(|_| {
                orders.begin(0);
                orders.fail(0, "no".into(), None);
                orders.due(None) / MINUTE
            })
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60, 60]);
        orders.succeed();
        assert_eq!((orders.due(None), orders.failures, orders.error), (0, 0, None));
    }

    #[test]
    fn an_authority_that_asks_for_patience_gets_it() {
        let mut orders = Orders::default();
        orders.begin(1000);
        orders.fail(2000, "later".into(), Some(Duration::from_secs(7200)));
        assert_eq!(orders.due(None), 2000 + 7_200_000);
        orders.fail(2000, "later".into(), Some(Duration::from_secs(1)));
        assert_eq!(orders.due(None), 2000 + 7_200_000, "and none that is shorter");
    }

    proptest! {
        #[test]
        fn an_order_is_never_due_before_a_pause_ends_nor_after_the_certificate_does_for_another_reason(
            from in -10 * DAY..10 * DAY, lasts in 0..400 * DAY, now in -10 * DAY..400 * DAY, failures in 0..100_u32,
            asked in proptest::option::of(0..u64::MAX),
        ) {
            let mut orders = Orders::default();
            for _ in 0..failures {
                orders.begin(now);
                orders.fail(now, String::new(), asked.map(Duration::from_secs));
            }
            let due = orders.due(Some((from, from + lasts)));
            prop_assert!(due >= orders.pause_until);
            prop_assert!(due <= (from + lasts).max(orders.pause_until));
            prop_assert!(failures == 0 || due >= now + 5 * MINUTE);
        }
    }
}
