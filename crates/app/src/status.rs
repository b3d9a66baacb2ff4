//! `status`: what runs, at a glance. Reads records only and asks nobody but the proxy for its figures, so that it answers
//! at once and also beside a daemon that is gone.

use ambit_domain::{
    Commit, EnvironmentId, EnvironmentRecord, Failure, Real, Wanted,
    monitoring::Alert,
    provider::{InstanceHealth, InstanceStatus},
    spec::{EnvironmentName, Kind, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    address::Address,
    ambit::{Ambit, store_failure},
    backup::BackupStatus,
};

/// A project on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The project.
    pub project: ProjectName,
    /// Whether the proxy answers.
    pub proxy: bool,
    /// What it means that the disk is full, where it is.
    pub full_disk: Option<String>,
    /// Moves that are under way.
    #[serde(default)]
    pub moves: Vec<String>,
    /// Its environments, in the order that is asked for, then by name.
    pub environments: Vec<EnvironmentStatus>,
}

/// One environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvironmentStatus {
    /// Its name.
    pub environment: EnvironmentName,
    /// Its kind.
    pub kind: Kind,
    /// Whether it should run.
    pub wanted: Wanted,
    /// When it came up, in milliseconds since the Unix epoch.
    pub up_since: Option<i64>,
    /// Its services.
    pub services: Vec<ServiceStatus>,
    /// How its backups stand, where it declares some.
    pub backup: Option<BackupStatus>,
    /// What monitoring found wrong and is not over, the newest first.
    pub alerts: Vec<Alert>,
}

/// One service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// Whether it does what it should.
    pub healthy: bool,
    /// What is wrong, where something is.
    pub trouble: Option<String>,
    /// The short id of its build, or the version of the server.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<Commit>,
    /// Instances that run, and that should run; `None` for sites.
    pub instances: Option<(usize, usize)>,
    /// Requests that the proxy has carried to it since the proxy started.
    pub requests: Option<u64>,
    /// 95th percentile of the answer time in milliseconds.
    pub p95_ms: Option<f64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
    /// How often its processes ended and were started again.
    pub restarts: u32,
    /// When it was last replaced, in milliseconds since the Unix epoch.
    pub since: i64,
    /// Where it is reached on this machine.
    pub urls: Vec<String>,
    /// Loopback ports that it listens on.
    pub ports: Vec<u16>,
    /// Why its limits are not enforced, where some are declared and are not.
    pub limits_note: Option<String>,
}

impl EnvironmentStatus {
    /// Whether everything in it does what it should.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.services.iter().all(|s| s.healthy)
    }
}

impl Ambit {
    /// How the environments of a project stand.
    pub async fn status(&self, project: &ProjectName) -> Result<Status, Failure> {
        let figures = ambit_proxy::client::figures(&self.home.proxy()).await.ok();
        let address = self.address()?;
        let mut environments = self
            .store
            .environments()
            .map_err(|e| store_failure(&e))?
            .into_iter()
            .filter(|(id, _)| id.project == *project)
            .map(|(id, record)| self.environment_status(&id, record, figures.as_ref(), address))
            .collect::<Result<Vec<_>, Failure>>()?;
        environments.sort_by_key(|e| e.kind as u8);
        let moves = self.moves_of(project)?;
        let (project, proxy) = (project.clone(), figures.is_some());
        Ok(Status { project, proxy, full_disk: self.full_disk(), moves, environments })
    }

    fn environment_status(
        &self,
        id: &EnvironmentId,
        record: EnvironmentRecord,
        figures: Option<&ambit_proxy::figures::Figures>,
        address: Address,
    ) -> Result<EnvironmentStatus, Failure> {
        let running = self.provider.instances(id);
        let mut services = Vec::new();
        for service in &record.services {
            let name = service.made_from.service.as_str();
            let mine: Vec<&InstanceStatus> = running.iter().filter(|i| i.service == name).collect();
            let up = |number: u32| mine.iter().any(|i| i.number == number && i.health == InstanceHealth::Running);
            let (instances, version, commit, ports) = match &service.real {
                Real::App { serving, build, commit, .. } => (
                    Some((serving.iter().filter(|i| up(i.number)).count(), serving.len())),
                    Some(build.short().to_owned()),
                    commit.clone(),
                    serving.iter().filter_map(|i| i.port).collect(),
                ),
                Real::Site { build, commit, .. } | Real::Job { build, commit, .. } => {
                    (None, Some(build.short().to_owned()), commit.clone(), Vec::new())
                }
                Real::Server => {
                    let port = self.store.port(&format!("{id}/{name}")).map_err(|e| store_failure(&e))?;
                    (
                        Some((usize::from(up(1)), 1)),
                        self.host.server_version(id, name),
                        None,
                        port.into_iter().collect(),
                    )
                }
            };
            let trouble = if record.wanted == Wanted::Stopped {
                None
            } else {
                trouble(&mine, instances).or_else(|| {
                    (!service.urls.is_empty() && figures.is_none()).then(|| "the proxy does not answer".to_owned())
                })
            };
            let route = figures.and_then(|f| f.route(&format!("{id}/{name}")));
            services.push(ServiceStatus {
                service: name.to_owned(),
                healthy: trouble.is_none() && record.wanted == Wanted::Running,
                trouble,
                version,
                commit,
                instances,
                requests: route.map(|r| r.requests),
                p95_ms: route.filter(|r| r.requests > 0).map(|r| r.p95_ms),
                memory: (!mine.is_empty()).then(|| mine.iter().map(|i| i.memory).sum()),
                restarts: mine.iter().map(|i| i.restarts).sum(),
                since: service.since,
                urls: service.urls.iter().map(|u| address.url(u)).collect(),
                ports,
                limits_note: mine.iter().find_map(|i| i.limits_note.clone()),
            });
        }
        Ok(EnvironmentStatus {
            backup: self.backup_status(id, &record)?,
            alerts: self.alerts(&id.project, Some(&id.environment), false, usize::MAX)?,
            environment: id.environment.clone(),
            kind: record.kind,
            wanted: record.wanted,
            up_since: record.up_since,
            services,
        })
    }
}

fn trouble(mine: &[&InstanceStatus], instances: Option<(usize, usize)>) -> Option<String> {
    let (up, wanted) = instances?;
    if up == wanted {
        return None;
    }
    let exit = mine.iter().find_map(|i| match &i.health {
        InstanceHealth::Restarting { exit } => Some(format!("{exit}, restarted {} times", i.restarts)),
        _ => None,
    });
    Some(exit.unwrap_or_else(|| "not running".to_owned()))
}
