//! What a rehearsal came to: evidence that is kept with the release.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How large the tables of production are, by their names without a schema.
pub type Sizes = BTreeMap<String, Size>;

/// How large a table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows, as estimated.
    pub rows: u64,
    /// Bytes, indexes included.
    pub bytes: u64,
}

/// What a rehearsal came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What ran, in its order.
    pub statements: Vec<Observed>,
    /// Why it did not come to its end, where it did not.
    pub failed: Option<Failed>,
    /// What would hurt production, and the safe way.
    pub dangers: Vec<Danger>,
}

/// A statement as it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The migration that it belongs to.
    pub migration: String,
    /// Its text, shortened.
    pub statement: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// The locks that it took on tables that were there before.
    pub locks: Vec<Lock>,
    /// Tables that it wrote anew as a whole.
    pub rewritten: Vec<String>,
    /// Rows that it inserted, changed and deleted.
    pub rows: u64,
}

/// A lock on a table (PostgreSQL manual, 13.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The table.
    pub table: String,
    /// `AccessExclusiveLock`, …
    pub mode: String,
    /// How long it was held: until the end of the transaction, in milliseconds.
    pub millis: u64,
}

/// Why a rehearsal failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The migration.
    pub migration: String,
    /// The statement, shortened; empty where the app's own command failed.
    pub statement: String,
    /// What PostgreSQL or the command said.
    pub error: String,
}

/// Something that works and hurts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Danger {
    /// The migration.
    pub migration: String,
    /// The statement, shortened.
    pub statement: String,
    /// What it does to production.
    pub what: String,
    /// How the same is done without.
    pub safe_way: String,
}

impl Report {
    /// Whether nothing failed and nothing hurts.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.failed.is_none() && self.dangers.is_empty()
    }
}
