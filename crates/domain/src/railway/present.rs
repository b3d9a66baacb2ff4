//! What is there, as far as it is compared.

use std::collections::BTreeMap;

use super::{
    mark::{OWNER, Owner},
    settings::Settings,
};

/// A project, as a list of them says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// By what the API knows it.
    pub id: String,
    /// Its name, which others may have too.
    pub name: String,
    /// What is written beside it.
    pub description: String,
}

/// A project with one of its environments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The project.
    pub project: Listed,
    /// By what the API knows the environment.
    pub environment: String,
    /// Its services.
    pub services: Vec<PresentService>,
}

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentService {
    /// By what the API knows it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// OWNER/NAME of the repository that it is made of.
    pub repository: Option<String>,
    /// The image that it is made of.
    pub image: Option<String>,
    /// Settings that are not as usual.
    pub settings: Settings,
    /// Its own variables.
    pub variables: BTreeMap<String, PresentVariable>,
    /// Hosts of the team's own.
    pub hosts: Vec<Host>,
    /// What deploys it by itself.
    pub trigger: Option<Branch>,
    /// Its volumes.
    pub volumes: Vec<VolumeAt>,
}

/// A variable as it was written, with its references; nothing where nobody can read it.
pub type PresentVariable = Option<String>;

/// A host of the team's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// By what the API knows it.
    pub id: String,
    /// The host.
    pub host: String,
    /// The port that it leads to, where one is said.
    pub port: Option<u16>,
    /// What it has to be a CNAME for.
    pub target: Option<String>,
    /// The name of the TXT record that proves the right to it, and what that has to say.
    pub proof: Option<(String, String)>,
    /// Whether both were seen.
    pub verified: bool,
    /// Why there is no certificate, where that is said.
    pub trouble: Option<String>,
}

/// What deploys a service when a branch is pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branch {
    /// By what the API knows it.
    pub id: String,
    /// The branch.
    pub branch: String,
}

/// A volume of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeAt {
    /// By what the API knows the volume.
    pub id: String,
    /// By what the API knows it in the environment.
    pub instance: String,
    /// Backups that are made by themselves: `DAILY`, …
    pub schedule: Vec<String>,
}

impl PresentService {
    /// Whose it is; `None` where it is nobody's of ours.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        Owner::read(self.variables.get(OWNER)?.as_deref()?)
    }
}
