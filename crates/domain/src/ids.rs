//! What things are called, as types.

use std::fmt;

use ambit_spec::{EnvironmentName, ProjectName, ServiceName};
use serde::{Deserialize, Serialize};

/// An environment of a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnvironmentId {
    /// The project.
    pub project: ProjectName,
    /// The environment's name in it.
    pub environment: EnvironmentName,
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.environment)
    }
}

impl EnvironmentId {
    /// Where a project's tests find servers of their own. People's environments cannot have this name.
    #[must_use]
    pub fn of_tests(project: &ProjectName) -> Self {
        let environment = "ambit-tests".parse().expect("`ambit-tests` is a valid name");
        Self { project: project.clone(), environment }
    }
}

/// One running copy of a service: what a keeper holds. Written `backend.2`; numbers are not used again within an
/// environment while the instance that had them still stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId {
    /// The environment it runs in.
    pub environment: EnvironmentId,
    /// The service it is a copy of.
    pub service: ServiceName,
    /// Which of the copies, from 1.
    pub number: u32,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.environment, self.service, self.number)
    }
}

/// An immutable build of one service: the hash of its source tree and of the recipe it was built by, as 40 lower-case
/// hex digits. A [`ReleaseId`] stands for the builds of all services together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BuildId(pub String);

impl BuildId {
    /// The first digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is deployed and promoted: one source tree with the builds of its services, as 40 lower-case hex digits. The same
/// tree built by the same recipes is the same release, whichever commit or tag it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReleaseId(pub String);

impl ReleaseId {
    /// The first digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The number of a deployment, counted over all projects of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeploymentId(pub u64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
