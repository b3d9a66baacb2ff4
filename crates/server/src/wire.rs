//! What goes over the socket.

use ambit_domain::{Event, Failure};
use serde::{Deserialize, Serialize};

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Version of the program.
    pub version: String,
    /// Tells one build of the program from another: its file's inode and time of change.
    pub program: String,
    /// Process id.
    pub pid: u32,
    /// Start, in milliseconds since the Unix epoch.
    pub since: i64,
}

/// One line of the answer to a request that takes a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message<T> {
    /// Something happened.
    Event(Event),
    /// It is done. The last line.
    Done(T),
    /// It failed. The last line.
    Failed(Failure),
}
