//! What is promoted: one tree, tested and built once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    ids::{BuildId, EnvironmentId, ReleaseId},
    record::Commit,
    spec::{ProjectName, ServiceName},
};

/// A tree with the builds of its services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// The project.
    pub project: ProjectName,
    /// The commit that it was first made from; others may have the same tree.
    pub commit: Option<Commit>,
    /// The build of each service.
    pub builds: BTreeMap<ServiceName, BuildId>,
    /// What the tests of each service showed; a service without tests is absent.
    pub tests: BTreeMap<ServiceName, TestResult>,
    /// Its migrations.
    pub migrations: Vec<Migration>,
    /// What its builds take on disk, in bytes.
    pub size: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
}

/// Tests that passed; a release whose tests fail is never made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// The command.
    pub command: String,
    /// How many passed, where its output says so in a known form.
    pub passed: Option<u64>,
    /// When they ended, in milliseconds since the Unix epoch.
    pub at: i64,
    /// How long they took, in milliseconds.
    pub millis: u64,
}

/// A migration file in a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Migration {
    /// The service that it belongs to.
    pub service: ServiceName,
    /// Its path within the service.
    pub path: String,
    /// A digest of its content.
    pub digest: String,
    /// What in it cannot be taken back by code alone: `drops the table users`.
    pub irreversible: Vec<String>,
}

/// The migrations of `new` that `old` does not have.
#[must_use]
pub fn pending_migrations<'a>(new: &'a Release, old: Option<&Release>) -> Vec<&'a Migration> {
    new.migrations.iter().filter(|m| old.is_none_or(|old| !old.migrations.contains(m))).collect()
}

/// What a person of QA said of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QaVerdict {
    /// The environment in which it was tried.
    pub environment: EnvironmentId,
    /// The release.
    pub release: ReleaseId,
    /// Who.
    pub actor: Actor,
    /// Yes or no.
    pub yes: bool,
    /// In their words.
    pub comment: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// A copy of an environment's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// Its name: `41` for the one that deployment 41 made, otherwise a time.
    pub name: String,
    /// Whose data it is.
    pub environment: EnvironmentId,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What it takes on disk, in bytes.
    pub size: u64,
}
