//! A failure as a person reads it, whichever face shows it.

use serde::{Deserialize, Serialize};

/// What sort of failure it is; faces derive exit codes and HTTP statuses from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The request makes no sense or is refused by a rule.
    User,
    /// `ambit.toml` or `ambit.secrets` is wrong.
    Declaration,
    /// What was asked for does not exist.
    NotFound,
    /// Something on the machine is missing or in the way: a program, a port, disk space.
    Machine,
    /// The team's own code failed: a build, a migration, an app that does not start.
    App,
    /// Stopped by a person or a signal.
    Interrupted,
    /// Ambit itself is wrong.
    Internal,
}

/// What happened, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its sort.
    pub kind: FailureKind,
    /// What happened, in one sentence without a full stop.
    pub message: String,
    /// Why, the nearest cause first. May hold several lines (the end of a log).
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without cause or hint.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do next, where that is known.
    #[must_use]
    pub fn hint_if(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hints.extend(hint.map(Into::into));
        self
    }

    /// A failure that tells an error and the chain of its sources.
    pub fn from_error(kind: FailureKind, error: &dyn std::error::Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure.causes.push(cause.to_string());
            source = cause.source();
        }
        failure
    }
}
