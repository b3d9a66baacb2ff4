//! How a message gets to one place: tried until it is there, is refused for good, or is too old to be of use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ids::EnvironmentId, notification::Announcement};

/// A message that is older than this is given up.
pub const BOUND: Duration = Duration::from_secs(24 * 3600);

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3600);

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A Slack incoming webhook.
    Slack,
    /// One e-mail address.
    Email,
    /// A URL that is called.
    Webhook,
    /// Sentry, which is told where a release runs.
    Sentry,
    /// The deployments of the repository at GitHub.
    Github,
}

impl Channel {
    const ALL: [Self; 5] = [Self::Slack, Self::Email, Self::Webhook, Self::Sentry, Self::Github];

    /// Its name on screens and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Sentry => "sentry",
            Self::Github => "github",
        }
    }

    /// The channel with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It is tried, again where it failed.
    Waiting,
    /// It was taken over by the other side.
    Sent,
    /// It was refused for good, or was too old.
    GivenUp,
}

impl DeliveryState {
    /// Its name on screens and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::GivenUp => "given-up",
        }
    }

    /// The state with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Sent, Self::GivenUp].into_iter().find(|state| state.name() == name)
    }
}

/// An announcement in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The same in every attempt and on every channel, and different from all others.
    pub id: String,
    /// When it was announced, in milliseconds since the Unix epoch.
    pub announced: i64,
    /// The environment that it tells of.
    pub environment: EnvironmentId,
    /// What is told.
    pub announcement: Announcement,
}

/// An announcement on its way to one place. Says where by the channel only: what opens it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number.
    pub number: i64,
    /// The way; `None` until the declaration was asked who is told.
    pub channel: Option<Channel>,
    /// The address, for e-mail; empty otherwise.
    pub recipient: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, or was sent or given up, in milliseconds since the Unix epoch.
    pub due: i64,
    /// Why the last attempt failed. Never holds a secret.
    pub error: Option<String>,
}

/// How long to wait after a failed attempt; `None` gives the message up.
///
/// The pause doubles from 5 seconds to an hour, half of it by chance (`jitter`, from 0 to 1) so that many messages do not
/// come back at once. A pause that the other side asked for is never cut short.
#[must_use]
pub fn next_attempt(attempts: u32, age: Duration, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST);
    let pause = doubled.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0)).max(asked.unwrap_or_default());
    age.checked_add(pause).filter(|then| *then <= BOUND).map(|_| pause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_from_seconds_to_an_hour() {
        let pause = |attempts| next_attempt(attempts, Duration::ZERO, None, 1.0).unwrap().as_secs();
        assert_eq!([1, 2, 3, 10, 11, 1000].map(pause), [5, 10, 20, 2560, 3600, 3600]);
    }

    #[test]
    fn a_day_of_failures_ends_it() {
        let (mut age, mut attempts) = (Duration::ZERO, 0);
        while let Some(pause) = next_attempt(attempts + 1, age, None, 0.5) {
            age += pause;
            attempts += 1;
        }
        assert!((30..60).contains(&attempts), "{attempts}");
        assert!(age <= BOUND);
        assert_eq!(next_attempt(1, Duration::ZERO, Some(BOUND * 2), 0.0), None, "asked to wait too long");
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_than_asked_for(attempts in any::<u32>(), age in 0u64..80_000, asked in 0u64..6000, jitter in any::<f64>()) {
            let asked = Duration::from_secs(asked);
            if let Some(pause) = next_attempt(attempts, Duration::from_secs(age), Some(asked), jitter) {
                prop_assert!(pause >= asked && pause <= LONGEST.max(asked));
                prop_assert!(pause >= FIRST / 2);
            }
        }
    }
}
