//! What is looked at, and what of it explains what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::MonitoringLevel;

/// A kind of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The proxy answers where it listens.
    Proxy,
    /// A declared URL answers through the proxy, as its service should.
    Http,
    /// An instance takes connections on its port.
    Tcp,
    /// A process stays up.
    Process,
    /// PostgreSQL answers a query.
    Postgres,
    /// Redis answers.
    Redis,
    /// A URL answers in time.
    Latency,
    /// PostgreSQL has connections left.
    Connections,
    /// The log of PostgreSQL gets into its archive.
    Archive,
    /// Tables do not consist of dead rows.
    Bloat,
    /// No query runs, or usually takes, too long.
    SlowQueries,
    /// Redis has memory left.
    RedisMemory,
    /// Redis has connections left.
    RedisConnections,
    /// Deployments get through the queue.
    Queue,
    /// The machine's disk has room.
    Disk,
    /// There is a backup that is young enough.
    Backup,
    /// A certificate holds for a while.
    Certificate,
    /// Public names lead somewhere.
    Dns,
}

impl What {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Proxy,
        Self::Http,
        Self::Tcp,
        Self::Process,
        Self::Postgres,
        Self::Redis,
        Self::Latency,
        Self::Connections,
        Self::Archive,
        Self::Bloat,
        Self::SlowQueries,
        Self::RedisMemory,
        Self::RedisConnections,
        Self::Queue,
        Self::Disk,
        Self::Backup,
        Self::Certificate,
        Self::Dns,
    ];

    /// Its name on screens, in the store and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Process => "process",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Latency => "latency",
            Self::Connections => "connections",
            Self::Archive => "archive",
            Self::Bloat => "bloat",
            Self::SlowQueries => "slow-queries",
            Self::RedisMemory => "redis-memory",
            Self::RedisConnections => "redis-connections",
            Self::Queue => "queue",
            Self::Disk => "disk",
            Self::Backup => "backup",
            Self::Certificate => "certificate",
            Self::Dns => "dns",
        }
    }

    /// The least level at which it is looked at: whether something answers is basic, how well it does is not.
    #[must_use]
    pub fn level(self) -> MonitoringLevel {
        match self {
            Self::Proxy | Self::Http | Self::Tcp | Self::Process | Self::Postgres | Self::Redis => {
                MonitoringLevel::Basic
            }
            _ => MonitoringLevel::Full,
        }
    }

    /// Whether it is looked at by a level.
    #[must_use]
    pub fn is_of(self, level: MonitoringLevel) -> bool {
        self.level() <= level
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One check of an environment, the same from look to look.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Check {
    /// Its kind.
    pub what: What,
    /// The service that it is about, or what stands for it: `backend`, `proxy`, `machine`.
    pub service: String,
    /// Which one of the service's, where there are several: a URL, an instance.
    pub target: String,
}

impl Check {
    /// A check of a service as a whole.
    #[must_use]
    pub fn of(what: What, service: impl Into<String>) -> Self {
        Self { what, service: service.into(), target: String::new() }
    }

    /// A check of one of a service's places.
    #[must_use]
    pub fn at(what: What, service: impl Into<String>, target: impl Into<String>) -> Self {
        Self { what, service: service.into(), target: target.into() }
    }

    /// What tells it from the environment's other checks, on one line.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {} {}", self.what, self.service, self.target)
    }

    /// Whether that this one fails is a consequence of the other's failing, so that it needs no alert of its own: without the
    /// proxy no URL answers, and an app whose database is gone says that it is not well.
    #[must_use]
    pub fn is_explained_by(&self, other: &Self) -> bool {
        let same = self.service == other.service;
        match (self.what, other.what) {
            (What::Http | What::Latency, What::Proxy) => true,
            (What::Http | What::Latency | What::Tcp, What::Postgres | What::Redis) => !same,
            // A process that ended takes along what it listened on; that of a server has its own name.
            (What::Http | What::Tcp | What::Latency | What::Postgres | What::Redis | What::Proxy, What::Process) => {
                same || (self.what == What::Http && matches!(other.service.as_str(), "postgres" | "redis"))
            }
            (What::Latency, What::Http) => same,
            (What::Tcp, What::Http) => same,
            (What::Connections | What::Archive | What::Bloat | What::SlowQueries, What::Postgres) => true,
            (What::RedisMemory | What::RedisConnections, What::Redis) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_looks_at_what_the_one_below_does_and_none_at_nothing() {
        for what in What::ALL {
            assert!(!what.is_of(MonitoringLevel::None), "{what}");
            assert!(what.is_of(MonitoringLevel::Full), "{what}");
        }
        let basic: Vec<What> = What::ALL.into_iter().filter(|w| w.is_of(MonitoringLevel::Basic)).collect();
        assert_eq!(basic, [What::Proxy, What::Http, What::Tcp, What::Process, What::Postgres, What::Redis]);
    }

    #[test]
    fn no_two_checks_explain_each_other() {
        let services = ["backend", "postgres", "redis", "proxy"];
        let all: Vec<Check> =
            What::ALL.into_iter().flat_map(|what| services.map(|service| Check::of(what, service))).collect();
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            assert!(!(a.is_explained_by(b) && b.is_explained_by(a)), "{} and {}", a.key(), b.key());
        }
    }

    #[test]
    fn a_server_that_is_gone_explains_its_apps_and_not_the_other_way_round() {
        let (app, database) = (Check::at(What::Http, "backend", "/"), Check::of(What::Postgres, "postgres"));
        assert!(app.is_explained_by(&database) && !database.is_explained_by(&app));
        assert!(app.is_explained_by(&Check::of(What::Process, "backend")));
        assert!(!app.is_explained_by(&Check::of(What::Process, "worker")));
    }
}
