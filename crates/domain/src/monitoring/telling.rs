//! When who is told of an alert: not in quiet hours, again where nobody takes it on, and at its end.

use std::time::Duration;

use super::alert::Alert;

/// The longest pause between two tellings.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is to be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// Something is wrong.
    Alert,
    /// It still is and nobody took it on: further people are told too.
    Again,
    /// It is over.
    Resolved,
}

/// What is to be told of an alert at a moment. What begins and ends within quiet hours is never told.
#[must_use]
pub fn to_say(alert: &Alert, now: i64, quiet: bool, escalate_after: Option<Duration>) -> Option<Say> {
    if quiet || !alert.is_pending() {
        return None;
    }
    if !alert.is_open() {
        return Some(Say::Resolved);
    }
    if alert.told == 0 {
        return Some(Say::Alert);
    }
    let after = escalate_after.filter(|_| alert.acknowledged.is_none())?;
    let pause = i64::try_from(escalation_pause(after, alert.told).as_millis()).unwrap_or(i64::MAX);
    let due = alert.told_at.unwrap_or(alert.opened).saturating_add(pause);
    (now >= due).then_some(Say::Again)
}

/// How long after it was told for the n-th time an alert is told again: each time twice as long, up to a day.
#[must_use]
pub fn escalation_pause(after: Duration, told: u32) -> Duration {
    let doubled = after.saturating_mul(2_u32.saturating_pow(told.saturating_sub(1)));
    doubled.min(LONGEST.max(after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::EnvironmentId,
        monitoring::{Acknowledged, Check, What},
    };

    const MINUTE: i64 = 60_000;
    const AFTER: Duration = Duration::from_secs(900);

    fn alert() -> Alert {
        let environment = EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() };
        Alert::new(environment, Check::of(What::Postgres, "postgres"), "no answer".into(), 0)
    }

    /// Carries out what is to be told, as the daemon does.
    fn told(mut alert: Alert, now: i64, quiet: bool) -> (Alert, Option<Say>) {
        let say = to_say(&alert, now, quiet, Some(AFTER));
        match say {
            Some(Say::Alert | Say::Again) => (alert.told, alert.told_at) = (alert.told + 1, Some(now)),
            Some(Say::Resolved) => alert.end_told = true,
            None => {}
        }
        (alert, say)
    }

    #[test]
    fn nobody_is_woken_and_in_the_morning_what_is_still_wrong_is_told() {
        let (alert, said) = told(alert(), 0, true);
        assert_eq!(said, None);
        let over = Alert { resolved: Some(MINUTE), ..alert.clone() };
        assert_eq!(told(over, 2 * MINUTE, false).1, None, "what is over by then was never told");
        assert_eq!(told(alert, 2 * MINUTE, false).1, Some(Say::Alert));
    }

    #[test]
    fn an_end_in_quiet_hours_is_told_after_them() {
        let (alert, _) = told(alert(), 0, false);
        let over = Alert { resolved: Some(MINUTE), ..alert };
        let (over, said) = told(over, MINUTE, true);
        assert_eq!(said, None);
        let (over, said) = told(over, 2 * MINUTE, false);
        assert_eq!(said, Some(Say::Resolved));
        assert_eq!(told(over, 3 * MINUTE, false).1, None);
    }

    #[test]
    fn what_nobody_takes_on_is_told_again_and_what_somebody_does_is_not() {
        let (alert, _) = told(alert(), 0, false);
        let (alert, said) = told(alert, 14 * MINUTE, false);
        assert_eq!(said, None);
        let (alert, said) = told(alert, 15 * MINUTE, false);
        assert_eq!(said, Some(Say::Again));
        assert_eq!(told(alert.clone(), 44 * MINUTE, false).1, None, "half an hour later, not before");
        assert_eq!(told(alert.clone(), 45 * MINUTE, false).1, Some(Say::Again));
        let by = Acknowledged { at: 0, by: "ana".into(), reason: None };
        assert_eq!(told(Alert { acknowledged: Some(by), ..alert }, 45 * MINUTE, false).1, None);
    }

    proptest! {
        #[test]
        fn pauses_never_shrink_and_stay_within_a_day_or_what_was_asked_for(after in 1u64..1_000_000, n in 1u32..100) {
            let after = Duration::from_secs(after);
            let (this, next) = (escalation_pause(after, n), escalation_pause(after, n + 1));
            prop_assert!(this <= next && this >= after.min(LONGEST) && next <= LONGEST.max(after));
        }

        #[test]
        fn an_alert_is_told_before_its_end_and_its_end_once(quiet in prop::collection::vec(any::<bool>(), 1..50), ends in 0usize..50) {
            let mut alert = alert();
            let mut said = Vec::new();
            for (n, quiet) in quiet.into_iter().enumerate() {
                let now = i64::try_from(n).unwrap() * MINUTE;
                if n >= ends {
                    alert.resolved.get_or_insert(now);
                }
                let (after, say) = told(alert, now, quiet);
                alert = after;
                said.extend(say);
            }
            let end = said.iter().position(|s| *s == Say::Resolved);
            prop_assert!(end.is_none_or(|end| end == said.len() - 1 && said.contains(&Say::Alert)));
            prop_assert!(said.first().is_none_or(|first| *first == Say::Alert));
        }
    }
}
