//! Looks through a copy for values that should have been replaced.
//!
//! While rows are masked, every value that a mask replaces leaves fingerprints in a filter of bounded size
//! ([`Sensitive`]). Then the copy itself is read back, and every text that no mask has made is looked up (`scan`). What
//! the filter knows may be a coincidence of the filter: it counts only after production's own values were asked again
//! (`confirm`). No value leaves this module, only counts and places.

mod check;
mod confirm;
mod filter;
mod fingerprint;
mod scan;
mod suspicions;
mod vocabulary;

pub(crate) use check::check;
pub(crate) use confirm::collect;
pub(crate) use filter::{Recent, Sensitive};
pub(crate) use fingerprint::{Words, sensitive};

use serde::{Deserialize, Serialize};

/// What the check came to. Holds no value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakReport {
    /// Texts of the copy that were looked through.
    pub texts: u64,
    /// Values that were looked for, counted as often as they occur.
    pub sensitive: u64,
    /// Where values of production were found.
    pub leaks: Vec<Leak>,
    /// Columns that the team excused, with their reasons.
    pub excused: Vec<(String, String)>,
    /// Phrases that so many rows share that they speak of nobody, and local parts that are words of the database's own names;
    /// passed over.
    pub common: u64,
}

/// A column of the copy in which values of production were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// The column of the copy: `public.events.notes`.
    pub found_in: String,
    /// The columns of production whose values were found there.
    pub comes_from: Vec<String>,
    /// In how many places.
    pub times: u64,
}
