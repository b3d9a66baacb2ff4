//! What Railway remembers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    backups::{Backup, Pending, SIZE, USED},
    servers::Servers,
};
use crate::graphql::Refused;

/// When everything happens.
pub(super) const NOW: &str = "2026-11-01T12:00:00.000Z";

/// What it says of what is not there and of what is not allowed.
pub(super) const NOT_AUTHORIZED: &str = "Not Authorized";

pub(super) type Done<T> = Result<T, Refused>;

pub(super) fn not_authorized() -> Refused {
    Refused::new(NOT_AUTHORIZED)
}

/// Everything there.
#[derive(Default)]
pub struct World {
    /// Workspaces of the account, by id and name.
    pub workspaces: Vec<(String, String)>,
    /// Projects of all workspaces.
    pub projects: Vec<Project>,
    pub(super) workflows: BTreeMap<String, Workflow>,
    pub(super) pending: BTreeMap<String, Pending>,
    /// Why the plan has no copies of volumes, where it has none.
    pub refuses_backups: Option<String>,
    /// How many requests a workflow takes until it is complete.
    pub slow: u32,
    /// The deployment that is made next fails in this state.
    pub fails_in: Option<String>,
    pub(super) made: u64,
    pub(super) servers: Servers,
}

/// A project.
#[derive(Default)]
pub struct Project {
    /// By what the API knows it.
    pub id: String,
    /// Its name, which others may have too.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its workspace's id.
    pub workspace: String,
    /// Its environments, the oldest first.
    pub environments: Vec<Environment>,
    /// Its services.
    pub services: Vec<Service>,
    /// Tokens of its environments: id, name, environment, token.
    pub tokens: Vec<[String; 4]>,
}

/// A service of a project, in whichever environment.
#[derive(Debug, Clone)]
pub struct Service {
    /// By what the API knows it.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// An environment of a project.
#[derive(Default)]
pub struct Environment {
    /// By what the API knows it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Services as they are in it, by service.
    pub instances: BTreeMap<String, Instance>,
    /// Variables of all its services.
    pub shared: BTreeMap<String, Variable>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// What deploys by itself.
    pub triggers: Vec<Trigger>,
    /// Changes that wait for somebody to apply them.
    pub staged: Option<Value>,
}

/// A service in an environment. Settings are kept in the shape of `EnvironmentConfig`.
#[derive(Default)]
pub struct Instance {
    /// `repo`, `image`, `rootDirectory`.
    pub source: Map<String, Value>,
    /// `buildCommand`, …
    pub build: Map<String, Value>,
    /// `startCommand`, …
    pub deploy: Map<String, Value>,
    /// Its variables.
    pub variables: BTreeMap<String, Variable>,
    /// Hosts that are the team's own.
    pub domains: Vec<Domain>,
    /// Hosts of Railway's: id, host.
    pub railway_domains: Vec<(String, String)>,
    /// How it is reached from outside other than by HTTP.
    pub proxies: Vec<Proxy>,
    /// Its deployments, the oldest first.
    pub deployments: Vec<Deployment>,
    /// Since when its log is archived, RFC 3339.
    pub archived_since: Option<String>,
    /// The service whose data it begins with, and the moment of it.
    pub recovers: Option<(String, String)>,
}

/// A variable as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variable {
    /// With its references.
    pub value: String,
    /// Whether nobody can read it back.
    pub sealed: bool,
}

/// A volume in an environment.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// By what the API knows the volume.
    pub id: String,
    /// By what the API knows it in this environment.
    pub instance: String,
    /// The service that has it.
    pub service: String,
    /// Where.
    pub path: String,
    /// Backups that are made by themselves: `DAILY`, …
    pub schedule: Vec<String>,
    /// Copies of it, the oldest first.
    pub backups: Vec<Backup>,
    /// What it is given, in megabytes.
    pub size: u64,
    /// What is on it, in megabytes.
    pub used: u64,
}

/// What deploys a service when a branch is pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trigger {
    /// By what the API knows it.
    pub id: String,
    /// The service.
    pub service: String,
    /// OWNER/NAME
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// Whether it waits for what GitHub says of the commit.
    pub check_suites: bool,
}

/// A host of the team's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domain {
    /// By what the API knows it.
    pub id: String,
    /// The host.
    pub host: String,
    /// The port of the service that it leads to.
    pub port: Option<u64>,
    /// What it has to be a CNAME for.
    pub target: String,
    /// What the TXT record has to say.
    pub token: String,
    /// Whether both were seen.
    pub verified: bool,
}

/// A TCP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// By what the API knows it.
    pub id: String,
    /// The port of the service.
    pub application_port: u64,
    /// The port outside.
    pub port: u16,
}

/// A deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployment {
    /// By what the API knows it.
    pub id: String,
    /// `SUCCESS`, …
    pub status: String,
    /// The state that it fails in.
    pub fails_in: Option<String>,
    /// What was deployed.
    pub commit: Option<String>,
    /// The deployment whose image it runs, where nothing is built.
    pub image_of: Option<String>,
    /// When it was asked for, RFC 3339.
    pub created: String,
}

/// Something that takes its time.
pub(super) struct Workflow {
    pub(super) left: u32,
    pub(super) project: String,
    pub(super) environment: String,
    /// A template's services, until they are made.
    pub(super) config: Value,
}

impl World {
    pub(super) fn id(&mut self) -> String {
        self.made += 1;
        format!("{:08x}-5a1e-4000-8000-{:012x}", self.made * 0x9e37, self.made)
    }

    pub(super) fn project(&mut self, id: &str) -> Done<&mut Project> {
        self.projects.iter_mut().find(|p| p.id == id).ok_or_else(not_authorized)
    }

    pub(super) fn project_of_environment(&mut self, id: &str) -> Done<&mut Project> {
        let is = |p: &&mut Project| p.environments.iter().any(|e| e.id == id);
        self.projects.iter_mut().find(is).ok_or_else(not_authorized)
    }

    pub(super) fn project_of_service(&mut self, id: &str) -> Done<&mut Project> {
        let is = |p: &&mut Project| p.services.iter().any(|s| s.id == id);
        self.projects.iter_mut().find(is).ok_or_else(not_authorized)
    }

    pub(super) fn environment(&mut self, id: &str) -> Done<&mut Environment> {
        self.environments().find(|e| e.id == id).ok_or_else(not_authorized)
    }

    pub(super) fn environments(&mut self) -> impl Iterator<Item = &mut Environment> {
        self.projects.iter_mut().flat_map(|p| &mut p.environments)
    }

    pub(super) fn instance(&mut self, environment: &str, service: &str) -> Done<&mut Instance> {
        self.environment(environment)?.instances.get_mut(service).ok_or_else(not_authorized)
    }

    pub(super) fn volume(&mut self, instance: &str) -> Done<&mut Volume> {
        let mut volumes = self.environments().flat_map(|e| &mut e.volumes);
        volumes.find(|v| v.instance == instance).ok_or_else(not_authorized)
    }

    /// A service in one environment and, as an empty one, in those that are no forks: in all.
    pub(super) fn create_service(&mut self, project: &str, name: Option<&str>) -> Done<String> {
        let id = self.id();
        let made = self.made;
        let project = self.project(project)?;
        let name = name.map_or_else(|| format!("service-{made}"), str::to_owned);
        project.services.push(Service { id: id.clone(), name });
        for environment in &mut project.environments {
            environment.instances.insert(id.clone(), Instance::default());
        }
        Ok(id)
    }

    /// A volume of a service.
    pub(super) fn create_volume(&mut self, environment: &str, service: &str, path: &str) -> Done<String> {
        let (id, instance) = (self.id(), self.id());
        let (service, path) = (service.into(), path.into());
        let volume = Volume { id: id.clone(), instance, service, path, size: SIZE, used: USED, ..Volume::default() };
        self.environment(environment)?.volumes.push(volume);
        Ok(id)
    }

    /// What time does: workflows come to their end, deployments get on.
    pub(super) fn tick(&mut self) {
        let due: Vec<String> = self.workflows.iter().filter(|(_, w)| w.left == 1).map(|(id, _)| id.clone()).collect();
        for workflow in self.workflows.values_mut() {
            workflow.left = workflow.left.saturating_sub(1);
        }
        for id in due {
            match self.pending.remove(&id) {
                Some(pending) => self.come_true(pending),
                None => self.finish(&id),
            }
        }
        for environment in self.environments() {
            environment.instances.values_mut().for_each(Instance::advance);
        }
        self.end_servers();
    }
}

/// Now, as the API tells moments.
pub(super) fn moment() -> String {
    jiff::Timestamp::now().to_string()
}
