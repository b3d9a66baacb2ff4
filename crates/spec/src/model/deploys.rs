//! What a deployment has to keep to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an environment is deployed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deploys {
    /// How long an approval holds.
    pub approval_expires: Duration,
    /// Whether the author of a change may approve it.
    pub author_may_approve: bool,
    /// Times in which nothing is deployed.
    pub freezes: Vec<Freeze>,
    /// Branches that may go straight here with the shorter gate list.
    pub hotfix: Option<String>,
    /// The gates that have to be passed, by name, in the order of the file.
    pub gates: Vec<String>,
    /// How many releases stay for a rollback.
    pub keep_releases: u32,
    /// How long a new release is watched before it counts as good.
    pub soak: Duration,
    /// Share of failed requests, in percent, that rolls a deployment back.
    pub max_error_rate: f64,
}

impl Default for Deploys {
    fn default() -> Self {
        Self {
            approval_expires: Duration::from_secs(24 * 3600),
            author_may_approve: false,
            freezes: Vec::new(),
            hotfix: None,
            gates: vec!["tests".to_owned()],
            keep_releases: 5,
            soak: Duration::from_secs(300),
            max_error_rate: 1.0,
        }
    }
}

/// A time in which nothing is deployed, in the project's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Every week, from one moment to the next time that the other comes.
    Weekly {
        /// When it begins.
        from: WeekTime,
        /// When it ends.
        to: WeekTime,
    },
    /// Once, both days included.
    Dates {
        /// The first day.
        from: Day,
        /// The last day.
        to: Day,
    },
}

/// A moment of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WeekTime {
    /// 0 is Monday, 6 is Sunday.
    pub weekday: u8,
    /// Minutes after midnight.
    pub minute: u16,
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Day {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}
