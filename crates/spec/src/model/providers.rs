//! The same picture at services elsewhere, as one environment has it. A `token` is the name of a value in ambit.secrets
//! that no process is given.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::name::ServiceName;

/// The services elsewhere that a project uses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Providers {
    /// The machine that Ambit itself runs on, as the world reaches it.
    pub host: Option<Host>,
    /// Backends and their servers at Railway.
    pub railway: Option<Railway>,
    /// An existing cluster.
    pub kubernetes: Option<Kubernetes>,
    /// DNS.
    pub cloudflare: Option<Cloudflare>,
    /// Where the code is, and its workflows.
    pub github: Option<GitHub>,
    /// Builds of the mobile app.
    pub expo: Option<Expo>,
    /// Errors of apps.
    pub sentry: Option<Sentry>,
    /// Whether public URLs answer, asked from outside.
    pub uptimerobot: Option<UptimeRobot>,
}

/// The machine that Ambit itself runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// What DNS records of its services point to: an IP address or a host name.
    pub address: Option<String>,
}

/// Part of an environment at Railway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Railway {
    /// The project there.
    pub project: Option<String>,
    /// The services there, by their name here. Services that are not named stay on the host.
    pub services: IndexMap<ServiceName, String>,
    /// The size that is paid for.
    pub plan: Option<String>,
    /// What DNS records of its services point to.
    pub address: Option<String>,
    /// Name of its token.
    pub token: String,
}

/// An existing cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubernetes {
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
}

/// DNS: records derive from the URLs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cloudflare {
    /// The zone; `None` is the domain.
    pub zone: Option<String>,
    /// The services that are reached through its proxy; `None` is the sites.
    pub proxied: Option<Vec<ServiceName>>,
    /// Name of its token.
    pub token: String,
}

/// Where the code is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GitHub {
    /// `OWNER/NAME`.
    pub repository: String,
    /// How branches are changed.
    pub protect: IndexMap<String, Protection>,
    /// Name of its token.
    pub token: String,
}

/// How a branch is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// By a pull request that somebody else has approved.
    Review,
    /// By a pull request.
    PullRequest,
    /// By a push.
    Open,
}

/// Builds of the mobile app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expo {
    /// The account or organisation.
    pub account: Option<String>,
    /// The project there; `None` is the project's name.
    pub slug: Option<String>,
    /// Name of its token.
    pub token: String,
}

/// Errors of apps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sentry {
    /// The organisation.
    pub organization: Option<String>,
    /// The project there.
    pub project: Option<String>,
    /// Share of requests that are traced.
    pub traces: Option<f64>,
    /// Name of its token.
    pub token: String,
}

/// Whether public URLs answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UptimeRobot {
    /// Time between two checks.
    pub every: Duration,
    /// Name of its token.
    pub token: String,
}
