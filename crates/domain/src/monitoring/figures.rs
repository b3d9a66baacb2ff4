//! What is measured: facts that checks are judged by and that metrics are made of.

use serde::{Deserialize, Serialize};

use crate::provider::InstanceHealth;

/// A process that a keeper holds, as far as it can be said without measuring it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessState {
    /// The service.
    pub service: String,
    /// The number of its instance.
    pub number: u32,
    /// How it stands.
    pub health: InstanceHealth,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// When that was started, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// How often it ended without having been asked to.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_exit: String,
}

/// What a process takes with everything that it started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessUse {
    /// Processor time since it began, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// How a PostgreSQL stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PostgresFigures {
    /// Connections of clients.
    pub connections: i64,
    /// The most that it takes.
    pub max_connections: i64,
    /// Size of the environment's database in bytes.
    pub size: i64,
    /// Transactions since its statistics began.
    pub transactions: i64,
    /// Whether its log is archived.
    pub archives: bool,
    /// Segments of the log that wait to be archived.
    pub waiting_segments: i64,
    /// Since how many seconds archiving has failed without a success.
    pub archive_failing: Option<i64>,
    /// The table with the largest estimated share of dead rows, among those large enough to matter.
    pub bloated: Option<(String, f64)>,
    /// Estimated bytes that dead rows take.
    pub dead_bytes: i64,
    /// The slowest query: the mean of one that is run often, where the server counts, else one that runs now.
    pub slowest: Option<SlowQuery>,
}

/// A query that takes its time. Its text is not kept: it may hold people's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlowQuery {
    /// How long it takes in seconds.
    pub seconds: f64,
    /// What it is called: the server's id of the statement, or the process that runs it.
    pub name: String,
    /// Whether it runs now; else it is a mean of many runs.
    pub runs: bool,
}

/// How a Redis stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisFigures {
    /// Memory of its data in bytes.
    pub memory: u64,
    /// The most that its data may take; zero where there is no bound.
    pub max_memory: u64,
    /// Connections of clients.
    pub connections: u64,
    /// The most that it takes.
    pub max_connections: u64,
    /// Keys in all.
    pub keys: u64,
    /// Commands since it started.
    pub commands: u64,
}

/// How the machine stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MachineFigures {
    /// Bytes of the disk that holds the state folder.
    pub disk_size: u64,
    /// Bytes of it that are free for Ambit.
    pub disk_free: u64,
    /// Bytes of memory.
    pub memory_size: u64,
    /// Bytes of memory that programs can still have.
    pub memory_available: u64,
    /// Processor time of everything, in seconds since the machine started.
    pub cpu_seconds: f64,
    /// Processes that run or wait to, over the last minute.
    pub load: f64,
}
