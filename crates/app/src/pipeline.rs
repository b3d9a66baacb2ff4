//! The way of every deployment: queued, tested and built, approved, carried out, watched. One at a time in each
//! environment; what was interrupted is taken up again by itself.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ambit_domain::{
    Actor, Commit, Deployment, DeploymentState, EnvironmentId, EnvironmentRecord, Failure, FailureKind, Wanted,
    audit::Note,
    deployment::{StepName, StepState, Trigger},
    hosted::HostedWork,
    ids::DeploymentId,
    spec::{Freeze, Gate, Kind, Policy, ProjectName},
};
use ambit_source::git::Repository;
use ambit_store::Sources;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    ambit::{Ambit, now, store_failure},
    code::{CodeAt, source_failure},
    components::components,
    declaration::Declaration,
    deployment::{Planned, Stand, carry_out, given_by},
    deployment_log::DeploymentLog,
    policy::frozen,
    progress::Progress,
    release::{Built, Given},
    scope::Scope,
};

/// How often the daemon looks for deployments by itself: for approvals that expire and freezes that end.
const EVERY: Duration = Duration::from_secs(5);

/// Which environments have a worker, and how it is woken.
#[derive(Default)]
pub(crate) struct Pipelines {
    wake: Notify,
    /// Whether somebody looked for work while the worker was busy.
    busy: Mutex<HashMap<EnvironmentId, bool>>,
    watching: Mutex<HashMap<EnvironmentId, Arc<Notify>>>,
    cancels: Mutex<HashMap<DeploymentId, CancellationToken>>,
}

impl Pipelines {
    /// Told when something was added to an environment's queue.
    pub(crate) fn changed(&self, id: &EnvironmentId) -> Arc<Notify> {
        let mut all = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(id.clone()).or_default())
    }

    fn tell(&self, id: &EnvironmentId) {
        self.changed(id).notify_waiters();
        self.wake.notify_one();
    }

    pub(crate) fn cancel(&self, number: DeploymentId) -> CancellationToken {
        let mut all = self.cancels.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(number).or_default().clone()
    }
}

/// The mark of an environment's worker. It goes with the worker, even with one that panics: the next has its turn.
struct Worker {
    ambit: Arc<Ambit>,
    id: EnvironmentId,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let pipelines = &self.ambit.pipelines;
        let looked = pipelines.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        // Something may have been queued in the moment between. What only waits is looked at again in its time.
        if looked == Some(true) {
            pipelines.wake.notify_one();
        }
    }
}

/// A deployment to be queued.
pub(crate) struct Wanting {
    pub(crate) id: EnvironmentId,
    pub(crate) sources: Sources,
    pub(crate) commit: Option<Commit>,
    pub(crate) release: Option<ambit_domain::ids::ReleaseId>,
    pub(crate) version: String,
    pub(crate) trigger: Trigger,
    pub(crate) hotfix: bool,
    pub(crate) actor: Actor,
    pub(crate) reason: Option<String>,
    /// Whether it goes to a service elsewhere.
    pub(crate) elsewhere: bool,
}

impl Ambit {
    /// Looks after the queues, for as long as it is polled.
    pub async fn run_pipelines(self: Arc<Self>) {
        loop {
            match self.store.unfinished_deployments() {
                Ok(all) => self.start_workers(&all),
                Err(error) => tracing::error!("the queue cannot be read: {}", store_failure(&error)),
            }
            tokio::select! {
                () = self.pipelines.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    fn start_workers(self: &Arc<Self>, unfinished: &[Deployment]) {
        for deployment in unfinished {
            let id = &deployment.environment;
            // The one that puts the mark removes it: where it is, there is a worker. An `up` that goes on has the
            // environment to itself, and the worker waits for it.
            let mut busy = self.pipelines.busy.lock().unwrap_or_else(PoisonError::into_inner);
            let before = busy.insert(id.clone(), false);
            if before.is_some() {
                busy.insert(id.clone(), true);
            }
            // The lock is given back first: a runtime that is shutting down drops the worker, which takes it, right here.
            drop(busy);
            if before.is_none() {
                let worker = Worker { ambit: Arc::clone(self), id: id.clone() };
                tokio::spawn(async move { worker.ambit.drive(&worker.id).await });
            }
        }
    }

    /// Queues a deployment.
    pub(crate) fn enqueue(&self, wanting: Wanting) -> Result<Deployment, Failure> {
        let Wanting { id, sources, commit, release, version, trigger, hotfix, actor, reason, elsewhere } = wanting;
        self.refuse_while_moving(&id)?;
        let note = Note::new(&actor, &id.project, "deployment.queued")
            .environment(&id.environment)
            .about("version", version.as_str())
            .about("by", trigger.describe().as_str())
            .about("to", if elsewhere { "railway" } else { "host" });
        let state = if trigger.goes_back() { DeploymentState::Approved } else { DeploymentState::Queued };
        let deployment = self
            .store
            .add_deployment(&sources, |number| Deployment {
                number,
                release,
                hotfix,
                reason,
                state,
                hosted: elsewhere.then(HostedWork::default),
                ..blank(id.clone(), commit, version, trigger, actor)
            })
            .map_err(|e| store_failure(&e))?;
        self.note_quietly(note.about("deployment", deployment.number.0));
        self.pipelines.tell(&id);
        Ok(deployment)
    }

    pub(crate) fn note_quietly(&self, note: Note) {
        if let Err(failure) = self.note(note) {
            tracing::error!(causes = ?failure.causes, "the audit log was not written: {failure}");
        }
    }

    pub(crate) fn save(&self, deployment: &Deployment) -> Result<(), Failure> {
        self.store.set_deployment(deployment).map_err(|e| store_failure(&e))?;
        self.announce_state(deployment);
        Ok(())
    }

    /// Records that a deployment came to its end.
    pub(crate) fn finish(&self, deployment: &mut Deployment, state: DeploymentState) -> Result<(), Failure> {
        deployment.state = state;
        deployment.finished = Some(now());
        self.save(deployment)
    }

    /// Records that a deployment failed or was taken back; returns what is to be noted of it.
    pub(crate) fn fail(&self, deployment: &mut Deployment, failure: &Failure) -> Result<Note, Failure> {
        let cancelled = failure.kind == FailureKind::Interrupted;
        deployment.failure = Some(failure.clone());
        self.finish(deployment, if cancelled { DeploymentState::Cancelled } else { DeploymentState::Failed })?;
        let what = if cancelled { "deployment.cancelled" } else { "deployment.failed" };
        Ok(about(deployment, what).about("why", failure.message.as_str()))
    }

    /// Wakes the worker of an environment.
    pub(crate) fn wake(&self, id: &EnvironmentId) {
        self.pipelines.tell(id);
    }

    async fn drive(&self, id: &EnvironmentId) {
        loop {
            let next = match self.next(id) {
                Ok(Some(next)) => next,
                Ok(None) => match self.recover_what_failed_in(id) {
                    Ok(Some(_)) => continue,
                    Ok(None) => return,
                    Err(failure) => {
                        tracing::error!(causes = ?failure.causes, "the way back of {id} cannot be queued: {failure}");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                },
                Err(failure) => return tracing::error!("the queue of {id} cannot be read: {failure}"),
            };
            let number = next.number;
            let result = match next.state {
                DeploymentState::Queued | DeploymentState::Building => self.build_stage(next).await,
                DeploymentState::Approved | DeploymentState::Running => self.run_stage(next).await,
                DeploymentState::Watching if next.hosted.is_some() => self.watch_elsewhere(next).await,
                DeploymentState::Watching => self.watch_stage(next).await,
                _ => Ok(()),
            };
            if let Err(failure) = result {
                tracing::error!(causes = ?failure.causes, "deployment {number} cannot go on: {failure}");
                // Without a store nothing can be decided; the next look tries again.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// What an environment's worker does next; marks what a later deployment has taken the place of.
    fn next(&self, id: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        let mut mine: Vec<Deployment> = self
            .store
            .unfinished_deployments()
            .map_err(|e| store_failure(&e))?
            .into_iter()
            .filter(|d| d.environment == *id)
            .collect();
        if let Some(running) = mine.iter().find(|d| d.state == DeploymentState::Running) {
            return Ok(Some(running.clone()));
        }
        let newest = |states: &[DeploymentState], all: &[Deployment]| {
            all.iter().rev().find(|d| states.contains(&d.state)).map(|d| d.number)
        };
        // A push takes the place of what was queued before it, and what waits for a yes of what waited before.
        for states in [
            &[DeploymentState::Queued, DeploymentState::Building][..],
            &[DeploymentState::Waiting, DeploymentState::Approved][..],
        ] {
            let Some(newest) = newest(states, &mine) else { continue };
            // One that goes elsewhere takes no place of one that goes here.
            let elsewhere = mine.iter().find(|d| d.number == newest).is_some_and(|d| d.hosted.is_some());
            let overtaken =
                |d: &Deployment| states.contains(&d.state) && d.number < newest && d.hosted.is_some() == elsewhere;
            for older in mine.iter_mut().filter(|d| overtaken(d)) {
                let back = older.trigger.goes_back();
                if back || (older.state == DeploymentState::Approved && older.hotfix) {
                    continue;
                }
                self.finish(older, DeploymentState::Superseded)?;
                self.note_quietly(about(older, "deployment.superseded").about("deployment by", newest.0));
            }
        }
        for expired in mine.iter_mut().filter(|d| self.has_expired(d)) {
            self.expire(expired)?;
        }
        let ready = |d: &&Deployment| match d.state {
            DeploymentState::Approved => self.freeze_of(d).is_none(),
            DeploymentState::Queued | DeploymentState::Building => true,
            _ => false,
        };
        let back = mine.iter().rev().find(|d| d.trigger.goes_back() && ready(d));
        let approved = mine.iter().rev().find(|d| d.state == DeploymentState::Approved && ready(d));
        let queued = mine.iter().rev().find(ready);
        let watching = mine.iter().rev().find(|d| d.state == DeploymentState::Watching);
        Ok(back.or(approved).or(queued).or(watching).cloned())
    }

    /// Whether nobody said yes in time, or the yes no longer holds.
    pub(crate) fn has_expired(&self, deployment: &Deployment) -> bool {
        let Some(policy) = self.policy_of(deployment) else { return false };
        match deployment.state {
            DeploymentState::Waiting => {
                let expires = i64::try_from(policy.approval_expires.as_millis()).unwrap_or(i64::MAX);
                now().saturating_sub(deployment.created) > expires
            }
            DeploymentState::Approved => {
                !deployment.approvals.is_empty() && deployment.approved(now(), policy.approval_expires).is_none()
            }
            _ => false,
        }
    }

    pub(crate) fn expire(&self, deployment: &mut Deployment) -> Result<(), Failure> {
        self.finish(deployment, DeploymentState::Expired)?;
        self.note_quietly(about(deployment, "deployment.expired"));
        Ok(())
    }

    /// The rules that a deployment is judged by: those in force, else its own.
    pub(crate) fn policy_of(&self, deployment: &Deployment) -> Option<Policy> {
        let declared = || {
            let (declaration, _) = self.declaration_of(deployment).ok()?;
            Some(declaration.project.environments.get(&deployment.environment.environment)?.policy.clone())
        };
        self.recorded_policy(&deployment.environment).or_else(declared)
    }

    /// The freeze that a deployment waits for.
    pub(crate) fn freeze_of(&self, deployment: &Deployment) -> Option<Freeze> {
        if !deployment.trigger.is_gated() || deployment.hotfix {
            return None;
        }
        frozen(&self.policy_of(deployment)?, &jiff::Zoned::now())
    }

    /// The declaration of a deployment, from its own texts.
    pub(crate) fn declaration_of(&self, deployment: &Deployment) -> Result<(Declaration, Sources), Failure> {
        let sources = self.known_sources(deployment.number)?;
        let keys = self.keys_of(&deployment.environment.project);
        let declaration =
            Declaration::read(&sources.folder, sources.declaration.clone(), sources.secrets.clone(), &keys)?;
        Ok((declaration, sources))
    }

    pub(crate) fn progress_of(&self, deployment: &Deployment) -> Progress {
        let log = DeploymentLog::open(&self.home.deployment_log(deployment.number));
        Progress::to_log(Arc::new(log), self.pipelines.cancel(deployment.number))
    }

    /// The code of a deployment.
    fn code_of(&self, deployment: &Deployment, sources: &Sources) -> Result<CodeAt, Failure> {
        if deployment.trigger.goes_back() {
            return self.recorded_code(deployment);
        }
        Ok(self
            .committed(deployment, sources)
            .unwrap_or_else(|| CodeAt::WorkingTree { folder: sources.folder.clone() }))
    }

    /// The code of its commit, where it has one.
    pub(crate) fn committed(&self, deployment: &Deployment, sources: &Sources) -> Option<CodeAt> {
        let repository = self.home.repository(&deployment.environment.project);
        let repository = Repository::at(repository, prefix_of(&sources.folder));
        Some(CodeAt::Commit { repository, commit: deployment.commit.clone()? })
    }

    /// Tests and builds the release, or finds it.
    async fn build_stage(&self, mut deployment: Deployment) -> Result<(), Failure> {
        deployment.state = DeploymentState::Building;
        self.save(&deployment)?;
        let work = async {
            let (declaration, sources) = self.declaration_of(&deployment)?;
            crate::up::refuse_weak_secrets(&declaration)?;
            let progress = self.progress_of(&deployment);
            let scope = self.scope(&declaration, &deployment.environment.environment, &progress)?;
            let code = self.code_of(&deployment, &sources)?;
            let given = self.given_of(&deployment)?;
            let (release, _) = scope.release(&code, &given).await?;
            if scope.environment.kind == Kind::Production && scope.gates_of(&deployment).contains(&Gate::Migrations) {
                self.rehearse_for(&deployment, &release, &declaration, &code, &progress).await;
            }
            Ok::<_, Failure>((release, scope.policy_in_force()))
        };
        match work.await {
            Ok((release, policy)) => {
                // It may have been taken back meanwhile.
                if self.is_final(deployment.number)? {
                    return Ok(());
                }
                deployment.release = Some(release.id);
                deployment.state =
                    if policy.approvers.is_empty() { DeploymentState::Approved } else { DeploymentState::Waiting };
                self.save(&deployment)?;
                if deployment.state == DeploymentState::Waiting {
                    self.note_quietly(about(&deployment, "deployment.waiting"));
                }
                Ok(())
            }
            Err(failure) => self.failed(deployment, failure, "the release could not be made"),
        }
    }

    fn is_final(&self, number: DeploymentId) -> Result<bool, Failure> {
        Ok(self.store.deployment(number).map_err(|e| store_failure(&e))?.is_none_or(|d| d.state.is_final()))
    }

    /// The builds that a deployment brings along: of the release that it promotes.
    pub(crate) fn given_of(&self, deployment: &Deployment) -> Result<Given, Failure> {
        let Some(id) = &deployment.release else { return Ok(Given::new()) };
        let project = &deployment.environment.project;
        let release = self.store.release(project, id).map_err(|e| store_failure(&e))?;
        let commit = release.as_ref().and_then(|r| r.commit.clone()).or_else(|| deployment.commit.clone());
        Ok(release
            .map(|r| r.builds.into_iter().map(|(service, build)| (service, (build, commit.clone()))).collect())
            .unwrap_or_default())
    }

    /// Carries out what was approved, or goes on with what was interrupted.
    async fn run_stage(&self, deployment: Deployment) -> Result<(), Failure> {
        let _alone = self.alone(&deployment.environment).await;
        // Whoever had the environment before may have finished or taken back this one.
        let Some(deployment) = self.store.deployment(deployment.number).map_err(|e| store_failure(&e))? else {
            return Ok(());
        };
        if !matches!(deployment.state, DeploymentState::Approved | DeploymentState::Running) {
            return Ok(());
        }
        if deployment.hosted.is_some() { self.run_elsewhere(deployment).await } else { self.run_now(deployment).await }
    }

    /// As [`Self::run_stage`], for who has the environment to themselves already.
    async fn run_now(&self, mut deployment: Deployment) -> Result<(), Failure> {
        let progress = self.progress_of(&deployment);
        let resumed = deployment.state == DeploymentState::Running;
        if resumed {
            let text = format!("deployment {} was interrupted and is resumed", deployment.number);
            tracing::warn!("{}: {text}", deployment.environment);
            progress.environment(&deployment.environment.environment).notice("resume", text);
            self.note_quietly(about(&deployment, "deployment.resumed"));
        }
        let prepared = self.declaration_of(&deployment);
        let (declaration, sources) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return self.failed(deployment, failure, "its declaration cannot be read"),
        };
        let name = deployment.environment.environment.clone();
        let scope = match self.scope(&declaration, &name, &progress) {
            Ok(scope) => scope,
            Err(failure) => return self.failed(deployment, failure, "its variables cannot be resolved"),
        };
        let sites = scope.environment.sites_alone();
        let scope = if scope.apps_elsewhere { scope.with_sites(&sites) } else { scope };
        let ready = async {
            self.ensure_proxy(&scope.progress).await?;
            let mut record = scope.recorded()?;
            if record.wanted == Wanted::Stopped && record.live.is_some() {
                return Err(Failure::new(FailureKind::User, format!("{name} is down")).hint(format!("ambit up {name}")));
            }
            let code = self.code_of(&deployment, &sources)?;
            let given = if deployment.trigger.goes_back() {
                given_by(&self.target_of(&deployment)?)
            } else {
                self.given_of(&deployment)?
            };
            let built = scope.builds_of(&given)?;
            let declared = components(scope.environment, &code, &scope.variables, &scope.servers)?;
            if deployment.work.is_none() {
                self.provider.prepare(&scope.id).await?;
                scope.sweep(&mut record).await?;
                record.wanted = Wanted::Running;
            }
            let servers = scope.start_servers(&declared, &mut record).await?;
            if deployment.work.is_none() {
                let release = self.release_of(&deployment, &built)?;
                let planned =
                    scope.plan_deployment(&mut deployment, &record, &declared, &release, &built, servers.new_database);
                if matches!(planned, Planned::Nothing) {
                    return Ok(None);
                }
            }
            Ok(Some((record, built)))
        };
        match ready.await {
            Ok(Some((record, built))) => {
                let number = deployment.number;
                let ended = self.run_deployment(&scope, deployment, record, &built).await;
                self.recorded_or(number, ended)
            }
            Ok(None) => {
                if let Trigger::Recovery { from, .. } = &deployment.trigger {
                    self.rolled_back(*from)?;
                }
                self.finish(&mut deployment, DeploymentState::Succeeded)?;
                scope.progress.notice("deploy", format!("{name} runs {} already", deployment.version));
                self.note_quietly(about(&deployment, "deployment.succeeded").about("changed", "nothing"));
                Ok(())
            }
            Err(failure) if deployment.work.is_some() => {
                // What it had begun before it was interrupted is taken back.
                scope.progress.say("resume", ambit_domain::Outcome::Failed { failure: failure.clone() });
                let record = scope.recorded()?;
                let number = deployment.number;
                let ended = self.give_up(Stand { scope: &scope, built: &[], deployment, record }, failure).await;
                self.recorded_or(number, ended)
            }
            Err(failure) => self.failed(deployment, failure, "it could not begin"),
        }
    }

    /// How a deployment ended is in its record, and whoever wants to know follows that; an error is only what could not be
    /// recorded. Such a one is resumed.
    fn recorded_or(&self, number: DeploymentId, ended: Result<(), Failure>) -> Result<(), Failure> {
        let Err(failure) = ended else { return Ok(()) };
        let recorded = self.store.deployment(number).map_err(|e| store_failure(&e))?;
        if recorded.is_some_and(|d| d.state == DeploymentState::Running) { Err(failure) } else { Ok(()) }
    }

    fn release_of(&self, deployment: &Deployment, built: &[Built]) -> Result<ambit_domain::Release, Failure> {
        let missing = || Failure::new(FailureKind::NotFound, "the release is gone");
        let builds = built.iter().map(|b| (b.service.clone(), b.build.id.clone())).collect();
        let id = crate::release::release_id(&builds);
        self.store.release(&deployment.environment.project, &id).map_err(|e| store_failure(&e))?.ok_or_else(missing)
    }

    /// Carries out a planned deployment and decides what its end means. The caller has the environment to itself.
    pub(crate) async fn run_deployment(
        &self,
        scope: &Scope<'_>,
        mut deployment: Deployment,
        record: EnvironmentRecord,
        built: &[Built],
    ) -> Result<(), Failure> {
        deployment.state = DeploymentState::Running;
        deployment.started.get_or_insert_with(now);
        self.save(&deployment)?;
        let log = Arc::new(DeploymentLog::open(&self.home.deployment_log(deployment.number)));
        let logged = scope.with_progress(scope.progress.logged(log));
        let mut stand = Stand { scope: &logged, built, deployment, record };
        let result = carry_out(&mut stand).await;
        let Stand { mut deployment, mut record, .. } = match result {
            Ok(()) => stand,
            // The way back needs room as well: it stays as it is and is resumed, and goes on or back once there is some.
            Err(failure) if self.full_disk().is_some() => return Err(failure),
            Err(failure) => return self.give_up(stand, failure).await,
        };
        match &deployment.trigger {
            // What is taken back by itself takes its rules with it.
            Trigger::Recovery { from, .. } => {
                let failed = self.store.deployment(*from).map_err(|e| store_failure(&e))?;
                record.policy = failed.and_then(|d| d.work).and_then(|w| w.before.policy).or(record.policy);
            }
            // A person goes back to older code, not to older rules.
            Trigger::Rollback { .. } => {}
            _ => {
                record.policy = Some(scope.environment.policy.clone());
                record.monitoring = scope.environment.monitoring.clone();
            }
        }
        scope.save(&record)?;
        if let Some(work) = &mut deployment.work {
            work.after = Some(record);
        }
        let watched = deployment.steps.iter().any(|s| s.name == StepName::Watch && s.state != StepState::Done);
        deployment.state = if watched { DeploymentState::Watching } else { DeploymentState::Succeeded };
        if !watched {
            deployment.finished = Some(now());
        }
        // Before it counts as finished: after a crash between the two this is done again.
        if let Trigger::Recovery { from, .. } = &deployment.trigger {
            self.rolled_back(*from)?;
        }
        self.save(&deployment)?;
        self.note_quietly(about(&deployment, "deployment.live").about("release", release_text(&deployment).as_str()));
        self.prune(&scope.id, &self.policy_in_force(&scope.id, &scope.environment.policy));
        self.wake(&scope.id);
        Ok(())
    }

    /// A failed deployment: undone where it never served, else the release before is deployed again.
    async fn give_up(&self, mut stand: Stand<'_>, failure: Failure) -> Result<(), Failure> {
        let before = stand.deployment.work.as_ref().map(|w| w.before.clone());
        let recoverable = before.filter(|b| b.live.is_some());
        let switched = stand.deployment.has_switched();
        let mut failure = failure;
        if !switched {
            if let Err(undo) = stand.undo().await {
                failure = failure.because(format!("what it had started could not all be stopped: {}", undo.message));
            }
            let up = stand.record.wanted == Wanted::Running;
            if up && recoverable.is_some() && !failure.causes.iter().any(|c| c.contains("still")) {
                failure = failure.because("the old version still runs");
            }
        }
        let Stand { mut deployment, .. } = stand;
        self.note_quietly(self.fail(&mut deployment, &failure)?);
        crate::fault::point("between failure and recovery");
        if switched && recoverable.is_some() && !deployment.trigger.goes_back() {
            self.recover(&deployment)?;
        }
        self.wake(&deployment.environment);
        Err(failure)
    }

    /// Queues the way back from a deployment that served and failed.
    pub(crate) fn recover(&self, deployment: &Deployment) -> Result<Deployment, Failure> {
        let before = deployment
            .work
            .as_ref()
            .and_then(|w| w.before.live)
            .ok_or_else(|| Failure::new(FailureKind::NotFound, "there is no release to go back to"))?;
        let trigger = Trigger::Recovery { from: deployment.number, to: before };
        let reason = deployment.failure.as_ref().map(|f| f.message.clone());
        self.go_back(&deployment.environment, before, trigger, Actor::daemon(), reason)
    }

    /// Queues the ways back that an interrupted daemon did not come to queue.
    pub(crate) fn recover_what_failed(&self) -> Result<(), Failure> {
        for (id, _) in self.store.environments().map_err(|e| store_failure(&e))? {
            if let Err(failure) = self.recover_what_failed_in(&id) {
                tracing::error!(causes = ?failure.causes, "the way back of {id} cannot be queued: {failure}");
            }
        }
        Ok(())
    }

    /// Queues the way back that could not be queued when a deployment failed.
    fn recover_what_failed_in(&self, id: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        let newest = self.store.deployments(&id.project, Some(id), 20).map_err(|e| store_failure(&e))?;
        // The last that began and came to serve: others changed nothing.
        let Some(last) = newest.iter().filter(|d| d.has_switched()).max_by_key(|d| d.started) else { return Ok(None) };
        let tried = |d: &&Deployment| matches!(d.trigger, Trigger::Recovery { from, .. } if from == last.number);
        let recoverable = last.work.as_ref().is_some_and(|w| w.before.live.is_some());
        let missing = last.state == DeploymentState::Failed
            && recoverable
            && !last.trigger.goes_back()
            && !newest.iter().any(|d| tried(&d));
        if !missing {
            return Ok(None);
        }
        match self.recover(last) {
            Ok(back) => Ok(Some(back)),
            Err(failure) if failure.kind == FailureKind::Machine => Err(failure),
            Err(failure) => {
                tracing::error!(causes = ?failure.causes, "there is no way back from deployment {}: {failure}", last.number);
                Ok(None)
            }
        }
    }

    pub(crate) fn rolled_back(&self, number: DeploymentId) -> Result<(), Failure> {
        let Some(mut failed) = self.store.deployment(number).map_err(|e| store_failure(&e))? else { return Ok(()) };
        failed.state = DeploymentState::RolledBack;
        self.save(&failed)?;
        self.note_quietly(about(&failed, "deployment.rolled-back"));
        Ok(())
    }

    /// A deployment that ended before it changed anything.
    pub(crate) fn failed(&self, mut deployment: Deployment, failure: Failure, what: &str) -> Result<(), Failure> {
        self.progress_of(&deployment)
            .environment(&deployment.environment.environment)
            .say("deploy", ambit_domain::Outcome::Failed { failure: failure.clone() });
        let note = self.fail(&mut deployment, &failure)?;
        self.note_quietly(note.about("what", what));
        self.wake(&deployment.environment);
        Ok(())
    }

    /// Finishes what an interrupted daemon left running in an environment, before anything else is done to it.
    pub(crate) async fn settle(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let unfinished = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        for deployment in unfinished.into_iter().filter(|d| d.environment == *id && d.state == DeploymentState::Running)
        {
            if deployment.hosted.is_none() {
                self.run_now(deployment).await?;
            }
        }
        Ok(())
    }

    /// Copies a commit into the repository that Ambit keeps; `None` for the working tree.
    pub(crate) async fn keep_commit(&self, project: &ProjectName, code: &CodeAt) -> Result<Option<Commit>, Failure> {
        let CodeAt::Commit { repository, commit } = code else { return Ok(None) };
        // Two environments may run the same commit.
        let _one_at_a_time = self.keeping_commits.lock().await;
        let (repository, kept, id) = (repository.clone(), self.home.repository(project), commit.id.clone());
        tokio::task::spawn_blocking(move || repository.keep_in(&kept, &id))
            .await
            .map_err(|e| Failure::from_error(FailureKind::Internal, &e))?
            .map_err(|e| source_failure(&e))?;
        Ok(Some(commit.clone()))
    }
}

impl Scope<'_> {
    /// A deployment that is not stored yet.
    pub(crate) fn new_deployment(
        &self,
        commit: Option<Commit>,
        version: String,
        trigger: Trigger,
        actor: &Actor,
    ) -> Deployment {
        blank(self.id.clone(), commit, version, trigger, actor.clone())
    }
}

pub(crate) fn blank(
    environment: EnvironmentId,
    commit: Option<Commit>,
    version: String,
    trigger: Trigger,
    actor: Actor,
) -> Deployment {
    Deployment {
        number: DeploymentId(0),
        environment,
        commit,
        release: None,
        version,
        trigger,
        hotfix: false,
        actor,
        reason: None,
        state: DeploymentState::Running,
        created: now(),
        started: None,
        switched: None,
        finished: None,
        failure: None,
        approvals: Vec::new(),
        waivers: Vec::new(),
        signatures: Vec::new(),
        gates: Vec::new(),
        restore_point: None,
        steps: Vec::new(),
        work: None,
        hosted: None,
    }
}

/// An audit entry about a deployment, by who asked for it.
pub(crate) fn about(deployment: &Deployment, what: &str) -> Note {
    Note::new(&deployment.actor, &deployment.environment.project, what)
        .environment(&deployment.environment.environment)
        .about("deployment", deployment.number.0)
        .about("version", deployment.version.as_str())
}

fn release_text(deployment: &Deployment) -> String {
    deployment.release.as_ref().map_or_else(String::new, ToString::to_string)
}

/// The folder of the project within its repository. The sources of a commit hold it; those of a working tree hold an
/// absolute path.
fn prefix_of(folder: &std::path::Path) -> PathBuf {
    if folder.is_absolute() { PathBuf::new() } else { folder.to_path_buf() }
}
