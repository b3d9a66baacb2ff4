//! An alert as it is remembered.

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::ids::EnvironmentId;

/// Something that was found wrong, until it is over and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: i64,
    /// The environment.
    pub environment: EnvironmentId,
    /// The check that failed.
    pub check: Check,
    /// What was found, and what was found last. Never a secret.
    pub why: String,
    /// When it was found, in milliseconds since the Unix epoch.
    pub opened: i64,
    /// Who took it on.
    pub acknowledged: Option<Acknowledged>,
    /// When it was over.
    pub resolved: Option<i64>,
    /// How often it was told.
    pub told: u32,
    /// When it was last told.
    pub told_at: Option<i64>,
    /// Whether its end was told.
    pub end_told: bool,
}

/// Somebody takes an alert on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What they say.
    pub reason: Option<String>,
}

impl Alert {
    /// Something that was just found. The store gives it its number.
    #[must_use]
    pub fn new(environment: EnvironmentId, check: Check, why: String, at: i64) -> Self {
        Self {
            id: 0,
            environment,
            check,
            why,
            opened: at,
            acknowledged: None,
            resolved: None,
            told: 0,
            told_at: None,
            end_told: false,
        }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// Whether anything may be left to tell of it: its beginning, again, or its end.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.is_open() || (self.told > 0 && !self.end_told)
    }
}

/// What an announcement says of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number.
    pub alert: i64,
    /// The check that failed.
    pub check: Check,
    /// Whether it was told before and nobody took it on, so that further people are told too.
    pub again: bool,
    /// How long it lasted, in milliseconds, where it is over.
    pub lasted: Option<i64>,
}
