//! Backups of an environment that lives at a service elsewhere: copies of its volumes under one name, which Ambit asks for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Backup, TableCount, Worth};

/// What the name of one begins with; the moment follows, in digits. What somebody else made there is called otherwise, and is never
/// touched.
pub const OURS: &str = "ambit-";

/// Where a backup at a service elsewhere lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedCopy {
    /// `Railway (kaia)`
    pub place: String,
    /// One of each volume.
    pub volumes: Vec<VolumeCopy>,
    /// The rows that were counted after it, where its PostgreSQL is reached from here.
    #[serde(default)]
    pub counted: Option<Counted>,
}

/// The rows of every table at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The moment by the server's own clock, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Rows of each table.
    pub tables: Vec<TableCount>,
}

/// The copy of one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeCopy {
    /// The service whose volume it is, as it is called there.
    pub service: String,
    /// By what the service elsewhere knows it.
    pub id: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
    /// The bytes that it holds.
    pub size: u64,
    /// The bytes that nothing else there holds, which are paid for.
    pub stored: u64,
}

impl HostedCopy {
    /// The moment that it stands for, as far as its log leads to it: that of the count, else that of the last copy.
    #[must_use]
    pub fn moment(&self) -> Option<i64> {
        self.counted.as_ref().map(|c| c.at).or_else(|| self.volumes.iter().map(|v| v.made).max())
    }

    /// The bytes that are paid for.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.volumes.iter().map(|v| v.stored).sum()
    }
}

/// Whether a copy of that name belongs to a backup of Ambit's: `ambit-20261127-100000`.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    let digits = |text: &str, most: usize| text.len() == most && text.bytes().all(|b| b.is_ascii_digit());
    let moment = name.strip_prefix(OURS).and_then(|moment| moment.split_once('-'));
    moment.is_some_and(|(day, time)| digits(day, 8) && digits(time, 6))
}

/// Which of these, the newest first, are kept no longer: what is older than that, but never the newest of all, nor the newest of
/// those that a drill restored.
#[must_use]
pub fn surplus(backups: &[Backup], keep: Duration, now: i64) -> Vec<&Backup> {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let sound = backups.iter().position(|b| b.worth() == Worth::Proven);
    let old = |(n, b): &(usize, &Backup)| *n > 0 && Some(*n) != sound && now.saturating_sub(b.started) > keep;
    backups.iter().enumerate().filter(old).map(|(_, b)| b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnvironmentId, backup::Drill};

    fn backup(started: i64, proven: bool) -> Backup {
        let drill = proven.then(|| Drill { at: started, restored_in: 1, checked: Vec::new(), failure: None });
        Backup {
            name: started.to_string(),
            environment: EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() },
            started,
            finished: started,
            postgres: None,
            redis: None,
            hosted: Some(HostedCopy { place: "Railway (kaia)".into(), volumes: Vec::new(), counted: None }),
            drill,
        }
    }

    #[test]
    fn what_is_called_otherwise_is_somebody_elses() {
        assert!(is_ours("ambit-20261127-100000"));
        for other in ["Manual", "ambit-deployment-4", "ambit-", "ambit-20261127", "ambit-20261127-100000-mine", ""] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn old_ones_go_and_neither_the_newest_nor_the_newest_proven_one_does() {
        let day = 86_400_000;
        let keep = Duration::from_secs(7 * 86_400);
        let gone =
            |all: &[Backup], now: i64| surplus(all, keep, now).iter().map(|b| b.started / day).collect::<Vec<_>>();
        let all = [backup(9 * day, false), backup(5 * day, true), backup(3 * day, true), backup(day, false)];
        assert_eq!(gone(&all, 9 * day), [1], "what is old goes");
        assert_eq!(gone(&all, 11 * day), [3, 1]);
        assert_eq!(gone(&all, 99 * day), [3, 1], "the newest, and the newest that was proven, stay");
        assert_eq!(gone(&all[..1], 99 * day), Vec::<i64>::new());
    }
}
