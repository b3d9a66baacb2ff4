//! Carrying out a deployment to a service elsewhere, and watching it.

use std::{sync::Arc, time::Duration};

use ambit_domain::{
    Actor, Deployment, DeploymentState, EnvironmentRecord, Failure, FailureKind, Outcome, Wanted,
    deployment::{StepName, StepState, Trigger, Work, hosted_journal},
    hosted::HostedState,
    release::pending_migrations,
    spec::Kind,
};

use ambit_store::Sources;

use crate::{
    ambit::{Ambit, now, store_failure},
    components::components,
    deployment::{Stand, carry_out},
    deployment_log::DeploymentLog,
    pipeline::about,
    release::Built,
    scope::Scope,
    watch::mark,
};

/// How often a release is looked at while it is watched.
const EVERY: Duration = Duration::from_secs(10);

impl Ambit {
    /// Carries out what was approved, or goes on with what was interrupted. The caller has the environment to itself.
    pub(crate) async fn run_elsewhere(&self, mut deployment: Deployment) -> Result<(), Failure> {
        let progress = self.progress_of(&deployment);
        if deployment.state == DeploymentState::Running {
            let text = format!("deployment {} was interrupted and is resumed", deployment.number);
            progress.environment(&deployment.environment.environment).notice("resume", text);
            self.note_quietly(about(&deployment, "deployment.resumed"));
        }
        let (declaration, sources) = match self.declaration_of(&deployment) {
            Ok(declared) => declared,
            Err(failure) => return self.failed(deployment, failure, "its declaration cannot be read"),
        };
        let scope = match self.scope(&declaration, &deployment.environment.environment, &progress) {
            Ok(scope) => scope,
            Err(failure) => return self.failed(deployment, failure, "its variables cannot be resolved"),
        };
        let record = scope.recorded()?;
        let sites = scope.environment.sites_alone();
        let here = scope.with_progress(scope.progress.clone()).with_sites(&sites);
        let planned = self.sites_built(&here, &deployment, &record).and_then(|built| {
            let begins = deployment.steps.is_empty() && !built.is_empty();
            let work = begins.then(|| self.sites_work(&here, &deployment, &sources, &record, &built)).transpose()?;
            Ok((built, work))
        });
        let built = match planned {
            Ok((built, work)) => {
                deployment.work = work.or(deployment.work);
                built
            }
            Err(failure) => return self.failed(deployment, failure, "its sites cannot be laid out"),
        };
        if deployment.steps.is_empty() {
            deployment.steps = self.journal_elsewhere(&scope, &deployment)?;
        }
        deployment.state = DeploymentState::Running;
        deployment.started.get_or_insert_with(now);
        self.save(&deployment)?;
        let log = Arc::new(DeploymentLog::open(&self.home.deployment_log(deployment.number)));
        let logged = scope.with_progress(scope.progress.logged(log));
        let mut stand = Stand { scope: &logged, built: &built, deployment, record };
        let result = carry_out(&mut stand).await;
        let Stand { mut deployment, mut record, .. } = stand;
        if let Err(failure) = result {
            self.note_quietly(self.fail(&mut deployment, &failure)?);
            self.wake(&deployment.environment);
            return Ok(());
        }
        // By these rules the next one is judged: a change does not choose how it is.
        if !deployment.trigger.goes_back() {
            record.policy = Some(scope.environment.policy.clone());
            scope.save(&record)?;
        }
        if let Trigger::Recovery { from, .. } = deployment.trigger {
            self.rolled_back(from)?;
        }
        let watched = deployment.steps.iter().any(|s| s.name == StepName::Watch && s.state != StepState::Done);
        self.note_quietly(about(&deployment, "deployment.live"));
        if watched {
            deployment.state = DeploymentState::Watching;
            self.save(&deployment)?;
        } else {
            self.finish(&mut deployment, DeploymentState::Succeeded)?;
            self.note_quietly(about(&deployment, "deployment.succeeded"));
        }
        self.wake(&deployment.environment);
        Ok(())
    }

    fn journal_elsewhere(
        &self,
        scope: &Scope<'_>,
        deployment: &Deployment,
    ) -> Result<Vec<ambit_domain::deployment::StepRecord>, Failure> {
        let project = &deployment.environment.project;
        let release = |deployment: &Deployment| match &deployment.release {
            Some(id) => self.store.release(project, id).map_err(|e| store_failure(&e)),
            None => Ok(None),
        };
        let serving = self.serving_elsewhere(&deployment.environment)?;
        let before = match &serving {
            Some(serving) => release(serving)?,
            None => None,
        };
        let migrates = release(deployment)?.is_some_and(|new| !pending_migrations(&new, before.as_ref()).is_empty());
        let back = deployment.trigger.goes_back();
        let gates = deployment.trigger.is_gated() && !scope.gates_of(deployment).is_empty();
        let copy =
            migrates && !back && scope.environment.kind == Kind::Production && scope.environment.postgres.is_some();
        let watch = serving.is_some() && !scope.policy_in_force().soak.is_zero();
        let sites = deployment.work.as_ref().is_some_and(|work| !work.services.is_empty() || !work.removed.is_empty());
        Ok(hosted_journal(gates, copy, sites, watch))
    }

    /// What a deployment elsewhere changes of the sites on this machine.
    fn sites_work(
        &self,
        here: &Scope<'_>,
        deployment: &Deployment,
        sources: &Sources,
        record: &EnvironmentRecord,
        built: &[Built],
    ) -> Result<Work, Failure> {
        let code = self
            .committed(deployment, sources)
            .ok_or_else(|| Failure::new(FailureKind::User, "only commits are deployed to a service elsewhere"))?;
        let declared = components(here.environment, &code, &here.variables, &here.servers)?;
        Ok(here.plan_sites(record, &declared, built))
    }

    /// The builds of the sites that are on this machine; none where they are not.
    fn sites_built(
        &self,
        here: &Scope<'_>,
        deployment: &Deployment,
        record: &EnvironmentRecord,
    ) -> Result<Vec<Built>, Failure> {
        let up = record.wanted == Wanted::Running && record.up_since.is_some();
        if !here.apps_elsewhere || !up {
            return Ok(Vec::new());
        }
        match here.builds_of(&self.given_of(deployment)?) {
            // The apps go back all the same.
            Err(failure) if deployment.trigger.goes_back() => {
                here.progress.notice("sites", format!("they stay as they are: {failure}"));
                Ok(Vec::new())
            }
            built => built,
        }
    }

    /// Watches whether what was deployed elsewhere stays up; where it does not, what served before is asked for again.
    pub(crate) async fn watch_elsewhere(&self, mut deployment: Deployment) -> Result<(), Failure> {
        let (declaration, _) = self.declaration_of(&deployment)?;
        let progress = self.progress_of(&deployment).environment(&deployment.environment.environment);
        let soak = self.policy_of(&deployment).map_or(Duration::ZERO, |policy| policy.soak);
        let soak = i64::try_from(soak.as_millis()).unwrap_or(i64::MAX);
        let since = deployment.switched.unwrap_or_else(now);
        let changed = self.pipelines.changed(&deployment.environment);
        let detail = loop {
            let notified = changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(later) = self.later_than(&deployment)? {
                break format!("deployment {later} comes after it");
            }
            match self.fallen(&declaration, &deployment).await {
                Ok(None) => {}
                Ok(Some(failure)) => {
                    progress.say(StepName::Watch.name(), Outcome::Failed { failure: failure.clone() });
                    mark(&mut deployment, StepState::Failed, failure.message.clone());
                    return self.take_back(deployment, &failure);
                }
                Err(failure) => progress.notice("watch", failure.message),
            }
            if now().saturating_sub(since) >= soak {
                break "it stayed up".to_owned();
            }
            tokio::select! {
                () = &mut notified => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        };
        self.watched(deployment, &progress, detail)
    }

    /// A later deployment that has its turn.
    fn later_than(&self, deployment: &Deployment) -> Result<Option<ambit_domain::DeploymentId>, Failure> {
        let all = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let later = all.iter().find(|d| {
            d.environment == deployment.environment
                && d.number > deployment.number
                && matches!(
                    d.state,
                    DeploymentState::Queued
                        | DeploymentState::Building
                        | DeploymentState::Running
                        | DeploymentState::Approved
                )
        });
        Ok(later.map(|d| d.number))
    }

    /// Why a deployment does not serve any more, where it does not.
    async fn fallen(
        &self,
        declaration: &crate::declaration::Declaration,
        deployment: &Deployment,
    ) -> Result<Option<Failure>, Failure> {
        let Some(environment) = declaration.project.environments.get(&deployment.environment.environment) else {
            return Ok(None);
        };
        let hosted = self.hosted(declaration, environment, &crate::outside::Tokens::default())?;
        for (app, id) in deployment.hosted.iter().flat_map(|work| &work.services) {
            if let HostedState::Over(word) = hosted.state(id).await? {
                let what = format!("{app} came to serve at {} and is {word} now", hosted.describe());
                return Ok(Some(Failure::new(FailureKind::App, what)));
            }
        }
        Ok(None)
    }

    fn take_back(&self, mut deployment: Deployment, failure: &Failure) -> Result<(), Failure> {
        self.note_quietly(self.fail(&mut deployment, failure)?);
        let before = self.serving_elsewhere(&deployment.environment)?;
        match before {
            Some(before) if !deployment.trigger.goes_back() => {
                let trigger = Trigger::Recovery { from: deployment.number, to: before.number };
                let reason = Some(failure.message.clone());
                self.go_back(&deployment.environment, before.number, trigger, Actor::daemon(), reason)?;
            }
            _ => tracing::warn!("{}: there is nothing to go back to", deployment.environment),
        }
        self.wake(&deployment.environment);
        Ok(())
    }
}
