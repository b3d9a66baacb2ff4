//! What is remembered of an environment between two commands: enough to route to it, to supervise it and to say what it
//! runs, without looking at the declaration again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{BuildId, DeploymentId},
    plan::Component,
    spec::{Backup, Kind, Monitoring, Policy, ServiceName, Url},
};

/// A service as it was last put into its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// The facts that it was made from; compared with the declaration by [`crate::plan::plan`].
    pub made_from: Component,
    /// What realises it.
    pub real: Real,
    /// Where it is reached.
    pub urls: Vec<Url>,
    /// When it was last replaced, in milliseconds since the Unix epoch.
    pub since: i64,
}

/// What realises a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Real {
    /// A PostgreSQL or Redis: always instance 1.
    Server,
    /// Processes.
    App {
        /// The build that they run.
        build: BuildId,
        /// Its commit.
        commit: Option<Commit>,
        /// The instances that serve.
        serving: Vec<Instance>,
        /// Instances that were replaced and still finish their requests. What is in neither list is a stray, left by a
        /// start that was interrupted, and is stopped.
        retiring: Vec<Instance>,
    },
    /// A job that runs when its schedule says so.
    Job {
        /// The build that it runs.
        build: BuildId,
        /// Its commit.
        commit: Option<Commit>,
        /// Its cron expression.
        schedule: String,
    },
    /// Files.
    Site {
        /// The build that they were rendered from.
        build: BuildId,
        /// Its commit.
        commit: Option<Commit>,
        /// The rendered folder.
        folder: PathBuf,
        /// Whether unknown paths answer `index.html`.
        single_page: bool,
    },
}

/// One copy of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its number within the service.
    pub number: u32,
    /// Where it listens on loopback; `None` for workers.
    pub port: Option<u16>,
}

/// The commit that something was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Its author's e-mail address.
    #[serde(default)]
    pub author: String,
    /// Branch or tag that led to it.
    pub from: String,
}

/// An environment as it was last brought up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentRecord {
    /// Its kind when it was made; a production environment does not become another kind by editing a file.
    pub kind: Kind,
    /// Whether it should run.
    pub wanted: Wanted,
    /// Whether the seed ran since its database was made.
    pub seeded: bool,
    /// The deployment that serves.
    #[serde(default)]
    pub live: Option<DeploymentId>,
    /// What the next deployment has to satisfy: as the last `up` or the release that serves declared it, so that a change
    /// cannot loosen the rules that it is judged by.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// How it is backed up, as the last `up` declared it.
    #[serde(default)]
    pub backup: Option<Backup>,
    /// How it is watched, as the last `up` or the release that serves declared it.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// When `up` last finished without a failure, in milliseconds since the Unix epoch.
    pub up_since: Option<i64>,
    /// Its services, servers first.
    pub services: Vec<ServiceRecord>,
}

/// Whether something should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Kept running.
    Running,
    /// Stopped by a person; data is kept.
    Stopped,
}

impl Commit {
    /// The first digits of its hash, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.id.get(..7).unwrap_or(&self.id)
    }
}

impl Real {
    /// The build that it runs and its commit; `None` for servers.
    #[must_use]
    pub fn build(&self) -> Option<(&BuildId, Option<&Commit>)> {
        match self {
            Self::App { build, commit, .. } | Self::Site { build, commit, .. } | Self::Job { build, commit, .. } => {
                Some((build, commit.as_ref()))
            }
            Self::Server => None,
        }
    }
}

impl EnvironmentRecord {
    /// An environment of which nothing exists yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            wanted: Wanted::Running,
            seeded: false,
            live: None,
            policy: None,
            backup: None,
            monitoring: Monitoring::default(),
            up_since: None,
            services: Vec::new(),
        }
    }

    /// The record of one service.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceRecord> {
        self.services.iter().find(|s| s.made_from.service == *name)
    }

    /// Puts a service in, or in the place of its earlier record.
    pub fn put(&mut self, record: ServiceRecord) {
        match self.services.iter_mut().find(|s| s.made_from.service == record.made_from.service) {
            Some(place) => *place = record,
            None => self.services.push(record),
        }
    }

    /// Every instance number of an app that may have a process.
    #[must_use]
    pub fn instances(&self, name: &ServiceName) -> Vec<Instance> {
        match self.service(name).map(|s| &s.real) {
            Some(Real::App { serving, retiring, .. }) => serving.iter().chain(retiring).copied().collect(),
            _ => Vec::new(),
        }
    }
}
