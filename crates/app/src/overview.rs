//! The pipeline at a glance: what each environment runs, what waits there, and what the one before it has that it has not.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
};

use ambit_domain::{
    Deployment, EnvironmentId, Failure,
    access::Caller,
    gates::GateResult,
    release::pending_migrations,
    spec::{EnvironmentName, ProjectName},
};
use ambit_source::git::Repository;
use serde::Serialize;

use crate::{
    AuditFilter,
    ambit::{Ambit, store_failure},
    approve::is_among,
    code::source_failure,
    status::{EnvironmentStatus, Status},
};

/// So many of the newest deployments are looked at.
const DEPLOYMENTS: usize = 30;

/// A project's environments in the order in which a change goes through them.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The project.
    pub project: ProjectName,
    /// Whether the proxy answers.
    pub proxy: bool,
    /// What it means that the disk is full, where it is.
    pub full_disk: Option<String>,
    /// Its environments.
    pub lanes: Vec<Lane>,
}

/// One environment.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    /// How it stands.
    pub status: EnvironmentStatus,
    /// The deployment that serves.
    pub live: Option<Deployment>,
    /// Deployments to which something still happens, the oldest first.
    pub open: Vec<Open>,
    /// The newest deployment that came to nothing after what serves.
    pub failed: Option<Deployment>,
    /// What the environment before it has.
    pub ahead: Option<Ahead>,
}

/// A deployment that is not over.
#[derive(Debug, Clone, Serialize)]
pub struct Open {
    /// The deployment.
    pub deployment: Deployment,
    /// The checklist as it stands, where an approval is waited for.
    pub gates: Vec<GateResult>,
    /// Who may say yes.
    pub approvers: Vec<String>,
}

/// What one environment has that the next has not.
#[derive(Debug, Clone, Serialize)]
pub struct Ahead {
    /// The environment before.
    pub from: EnvironmentName,
    /// Its version.
    pub version: String,
    /// Whether both run the same release.
    pub same: bool,
    /// Commits, the newest first: hash and subject.
    pub commits: Vec<(String, String)>,
    /// How many migrations would run.
    pub migrations: usize,
}

impl Open {
    /// Whether somebody is among those who may say yes.
    #[must_use]
    pub fn asks(&self, caller: &Caller) -> bool {
        is_among(&self.approvers, &caller.actor())
    }
}

impl Ambit {
    /// The pipeline of a project.
    pub async fn overview(&self, project: &ProjectName) -> Result<Overview, Failure> {
        let Status { project, proxy, full_disk, environments, moves: _ } = self.status(project).await?;
        let unfinished = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let mut lanes: Vec<Lane> = Vec::new();
        for status in environments {
            let id = EnvironmentId { project: project.clone(), environment: status.environment.clone() };
            let live = self.live_deployment(&id)?;
            let mut open = Vec::new();
            for deployment in unfinished.iter().filter(|d| d.environment == id) {
                open.push(self.opened(deployment).await);
            }
            let newest = self.store.deployments(&project, Some(&id), 1).map_err(|e| store_failure(&e))?.pop();
            let since = live.as_ref().map_or(0, |live| live.number.0);
            let failed = newest.filter(|d| d.failure.is_some() && d.state.is_final() && d.number.0 >= since);
            let before = lanes.last().and_then(|lane| Some((&lane.status.environment, lane.live.as_ref()?)));
            let ahead = before.and_then(|(name, before)| self.ahead(name, before, live.as_ref()));
            lanes.push(Lane { status, live, open, failed, ahead });
        }
        Ok(Overview { project, proxy, full_disk, lanes })
    }

    /// A deployment that is not over, with what a person needs to decide on it.
    pub async fn opened(&self, deployment: &Deployment) -> Open {
        let waits = deployment.state == ambit_domain::DeploymentState::Waiting;
        let gates = if waits {
            self.look_at_gates(deployment).await.unwrap_or_else(|failure| {
                tracing::warn!(causes = ?failure.causes, "the gates cannot be looked at: {failure}");
                deployment.gates.clone()
            })
        } else {
            deployment.gates.clone()
        };
        Open { deployment: deployment.clone(), gates, approvers: self.approvers_of(deployment) }
    }

    fn ahead(&self, from: &EnvironmentName, before: &Deployment, live: Option<&Deployment>) -> Option<Ahead> {
        // What was never committed cannot be promoted.
        let commit = before.commit.as_ref()?;
        let project = &before.environment.project;
        let same = before.release.is_some() && before.release.as_ref() == live.and_then(|d| d.release.as_ref());
        let release = |of: Option<&Deployment>| {
            let id = of?.release.as_ref()?;
            self.store.release(project, id).ok().flatten()
        };
        let migrations = release(Some(before)).map_or(0, |new| pending_migrations(&new, release(live).as_ref()).len());
        let base = live.and_then(|d| d.commit.as_ref());
        let commits = match base {
            Some(base) if !same => self.commits_between(project, &base.id, &commit.id).unwrap_or_default(),
            _ => Vec::new(),
        };
        Some(Ahead { from: from.clone(), version: before.version.clone(), same, commits, migrations })
    }

    fn commits_between(&self, project: &ProjectName, from: &str, to: &str) -> Result<Vec<(String, String)>, Failure> {
        let repository = Repository::at(self.home.repository(project), PathBuf::new());
        let changes = repository.changes(Some(from), to).map_err(|e| source_failure(&e))?;
        Ok(changes.into_iter().map(|c| (c.id.chars().take(7).collect(), c.subject)).collect())
    }

    /// A number that is another one whenever something of a project changed that faces show, but for figures that change all
    /// the time.
    pub fn pulse(&self, project: &ProjectName) -> Result<u64, Failure> {
        let mut hash = DefaultHasher::new();
        for (id, record) in self.store.environments().map_err(|e| store_failure(&e))? {
            if id.project != *project {
                continue;
            }
            (record.live.map(|number| number.0), record.up_since, record.services.len()).hash(&mut hash);
            for instance in self.provider.instances(&id) {
                (instance.service, instance.number, format!("{:?}", instance.health), instance.restarts)
                    .hash(&mut hash);
            }
            for beside in self.provider.beside(&id) {
                (beside.name, beside.port, beside.state as u8).hash(&mut hash);
            }
        }
        for deployment in self.store.deployments(project, None, DEPLOYMENTS).map_err(|e| store_failure(&e))? {
            (deployment.number.0, deployment.state).hash(&mut hash);
            for step in &deployment.steps {
                (step.state as u8, &step.detail).hash(&mut hash);
            }
            (deployment.approvals.len(), deployment.waivers.len(), deployment.signatures.len()).hash(&mut hash);
            if !deployment.state.is_final() {
                let log = std::fs::metadata(self.home.deployment_log(deployment.number));
                log.map_or(0, |metadata| metadata.len()).hash(&mut hash);
            }
        }
        let newest = AuditFilter { project: Some(project.clone()), limit: Some(1), ..AuditFilter::default() };
        let entries = self.audit(&newest)?;
        entries.first().map(|entry| entry.sequence).hash(&mut hash);
        Ok(hash.finish())
    }
}
