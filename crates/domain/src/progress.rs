//! What long work says while it goes on.

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    spec::{EnvironmentName, ServiceName},
};

/// One thing that happened, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The environment that it happened to; `None` is the machine.
    pub environment: Option<EnvironmentName>,
    /// The service, where it was about one.
    pub service: Option<ServiceName>,
    /// What is done: `postgres`, `build`, `migrate`, `start`, …
    pub step: String,
    /// How it stands.
    pub outcome: Outcome,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Outcome {
    /// It began.
    Started,
    /// A line of its output.
    Output {
        /// The line; hostile input.
        line: String,
    },
    /// It is done.
    Done {
        /// What it came to, for people.
        detail: String,
        /// Whether anything is different now.
        changed: bool,
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// It failed; what was running still runs.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Something a person should know.
    Notice {
        /// In one sentence.
        text: String,
    },
}
