//! What came of telling somebody something.

use std::time::Duration;

/// Why a message did not get there. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not now: it may get there later.
    #[error("{why}")]
    Later {
        /// Why, in one sentence without a full stop.
        why: String,
        /// The pause that the other side asked for.
        after: Option<Duration>,
    },
    /// Never: the same message would be refused again.
    #[error("{why}")]
    Refused {
        /// Why, in one sentence without a full stop.
        why: String,
    },
}

impl SendError {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}
