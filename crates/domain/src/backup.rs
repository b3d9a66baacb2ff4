//! Backups and what proves them: what one is, when the next is due, how long it stays, and which moments it leads to.
//!
//! Words follow PostgreSQL's manual (26.3 continuous archiving) and pgBackRest's user guide: a full backup stands alone, a
//! differential one holds what changed since the last full one.

pub mod hosted;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{ids::EnvironmentId, spec};

/// A full backup at least this often: what is in between is differential.
const FULL_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long a backup stays where nothing is said.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long to wait after a backup that failed, at most.
const AGAIN: Duration = Duration::from_secs(15 * 60);

/// What a full or a differential backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Everything.
    Full,
    /// What changed since the last full one.
    Differential,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Differential => "differential",
        })
    }
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its name; pgBackRest's label where it holds a PostgreSQL.
    pub name: String,
    /// Whose data it holds.
    pub environment: EnvironmentId,
    /// When it was begun, in milliseconds since the Unix epoch.
    pub started: i64,
    /// When it was complete. Moments after it can be restored.
    pub finished: i64,
    /// The PostgreSQL in it.
    pub postgres: Option<PostgresCopy>,
    /// The Redis in it.
    pub redis: Option<RedisCopy>,
    /// Where it lies, where its environment lives at a service elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted: Option<hosted::HostedCopy>,
    /// The last drill.
    pub drill: Option<Drill>,
}

/// The PostgreSQL of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresCopy {
    /// What it is.
    pub form: Form,
    /// Size of the cluster in bytes.
    pub size: u64,
    /// What it takes in the repository, in bytes.
    pub stored: u64,
    /// What was counted right after it.
    pub count: Option<Count>,
}

/// The Redis of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisCopy {
    /// What its files are.
    pub form: RedisForm,
    /// Their size in bytes.
    pub size: u64,
    /// SHA-256 of its files, as hexadecimal digits.
    pub digest: String,
    /// How many keys it held right after it was made.
    pub keys: u64,
}

/// The files of a Redis (redis.io, persistence).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedisForm {
    /// A snapshot (RDB).
    Snapshot,
    /// A multi-part append-only file with its manifest.
    AppendOnly,
}

/// The rows of a cluster at a named point of its log: a drill recovers to that very point and counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The name of the restore point in the write-ahead log.
    pub point: String,
    /// Rows of each table.
    pub tables: Vec<TableCount>,
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableCount {
    /// The database.
    pub database: String,
    /// The table with its schema, quoted as SQL wants it.
    pub table: String,
    /// Its rows.
    pub rows: i64,
    /// Whether nothing was written at that moment, so that exactly as many have to come back. Otherwise these rows were there
    /// before and after it, and at least as many have to.
    pub exact: bool,
}

/// A restore that was tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// How long it took until the restored servers answered, in milliseconds.
    pub restored_in: u64,
    /// What was checked, for people.
    pub checked: Vec<String>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// What a backup is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// A drill restored it.
    Proven,
    /// Nobody tried yet.
    Unproven,
    /// A drill could not restore it.
    Failed,
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Failed => "failed",
        })
    }
}

impl Backup {
    /// What it is worth: it counts once a drill has restored it.
    #[must_use]
    pub fn worth(&self) -> Worth {
        match &self.drill {
            None => Worth::Unproven,
            Some(Drill { failure: None, .. }) => Worth::Proven,
            Some(_) => Worth::Failed,
        }
    }

    /// What it takes where it lies, in bytes.
    #[must_use]
    pub fn stored(&self) -> u64 {
        let here = self.postgres.as_ref().map_or(0, |p| p.stored) + self.redis.as_ref().map_or(0, |r| r.size);
        here + self.hosted.as_ref().map_or(0, hosted::HostedCopy::stored)
    }
}

/// Whether and how the next backup is to be made now. `backups` are those of the environment, the newest first;
/// `tried` is when one was last tried, whatever came of it.
#[must_use]
pub fn due(every: Duration, backups: &[Backup], tried: Option<i64>, now: i64) -> Option<Form> {
    let since = |then: i64| Duration::from_millis(u64::try_from(now.saturating_sub(then)).unwrap_or(0));
    // A clock that was set back must not stop backups until it has caught up.
    let past = |then: i64| then <= now;
    let newest = backups.iter().map(|b| b.started).filter(|at| past(*at)).max();
    let wait = every.min(AGAIN);
    if newest.is_some_and(|at| since(at) < every) || tried.is_some_and(|at| past(at) && since(at) < wait) {
        return None;
    }
    Some(form(backups, now))
}

/// What the next backup is to be: full where there is no sound full one of the last day to build on.
#[must_use]
pub fn form(backups: &[Backup], now: i64) -> Form {
    let day = i64::try_from(FULL_EVERY.as_millis()).unwrap_or(i64::MAX);
    // What is built on a broken full backup is broken too.
    let newest = backups.iter().find(|b| b.postgres.is_some());
    let broken = newest.is_some_and(|b| b.worth() == Worth::Failed);
    let full = |b: &&Backup| b.postgres.as_ref().is_some_and(|p| p.form == Form::Full);
    match backups.iter().find(full) {
        Some(last) if !broken && last.started <= now && now - last.started < day => Form::Differential,
        _ => Form::Full,
    }
}

/// How long backups stay.
#[must_use]
pub fn kept(declared: &spec::Backup) -> Duration {
    declared.keep.unwrap_or(KEPT)
}

/// The whole days of a retention, which pgBackRest counts in: never fewer than were asked for.
#[must_use]
pub fn days(keep: Duration) -> u64 {
    keep.as_secs().div_ceil(86_400).max(1)
}

/// The number that pgBackRest gives to each cluster that wrote to a repository, growing.
pub type Cluster = u64;

/// A backup as its repository lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its label.
    pub name: String,
    /// Of which cluster it is. One made anew starts its log anew, in the same repository.
    pub cluster: Cluster,
    /// What it is.
    pub form: Form,
    /// When it was begun and complete, in seconds since the Unix epoch.
    pub started: i64,
    /// When it was complete.
    pub finished: i64,
    /// The first and the last segment of the log that it needs.
    pub needs: (String, String),
    /// Size of the cluster in bytes.
    pub size: u64,
    /// What it takes in the repository, in bytes.
    pub stored: u64,
}

/// A segment of the write-ahead log in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Whose log it is of.
    pub cluster: Cluster,
    /// Its name: timeline, log and segment, eight hexadecimal digits each.
    pub name: String,
    /// When it was archived, in seconds since the Unix epoch.
    pub archived: i64,
}

/// Moments that can be restored, in seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first: the backup was complete.
    pub from: i64,
    /// The last that is certain.
    pub until: i64,
    /// Whether it goes on: the cluster runs, and nothing is missing up to what was last archived.
    pub open: bool,
    /// The first segment that is missing, where one is.
    pub missing: Option<u64>,
}

/// Which moments can be restored: of each backup those up to the first segment that is missing after it, or up to the end
/// of its cluster. Ranges of one cluster that meet are one.
#[must_use]
pub fn ranges(backups: &[Listed], segments: &[Segment]) -> Vec<Range> {
    let clusters: BTreeSet<Cluster> = backups.iter().map(|b| b.cluster).collect();
    let running = clusters.iter().copied().chain(segments.iter().map(|s| s.cluster)).max();
    let mut all = Vec::new();
    for cluster in clusters {
        let archived: BTreeMap<u64, i64> = segments
            .iter()
            .filter(|s| s.cluster == cluster)
            .filter_map(|s| Some((number(&s.name)?, s.archived)))
            .collect();
        let mut backups: Vec<&Listed> = backups.iter().filter(|b| b.cluster == cluster).collect();
        backups.sort_by_key(|b| b.finished);
        all.extend(ranges_of_one(&backups, &archived, running == Some(cluster)));
    }
    all
}

/// The ranges of a cluster whose `backups` are given oldest first, and when each segment of its log was archived.
/// What is not `running` any more writes nothing after its last segment.
fn ranges_of_one(backups: &[&Listed], archived: &BTreeMap<u64, i64>, running: bool) -> Vec<Range> {
    let newest = archived.keys().next_back().copied();
    let mut all: Vec<Range> = Vec::new();
    for backup in backups {
        let (Some(first), Some(last)) = (number(&backup.needs.0), number(&backup.needs.1)) else { continue };
        if (first..=last).any(|n| !archived.contains_key(&n)) {
            // It cannot even be made consistent.
            continue;
        }
        let end = (last..).take_while(|n| archived.contains_key(n)).last().unwrap_or(last);
        let until = archived.get(&end).copied().unwrap_or(backup.finished).max(backup.finished);
        let whole = newest == Some(end);
        let range =
            Range { from: backup.finished, until, open: whole && running, missing: (!whole).then_some(end + 1) };
        match all.last_mut() {
            Some(before) if range.from <= before.until || (before.missing.is_none() && whole) => {
                if (whole, range.until) > (before.missing.is_none(), before.until) {
                    *before = Range { from: before.from, ..range };
                }
            }
            _ => all.push(range),
        }
    }
    all
}

/// The place of a segment in the log, whatever its timeline: 256 segments of 16 MB make one log file's worth
/// (PostgreSQL manual, 30.6).
fn number(name: &str) -> Option<u64> {
    let name = name.get(..24)?;
    let part = |range| u64::from_str_radix(name.get(range)?, 16).ok();
    part(0..8)?;
    Some(part(8..16)? << 8 | part(16..24)?)
}

/// What differs between the rows that were counted and those that came back, for people; empty where nothing is missing.
#[must_use]
pub fn differences(counted: &[TableCount], restored: &[TableCount]) -> Vec<String> {
    let mut found = Vec::new();
    let key = |t: &TableCount| (t.database.clone(), t.table.clone());
    for table in counted {
        let name = format!("{}: {}", table.database, table.table);
        match restored.iter().find(|r| key(r) == key(table)) {
            None if table.exact || table.rows > 0 => found.push(format!("{name} did not come back")),
            Some(back) if table.exact && back.rows != table.rows => {
                found.push(format!("{name} has {} rows instead of {}", back.rows, table.rows));
            }
            Some(back) if back.rows < table.rows => {
                found.push(format!("{name} has {} rows; at least {} were there", back.rows, table.rows));
            }
            _ => {}
        }
    }
    let known: BTreeSet<_> = counted.iter().map(key).collect();
    if counted.iter().any(|t| t.exact) {
        let more = restored.iter().filter(|r| !known.contains(&key(r)));
        found.extend(more.map(|r| format!("{}: {} was not there", r.database, r.table)));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn backup(form: Form, started: i64, drill: Option<Option<&str>>) -> Backup {
        Backup {
            name: started.to_string(),
            environment: EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() },
            started,
            finished: started + 1000,
            postgres: Some(PostgresCopy { form, size: 1, stored: 1, count: None }),
            redis: None,
            hosted: None,
            drill: drill.map(|failure| Drill {
                at: started,
                restored_in: 1,
                checked: Vec::new(),
                failure: failure.map(str::to_owned),
            }),
        }
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    #[test]
    fn a_backup_counts_once_a_drill_has_restored_it() {
        assert_eq!(backup(Form::Full, 0, None).worth(), Worth::Unproven);
        assert_eq!(backup(Form::Full, 0, Some(None)).worth(), Worth::Proven);
        assert_eq!(backup(Form::Full, 0, Some(Some("a page is damaged"))).worth(), Worth::Failed);
    }

    #[test]
    fn the_first_is_full_and_those_of_the_same_day_build_on_it() {
        assert_eq!(due(hours(6), &[], None, HOUR), Some(Form::Full));
        let first = backup(Form::Full, 0, Some(None));
        assert_eq!(due(hours(6), std::slice::from_ref(&first), Some(0), 5 * HOUR), None);
        assert_eq!(due(hours(6), std::slice::from_ref(&first), Some(0), 6 * HOUR), Some(Form::Differential));
        assert_eq!(due(hours(6), std::slice::from_ref(&first), Some(0), 24 * HOUR), Some(Form::Full));
    }

    #[test]
    fn nothing_is_built_on_a_backup_that_failed_its_drill() {
        let broken = backup(Form::Full, 0, Some(Some("checksum")));
        assert_eq!(due(hours(6), &[broken], Some(0), 6 * HOUR), Some(Form::Full));
    }

    #[test]
    fn one_that_could_not_be_made_is_tried_again_after_a_pause() {
        let minutes = |n: i64| n * 60_000;
        assert_eq!(due(hours(6), &[], Some(0), minutes(14)), None);
        assert_eq!(due(hours(6), &[], Some(0), minutes(15)), Some(Form::Full));
    }

    fn listed(name: &str, finished: i64, first: u64, last: u64) -> Listed {
        let segment = |n: u64| format!("00000001{:08X}{:08X}", n >> 8, n & 0xff);
        Listed {
            name: name.into(),
            cluster: 1,
            form: Form::Full,
            started: finished - 1,
            finished,
            needs: (segment(first), segment(last)),
            size: 1,
            stored: 1,
        }
    }

    fn segments(numbers: impl IntoIterator<Item = u64>) -> Vec<Segment> {
        let name = |n: u64| format!("00000001{:08X}{:08X}-abc.zst", n >> 8, n & 0xff);
        let archived = |n: u64| i64::try_from(n).unwrap() * 10;
        numbers.into_iter().map(|n| Segment { cluster: 1, name: name(n), archived: archived(n) }).collect()
    }

    #[test]
    fn a_missing_segment_ends_the_moments_that_lead_from_the_backup_before_it() {
        let backups = [listed("a", 30, 2, 3), listed("b", 90, 8, 9)];
        let whole = ranges(&backups, &segments(2..=12));
        assert_eq!(whole, [Range { from: 30, until: 120, open: true, missing: None }]);
        let broken = ranges(&backups, &segments((2..=12).filter(|n| *n != 6)));
        assert_eq!(
            broken,
            [
                Range { from: 30, until: 50, open: false, missing: Some(6) },
                Range { from: 90, until: 120, open: true, missing: None }
            ]
        );
    }

    #[test]
    fn a_backup_without_the_segments_that_it_needs_leads_nowhere() {
        assert_eq!(ranges(&[listed("a", 30, 2, 3)], &segments([2, 4])), []);
    }

    #[test]
    fn the_log_of_a_cluster_that_was_made_anew_is_another() {
        let of = |cluster, later: i64, mut segments: Vec<Segment>| {
            segments.iter_mut().for_each(|s| (s.cluster, s.archived) = (cluster, s.archived + later));
            segments
        };
        let log = [of(1, 0, segments(2..=12)), of(2, 1000, segments(1..=4))].concat();
        let old = listed("a", 30, 2, 3);
        let new = Listed { cluster: 2, ..listed("b", 1030, 2, 3) };
        let ended = Range { from: 30, until: 120, open: false, missing: None };
        assert_eq!(
            ranges(&[old.clone(), new], &log),
            [ended.clone(), Range { from: 1030, until: 1040, open: true, missing: None }]
        );
        // Before the new one has a backup of its own, nothing of it can be restored.
        assert_eq!(ranges(&[old], &log), [ended]);
    }

    fn table(name: &str, rows: i64, exact: bool) -> TableCount {
        TableCount { database: "kaia".into(), table: name.into(), rows, exact }
    }

    #[test]
    fn what_did_not_come_back_is_named() {
        let counted = [table("public.a", 3, true), table("public.b", 2, true)];
        assert!(differences(&counted, &counted).is_empty());
        let back = [table("public.a", 2, true), table("public.c", 1, true)];
        assert_eq!(
            differences(&counted, &back),
            [
                "kaia: public.a has 2 rows instead of 3",
                "kaia: public.b did not come back",
                "kaia: public.c was not there"
            ]
        );
        // While somebody writes, more may have come back, never less.
        assert!(differences(&[table("public.a", 3, false)], &[table("public.a", 5, true)]).is_empty());
        assert_eq!(differences(&[table("public.a", 3, false)], &[table("public.a", 2, true)]).len(), 1);
    }

    proptest! {
        #[test]
        fn a_clock_that_jumps_never_stops_backups_for_longer_than_one_interval(
            started in prop::collection::vec(-100i64..100, 0..5),
            tried in prop::option::of(-100i64..100),
            now in -100i64..100,
        ) {
            let mut backups: Vec<Backup> = started.iter().map(|at| backup(Form::Full, at * HOUR, None)).collect();
            backups.sort_by_key(|b| std::cmp::Reverse(b.started));
            let tried = tried.map(|at| at * HOUR);
            let due = (0..=6).any(|later| due(hours(6), &backups, tried, (now + later) * HOUR).is_some());
            // Those of the future are made anew once they are reached.
            let ahead = started.iter().any(|at| *at > now && *at <= now + 6);
            prop_assert!(due || ahead);
        }

        #[test]
        fn ranges_are_in_order_and_never_overlap(
            ends in prop::collection::btree_set(2u64..40, 0..6),
            missing in prop::collection::btree_set(1u64..45, 0..10),
        ) {
            let backups: Vec<Listed> = ends
                .iter()
                .map(|n| listed(&n.to_string(), i64::try_from(*n).unwrap() * 10, n - 1, *n))
                .collect();
            let found = ranges(&backups, &segments((1..45).filter(|n| !missing.contains(n))));
            for pair in found.windows(2) {
                prop_assert!(pair[0].until < pair[1].from);
            }
            for range in &found {
                prop_assert!(range.from <= range.until);
                prop_assert_eq!(range.open, range.missing.is_none());
            }
        }
    }
}
