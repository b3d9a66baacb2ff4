//! What was deployed, when, by whom, and how it went; following one while it goes on; and the four figures by which
//! delivery is judged.

use std::path::PathBuf;

use ambit_domain::{
    Deployment, DeploymentState, EnvironmentId, EnvironmentRecord, Event, Failure, FailureKind, Release,
    dora::{self, Change},
    ids::DeploymentId,
    spec::ProjectName,
};
use ambit_source::git::Repository;
use ambit_store::Sources;
use serde::Serialize;

use crate::{
    ambit::{Ambit, now, store_failure},
    deployment_log,
};

/// A deployment as faces show it.
#[derive(Debug, Clone, Serialize)]
pub struct DeploymentView {
    /// All of it.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// The freeze that it waits for, where it does.
    pub frozen: Option<String>,
    /// Why it cannot go on now, where it is not over and cannot.
    pub held_up: Option<String>,
}

/// What was said since the last look.
pub struct Followed {
    /// What happened.
    pub events: Vec<Event>,
    /// The deployment now.
    pub deployment: Deployment,
    /// The freeze that it waits for, where it does.
    pub frozen: Option<String>,
    /// Why it cannot go on now, where it is not over and cannot.
    pub held_up: Option<String>,
}

/// The four figures of delivery (DORA).
pub type Figures = dora::Figures;

impl Ambit {
    /// Deployments of a project, the newest first.
    pub fn deployments(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentId>,
        limit: usize,
    ) -> Result<Vec<Deployment>, Failure> {
        self.store.deployments(project, environment, limit).map_err(|e| store_failure(&e))
    }

    /// One deployment.
    pub fn deployment(&self, number: DeploymentId) -> Result<DeploymentView, Failure> {
        let deployment = self.known_deployment(number)?;
        let waits = matches!(deployment.state, DeploymentState::Approved | DeploymentState::Waiting);
        let frozen = if waits { self.freeze_of(&deployment).map(|f| f.to_string()) } else { None };
        let held_up = if deployment.state.is_final() { None } else { self.full_disk() };
        Ok(DeploymentView { deployment, frozen, held_up })
    }

    /// The record of a deployment that there has to be.
    pub(crate) fn known_deployment(&self, number: DeploymentId) -> Result<Deployment, Failure> {
        let found = self.store.deployment(number).map_err(|e| store_failure(&e))?;
        found.ok_or_else(|| Failure::new(FailureKind::NotFound, format!("there is no deployment {number}")))
    }

    /// The texts that a deployment was declared by.
    pub(crate) fn known_sources(&self, number: DeploymentId) -> Result<Sources, Failure> {
        let found = self.store.sources(number).map_err(|e| store_failure(&e))?;
        found.ok_or_else(|| Failure::new(FailureKind::NotFound, format!("there is no deployment {number}")))
    }

    /// The deployment that serves in an environment, if one does.
    pub(crate) fn live_deployment(&self, id: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        match self.store.environment(id).map_err(|e| store_failure(&e))? {
            Some(record) => self.live_of(&record),
            None => Ok(None),
        }
    }

    /// The deployment that serves by an environment's record.
    pub(crate) fn live_of(&self, record: &EnvironmentRecord) -> Result<Option<Deployment>, Failure> {
        match record.live {
            Some(number) => self.store.deployment(number).map_err(|e| store_failure(&e)),
            None => Ok(None),
        }
    }

    /// What a deployment said from a position of its log on; the position is moved.
    pub fn follow(&self, number: DeploymentId, position: &mut u64) -> Result<Followed, Failure> {
        // First its state: what is said after a look at a final state was said before it became final.
        let DeploymentView { deployment, frozen, held_up } = self.deployment(number)?;
        let (events, end) = deployment_log::read(&self.home.deployment_log(number), *position);
        *position = end;
        Ok(Followed { events, deployment, frozen, held_up })
    }

    /// A part of what a deployment said, from a position of its log on, or its last part; and where that ends.
    #[must_use]
    pub fn deployment_events(&self, number: DeploymentId, from: Option<u64>) -> (Vec<Event>, u64) {
        deployment_log::read_part(&self.home.deployment_log(number), from)
    }

    /// The releases of a project, the newest first, each with the environments that run it.
    pub fn releases(&self, project: &ProjectName) -> Result<Vec<(Release, Vec<String>)>, Failure> {
        let mut live = Vec::new();
        for (id, record) in self.store.environments().map_err(|e| store_failure(&e))? {
            if id.project != *project {
                continue;
            }
            if let Some(deployment) = self.live_of(&record)? {
                live.push((id.environment.to_string(), deployment.release));
            }
        }
        let releases = self.store.releases(project).map_err(|e| store_failure(&e))?;
        Ok(releases
            .into_iter()
            .map(|release| {
                let runs = live
                    .iter()
                    .filter(|(_, id)| id.as_ref() == Some(&release.id))
                    .map(|(name, _)| name.clone())
                    .collect();
                (release, runs)
            })
            .collect())
    }

    /// The four figures of delivery of an environment over some days.
    pub fn delivery(&self, id: &EnvironmentId, days: u32) -> Result<Figures, Failure> {
        let all = self.store.deployments(&id.project, Some(id), 10_000).map_err(|e| store_failure(&e))?;
        let now = now();
        let repository = Repository::at(self.home.repository(&id.project), PathBuf::new());
        let change = |deployment: &Deployment| {
            // Asking git takes a moment for each: only of those whose lead time counts.
            let counts = deployment.switched.is_some_and(|at| at >= dora::start(now, days));
            let commit = deployment.commit.as_ref().filter(|_| counts && !deployment.trigger.goes_back());
            dora::change(deployment, commit.and_then(|commit| repository.time(&commit.id).ok()))
        };
        let changes: Vec<Change> = all.iter().filter_map(change).collect();
        Ok(dora::figures(&changes, now, days))
    }
}
