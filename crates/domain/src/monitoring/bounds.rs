//! From facts to findings: where the bounds are. What can be over in a moment has to last; what cannot is beyond doubt.

use std::time::Duration;

use super::{
    figures::{MachineFigures, PostgresFigures, ProcessState, RedisFigures},
    judge::Finding,
};
use crate::{
    backup::{Backup, Worth},
    deployment::{Deployment, DeploymentState},
    provider::InstanceHealth,
    spec,
};

/// A process that was started again has to run this long before it counts as up.
const STAYS: i64 = 40_000;
/// Of connections, in percent.
const CONNECTIONS: u64 = 85;
/// Of the memory that Redis may take, in percent.
const REDIS_MEMORY: u64 = 90;
/// How long the log may wait for its archive, in seconds, and how much of it: a gigabyte.
const ARCHIVE_SECONDS: i64 = 300;
const ARCHIVE_SEGMENTS: i64 = 64;
/// Of a table's rows.
const DEAD_ROWS: f64 = 0.6;
/// In seconds: of a statement that is run often, and of one that runs now.
const SLOW_MEAN: f64 = 2.0;
const SLOW_RUN: f64 = 60.0;
/// A disk with less than both of these has too little; with less than the last in any case.
const DISK_SHARE: u64 = 10;
const DISK_FREE: u64 = 10 << 30;
const DISK_LEAST: u64 = 1 << 30;
/// No build, migration or start takes longer.
const STUCK: i64 = 2 * 3600 * 1000;
/// What a backup may be late, beside half of its interval: it has to be made and drilled.
const LATE: Duration = Duration::from_secs(3600);
/// A certificate that holds for less of its time than this share, in percent, should have been renewed.
const CERTIFICATE_SHARE: i64 = 15;
const CERTIFICATE_LEFT: i64 = 14 * 24 * 3600 * 1000;
const HOUR: i64 = 3600 * 1000;

fn share(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A process; `restarts` is how many are known and were told. One that was started again counts as up once it stays.
#[must_use]
pub fn process(state: &ProcessState, restarts: u32, now: i64) -> Finding {
    let exit = if state.last_exit.is_empty() { "ended" } else { &state.last_exit };
    match &state.health {
        InstanceHealth::Stopped => Finding::Failing("it was stopped, and not by ambit down".to_owned()),
        InstanceHealth::Restarting { exit } => Finding::Broken(format!("it {exit}")),
        InstanceHealth::Running if state.restarts <= restarts => Finding::Well,
        InstanceHealth::Running if state.since.is_some_and(|since| now.saturating_sub(since) >= STAYS) => Finding::Well,
        InstanceHealth::Running => Finding::Broken(match state.restarts - restarts {
            1 => format!("it {exit}, and was started again"),
            times => format!("it {exit}, and was started again {times} times"),
        }),
    }
}

/// Connections of a PostgreSQL.
#[must_use]
pub fn connections(figures: &PostgresFigures) -> Finding {
    let (now, most) = (figures.connections, figures.max_connections);
    if share(unsigned(now), unsigned(most)) < CONNECTIONS {
        return Finding::Well;
    }
    Finding::Failing(format!("{now} of {most} connections are taken"))
}

/// The archive of a PostgreSQL's log.
#[must_use]
pub fn archive(figures: &PostgresFigures) -> Finding {
    if !figures.archives {
        return Finding::Well;
    }
    let waiting = figures.waiting_segments;
    match figures.archive_failing {
        Some(seconds) if seconds >= ARCHIVE_SECONDS => {
            Finding::Broken(format!("archiving has failed for {} min; {waiting} segments wait", seconds / 60))
        }
        _ if waiting >= ARCHIVE_SEGMENTS => Finding::Broken(format!("{waiting} segments of 16 MB wait to be archived")),
        _ => Finding::Well,
    }
}

/// Dead rows of a PostgreSQL's tables.
#[must_use]
pub fn bloat(figures: &PostgresFigures) -> Finding {
    match &figures.bloated {
        Some((table, dead)) if *dead >= DEAD_ROWS => {
            Finding::Failing(format!("{:.0} % of the rows of {table} are dead, by the server's estimate", dead * 100.0))
        }
        _ => Finding::Well,
    }
}

/// Queries of a PostgreSQL that take their time.
#[must_use]
pub fn slow_queries(figures: &PostgresFigures) -> Finding {
    match &figures.slowest {
        Some(query) if query.runs && query.seconds >= SLOW_RUN => {
            Finding::Failing(format!("a query of process {} has run for {:.0} s", query.name, query.seconds))
        }
        Some(query) if !query.runs && query.seconds >= SLOW_MEAN => Finding::Failing(format!(
            "statement {} of pg_stat_statements takes {:.1} s on average",
            query.name, query.seconds
        )),
        _ => Finding::Well,
    }
}

/// Memory of a Redis.
#[must_use]
pub fn redis_memory(figures: &RedisFigures) -> Finding {
    let used = share(figures.memory, figures.max_memory);
    if used < REDIS_MEMORY {
        return Finding::Well;
    }
    Finding::Failing(format!("{used} % of the {} MB that it may take are taken", figures.max_memory >> 20))
}

/// Connections of a Redis.
#[must_use]
pub fn redis_connections(figures: &RedisFigures) -> Finding {
    let (now, most) = (figures.connections, figures.max_connections);
    if share(now, most) < CONNECTIONS {
        return Finding::Well;
    }
    Finding::Failing(format!("{now} of {most} connections are taken"))
}

/// Room on the disk of the machine.
#[must_use]
pub fn disk(figures: &MachineFigures) -> Finding {
    let (free, size) = (figures.disk_free, figures.disk_size);
    let little = share(free, size) < DISK_SHARE && free < DISK_FREE;
    if size == 0 || (!little && free >= DISK_LEAST) {
        return Finding::Well;
    }
    Finding::Broken(format!("{} MB of {} MB are free", free >> 20, size >> 20))
}

/// The queue of an environment's deployments.
#[must_use]
pub fn queue<'a>(unfinished: impl IntoIterator<Item = &'a Deployment>, now: i64) -> Finding {
    let under_way = |d: &&Deployment| {
        matches!(d.state, DeploymentState::Queued | DeploymentState::Building | DeploymentState::Running)
    };
    let oldest = unfinished.into_iter().filter(under_way).min_by_key(|d| d.started.unwrap_or(d.created));
    match oldest.map(|d| (d, now.saturating_sub(d.started.unwrap_or(d.created)))) {
        Some((d, age)) if age >= STUCK => {
            Finding::Broken(format!("deployment {} has been under way for {} h", d.number, age / HOUR))
        }
        _ => Finding::Well,
    }
}

/// The age of the newest backup; `since` is when the environment came up, `trouble` why the last one could not be made.
#[must_use]
pub fn backup(
    declared: &spec::Backup,
    newest: Option<&Backup>,
    since: i64,
    trouble: Option<&str>,
    now: i64,
) -> Finding {
    if let Some(trouble) = trouble {
        return Finding::Broken(format!("the last that was due could not be made: {trouble}"));
    }
    if newest.is_some_and(|b| b.worth() == Worth::Failed) {
        return Finding::Broken("a drill could not restore the newest".to_owned());
    }
    let bound = declared.every + declared.every / 2 + LATE;
    let bound = i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(newest.map_or(since, |b| b.started));
    if age < bound {
        return Finding::Well;
    }
    let every = declared.every.as_secs() / 3600;
    Finding::Broken(match newest {
        Some(_) => format!("the newest is {} h old; there is to be one every {every} h", age / HOUR),
        None => format!("there is none; there is to be one every {every} h"),
    })
}

/// How long a certificate still holds.
#[must_use]
pub fn certificate(not_before: i64, not_after: i64, now: i64) -> Finding {
    let left = not_after.saturating_sub(now);
    let bound = (not_after.saturating_sub(not_before) / 100 * CERTIFICATE_SHARE).min(CERTIFICATE_LEFT);
    if left <= 0 {
        return Finding::Broken("it has expired".to_owned());
    }
    if left >= bound {
        return Finding::Well;
    }
    Finding::Broken(match left / HOUR {
        hours @ 0..48 => format!("it expires in {hours} h and was not renewed"),
        hours => format!("it expires in {} days and was not renewed", hours / 24),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitoring::SlowQuery;

    fn is_well(finding: &Finding) -> bool {
        *finding == Finding::Well
    }

    #[test]
    fn a_process_that_ended_counts_as_up_again_once_it_stays() {
        let state = |health, restarts, since| ProcessState {
            service: "backend".into(),
            number: 1,
            health,
            pid: Some(1),
            since: Some(since),
            restarts,
            last_exit: "ended by SIGKILL".into(),
        };
        let running = |restarts, since| process(&state(InstanceHealth::Running, restarts, since), 1, 100_000);
        assert!(is_well(&running(1, 99_000)), "it was told of that restart");
        assert_eq!(running(2, 99_000), Finding::Broken("it ended by SIGKILL, and was started again".into()));
        assert!(is_well(&running(2, 60_000)));
        let exit = "exited with status 1".to_owned();
        let gone = process(&state(InstanceHealth::Restarting { exit }, 1, 0), 1, 100_000);
        assert_eq!(gone, Finding::Broken("it exited with status 1".into()));
    }

    #[test]
    fn figures_of_servers_are_held_against_their_own_bounds() {
        let postgres = PostgresFigures { connections: 84, max_connections: 100, ..PostgresFigures::default() };
        assert!(is_well(&connections(&postgres)));
        assert!(!is_well(&connections(&PostgresFigures { connections: 85, ..postgres.clone() })));
        assert!(
            is_well(&archive(&PostgresFigures { archive_failing: Some(1000), ..postgres.clone() })),
            "it does not archive"
        );
        let archives = PostgresFigures { archives: true, archive_failing: Some(299), ..postgres.clone() };
        assert!(is_well(&archive(&archives)));
        assert!(!is_well(&archive(&PostgresFigures { archive_failing: Some(300), ..archives.clone() })));
        assert!(!is_well(&archive(&PostgresFigures { waiting_segments: 64, ..archives })));
        assert!(!is_well(&bloat(&PostgresFigures { bloated: Some(("events".into(), 0.6)), ..postgres.clone() })));
        let slow = |seconds, runs| {
            slow_queries(&PostgresFigures {
                slowest: Some(SlowQuery { seconds, name: "7".into(), runs }),
                ..postgres.clone()
            })
        };
        assert!(is_well(&slow(59.0, true)) && is_well(&slow(1.9, false)));
        assert!(!is_well(&slow(60.0, true)) && !is_well(&slow(2.0, false)));
        let redis = RedisFigures {
            memory: 90,
            max_memory: 100,
            connections: 1,
            max_connections: 100,
            ..RedisFigures::default()
        };
        assert!(!is_well(&redis_memory(&redis)) && is_well(&redis_connections(&redis)));
        assert!(is_well(&redis_memory(&RedisFigures { max_memory: 0, ..redis })), "there is no bound");
    }

    #[test]
    fn a_large_disk_is_not_full_because_a_tenth_of_it_is_much() {
        let disk = |free: u64, size: u64| {
            disk(&MachineFigures { disk_free: free << 30, disk_size: size << 30, ..MachineFigures::default() })
        };
        assert!(is_well(&disk(50, 1000)) && is_well(&disk(2, 10)));
        assert!(!is_well(&disk(9, 100)) && !is_well(&disk(0, 3)));
        assert!(is_well(&super::disk(&MachineFigures::default())), "what cannot be read says nothing");
    }

    #[test]
    fn a_backup_may_be_half_of_its_interval_late_and_one_that_cannot_be_made_may_not() {
        let declared = spec::Backup {
            every: Duration::from_secs(6 * 3600),
            keep: None,
            point_in_time: false,
            to: None,
            smoke: None,
        };
        let age = |hours: i64| backup(&declared, None, 0, None, hours * HOUR);
        assert!(is_well(&age(9)));
        assert_eq!(age(10), Finding::Broken("there is none; there is to be one every 6 h".into()));
        assert!(!is_well(&backup(&declared, None, 0, Some("the disk is full"), 1)));
    }

    #[test]
    fn a_certificate_is_in_trouble_when_it_should_have_been_renewed() {
        const DAY: i64 = 24 * HOUR;
        let left = |life, left| certificate(0, life * DAY, (life - left) * DAY);
        assert!(is_well(&left(90, 14)) && !is_well(&left(90, 13)));
        assert!(is_well(&left(365, 14)) && is_well(&left(6, 1)), "short ones are renewed late");
        assert_eq!(certificate(0, DAY, 2 * DAY), Finding::Broken("it has expired".into()));
    }
}
