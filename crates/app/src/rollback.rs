//! `rollback`: the release before serves again, without building anything; and the way back that a deployment takes by
//! itself.

use std::collections::BTreeMap;

use ambit_domain::{
    Actor, Deployment, DeploymentState, EnvironmentId, EnvironmentRecord, Failure, FailureKind,
    deployment::Trigger,
    ids::DeploymentId,
    release::pending_migrations,
    spec::{EnvironmentName, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    code::CodeAt,
    pipeline::Wanting,
    progress::Progress,
};

/// What to go back to.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rollback {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// A version, a commit, a release or the number of a deployment; the one before where nothing is said.
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether the data from before the deployment that is taken back is put back too.
    pub restore: bool,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// What a rollback would do, told before it is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RollbackPreview {
    /// The version that serves.
    pub from: String,
    /// The version that would serve.
    pub to: String,
    /// The deployment whose release would serve.
    pub target: DeploymentId,
    /// What of the migrations since then cannot be taken back by code.
    pub irreversible: Vec<String>,
    /// How many migrations ran since then.
    pub migrations: usize,
    /// The copy of the data from before the deployment that serves.
    pub restore_point: Option<String>,
}

impl Ambit {
    /// What a rollback would do.
    pub fn preview_rollback(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
        to: Option<&str>,
    ) -> Result<RollbackPreview, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
        let live = self
            .serving_deployment(&id)?
            .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("nothing was deployed to {environment} yet")))?;
        let target = self.find_target(&id, &live, to)?;
        let release = |d: &Deployment| {
            let id = d.release.clone()?;
            self.store.release(project, &id).ok().flatten()
        };
        let (old, new) = (release(&target), release(&live));
        let since = new.as_ref().map(|new| pending_migrations(new, old.as_ref())).unwrap_or_default();
        Ok(RollbackPreview {
            from: live.version.clone(),
            to: target.version.clone(),
            target: target.number,
            irreversible: since
                .iter()
                .flat_map(|m| m.irreversible.iter().map(move |what| format!("{}: {what}", m.path)))
                .collect(),
            migrations: since.len(),
            restore_point: live.restore_point.clone(),
        })
    }

    fn find_target(&self, id: &EnvironmentId, live: &Deployment, to: Option<&str>) -> Result<Deployment, Failure> {
        let all = self.store.deployments(&id.project, Some(id), 1000).map_err(|e| store_failure(&e))?;
        let served =
            |d: &&Deployment| d.has_served() && d.number != live.number && d.hosted.is_some() == live.hosted.is_some();
        let found = match to {
            None => all
                .iter()
                .filter(served)
                .find(|d| d.state == DeploymentState::Succeeded && d.release != live.release && d.number < live.number),
            Some(to) => all.iter().filter(served).find(|d| {
                d.number.to_string() == to
                    || d.version == to
                    || (to.len() >= 4
                        && (d.commit.as_ref().is_some_and(|c| c.id.starts_with(to))
                            || d.release.as_ref().is_some_and(|r| r.0.starts_with(to))))
            }),
        };
        found.cloned().ok_or_else(|| {
            let failure = match to {
                Some(to) => {
                    Failure::new(FailureKind::NotFound, format!("{} never ran `{}`", id.environment, to.escape_debug()))
                }
                None => Failure::new(
                    FailureKind::NotFound,
                    format!("{} has no release before {} to go back to", id.environment, live.version),
                ),
            };
            failure.hint(format!("ambit deployments -e {} lists what ran", id.environment))
        })
    }

    /// Goes back.
    pub async fn rollback(&self, request: &Rollback) -> Result<Deployment, Failure> {
        self.remember_keys(&request.project, &request.keys);
        let preview = self.preview_rollback(&request.project, &request.environment, request.to.as_deref())?;
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        if request.restore {
            let point = preview.restore_point.as_deref().ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("{} was deployed without a restore point", preview.from))
                    .hint("go back without --restore, or load another one: ambit restore-point list")
            })?;
            let progress = Progress::unheard();
            self.load_restore_point(&id, point, &request.actor, false, &progress).await?;
        }
        let trigger = Trigger::Rollback { to: preview.target };
        self.go_back(&id, preview.target, trigger, request.actor.clone(), request.reason.clone())
    }

    /// Queues a deployment of what an earlier one left.
    pub(crate) fn go_back(
        &self,
        id: &EnvironmentId,
        to: DeploymentId,
        trigger: Trigger,
        actor: Actor,
        reason: Option<String>,
    ) -> Result<Deployment, Failure> {
        let target = self.known_deployment(to)?;
        let mut sources = self.known_sources(to)?;
        // Code goes back; secrets do not: one that was replaced since was replaced for a reason.
        let live = self.store.environment(id).map_err(|e| store_failure(&e))?.and_then(|r| r.live);
        if let Some(newest) = live.and_then(|number| self.store.sources(number).ok().flatten())
            && newest.secrets.is_some()
        {
            sources.secrets = newest.secrets;
        }
        self.enqueue(Wanting {
            id: id.clone(),
            sources,
            elsewhere: target.hosted.is_some(),
            commit: target.commit.clone(),
            release: target.release.clone(),
            version: target.version.clone(),
            trigger,
            hotfix: false,
            actor,
            reason,
        })
    }

    /// The environment as the deployment that is gone back to left it.
    pub(crate) fn target_of(&self, deployment: &Deployment) -> Result<EnvironmentRecord, Failure> {
        let gone = || Failure::new(FailureKind::NotFound, "what is gone back to is not recorded");
        let to = deployment.trigger.target().ok_or_else(gone)?;
        let target = self.store.deployment(to).map_err(|e| store_failure(&e))?.ok_or_else(gone)?;
        target.work.and_then(|w| w.after).ok_or_else(gone)
    }

    /// The code that is gone back to, by the trees that were recorded.
    pub(crate) fn recorded_code(&self, deployment: &Deployment) -> Result<CodeAt, Failure> {
        let record = self.target_of(deployment)?;
        let (declaration, _) = self.declaration_of(deployment)?;
        let environment = &deployment.environment.environment;
        let services = declaration.project.environments.get(environment).map(|e| &e.services);
        let mut trees = BTreeMap::new();
        for service in services.into_iter().flat_map(|s| s.values()) {
            let tree = record.service(&service.name).and_then(|r| r.made_from.facts.get("tree"));
            if let Some(tree) = tree {
                trees.insert(service.form.source().to_path_buf(), tree.clone());
            }
        }
        Ok(CodeAt::Recorded { trees, version: deployment.version.clone() })
    }
}
