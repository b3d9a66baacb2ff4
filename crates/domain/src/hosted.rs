//! An environment that lives at a service elsewhere, as deployments see it: the service builds, starts and replaces by itself, and
//! is asked how that goes.

mod data;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::data::{HostedData, HostedVolume, ListedCopy};
use crate::{Failure, relocation::Login, spec::ServiceName};

/// Where a deployment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// This machine.
    Host,
    /// Railway.
    Railway,
}

/// What the other side calls the parts of one deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedWork {
    /// Its deployment of each app, once it was asked for.
    pub services: BTreeMap<ServiceName, String>,
}

/// How a deployment stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostedState {
    /// It is built or started, in the service's word.
    UnderWay(String),
    /// It serves.
    Serves,
    /// It is over and does not serve, in the service's word.
    Over(String),
}

/// One service there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedService {
    /// What it is called there.
    pub name: String,
    /// How its newest deployment stands, in the service's word.
    pub state: String,
    /// Whether it serves.
    pub healthy: bool,
    /// The commit that it was built from, where it was.
    pub commit: Option<String>,
    /// When that was asked for, RFC 3339.
    pub since: Option<String>,
    /// Where it is reached.
    pub urls: Vec<String>,
}

/// A line of a log there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostedLine {
    /// RFC 3339.
    pub at: String,
    /// The service there.
    pub service: String,
    /// The line; hostile input.
    pub text: String,
}

/// What ran of an environment before it was stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The deployment of each app, by its name in the declaration.
    pub deployments: BTreeMap<ServiceName, String>,
    /// What deployed an app by itself: repository and branch.
    pub triggers: BTreeMap<ServiceName, (String, String)>,
    /// What was built, where all of it was built from one commit.
    pub commit: Option<String>,
}

/// How the servers of an environment are reached.
#[derive(Clone, Default)]
pub struct Reached {
    /// Its PostgreSQL, where it has one.
    pub postgres: Option<Login>,
    /// Its Redis, where it has one.
    pub redis: Option<Login>,
}

/// An environment at a service elsewhere. Every method may be called again after a crash at any point.
#[async_trait]
pub trait Hosted: Send + Sync {
    /// `Railway (kaia-dev)`
    fn describe(&self) -> String;

    /// Copies the data under a name; `None` where there is none. A copy of that name that is there already is that copy.
    async fn copy_data(&self, name: &str) -> Result<Option<String>, Failure>;

    /// When the newest copy of its data was made, in milliseconds since the Unix epoch; `None` where there is none.
    async fn newest_copy(&self) -> Result<Option<i64>, Failure>;

    /// Asks for a deployment of a commit of an app, and tells what it is called. One of that commit that was asked for since that
    /// moment (milliseconds since the Unix epoch) is that one.
    async fn deploy(&self, app: &ServiceName, commit: &str, since: i64) -> Result<String, Failure>;

    /// How one stands.
    async fn state(&self, deployment: &str) -> Result<HostedState, Failure>;

    /// The last lines of what it said while it was built or ran, for whoever wants to know why it is over.
    async fn last_words(&self, deployment: &str) -> Result<Vec<String>, Failure>;

    /// Makes an earlier deployment of an app serve again, without a build where the service still has it, and tells what that is called.
    async fn go_back(&self, app: &ServiceName, deployment: &str, since: i64) -> Result<String, Failure>;

    /// What runs of its apps.
    async fn running(&self) -> Result<Stopped, Failure>;

    /// Ends what ran, and everything newer; nothing deploys its apps by itself any more.
    async fn stop(&self, running: &Stopped) -> Result<(), Failure>;

    /// Asks for what was stopped, without a build where the service still has it, and tells what each is called.
    async fn start_again(&self, stopped: &Stopped, since: i64) -> Result<BTreeMap<ServiceName, String>, Failure>;

    /// The names that its servers are declared to have there.
    fn declared(&self) -> BTreeSet<String>;

    /// The names of its servers there.
    async fn servers(&self) -> Result<BTreeSet<String>, Failure>;

    /// The names of servers that are not reached from outside.
    async fn closed(&self) -> Result<BTreeSet<String>, Failure>;

    /// How its servers are reached from outside; those that are not are made so.
    async fn reach(&self) -> Result<Reached, Failure>;

    /// Servers of these names are not reached from outside any more.
    async fn close(&self, servers: &BTreeSet<String>) -> Result<(), Failure>;

    /// The value that a variable has in the apps there.
    async fn value(&self, variable: &str) -> Result<Option<String>, Failure>;

    /// What is there.
    async fn services(&self) -> Result<Vec<HostedService>, Failure>;

    /// The newest lines of what services printed; of all where none is named.
    async fn logs(&self, services: &[String], lines: usize) -> Result<Vec<HostedLine>, Failure>;
}
