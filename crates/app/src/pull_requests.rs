//! Pull requests: what the environment of their target branch would be given is tested and built as for a deployment, so that the
//! deployment finds it made, and the commit is told whether it would be taken.
//!
//! A delivery stays among what is to be done until the verdict is written down and in the outbox, so that a daemon that was killed looks
//! again. It has a worker of its own: no push waits for the tests of a pull request. Of a fork nothing is fetched, read or run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ambit_domain::{
    Announcement, EnvironmentId, Failure, FailureKind,
    github::{Check, PullRequest, Verdict, deployed_from},
    spec::{EnvironmentName, Occasion, ProjectName},
};
use ambit_source::{git::Repository, remote};
use ambit_store::PendingDelivery;

use crate::{
    ambit::{Ambit, now, store_failure},
    code::{CodeAt, commit_from, source_failure},
    declaration::Declaration,
    deploy::sources_at,
    progress::Progress,
    webhook::Told,
};

/// Below this lies what is looked at.
const PROPOSED: &str = "refs/ambit/proposed/";
/// So many verdicts of a project are remembered, the newest.
const REMEMBERED: usize = 200;

impl Ambit {
    /// Looks at pull requests, one after the other, for as long as it is polled.
    pub async fn check_pull_requests(self: Arc<Self>) {
        loop {
            match self.next_pull_request() {
                Ok(Some((delivery, request))) => self.work_off_request(&delivery, request).await,
                Ok(None) => tokio::select! {
                    () = self.proposed.notified() => {}
                    () = tokio::time::sleep(Duration::from_secs(60)) => {}
                },
                Err(failure) => {
                    tracing::error!("deliveries cannot be read: {failure}");
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
        }
    }

    /// The first one that is to be looked at; `None` of the request where a later delivery tells of a newer commit.
    fn next_pull_request(&self) -> Result<Option<(PendingDelivery, Option<PullRequest>)>, Failure> {
        let pending = self.store.pending_deliveries().map_err(|e| store_failure(&e))?;
        let mut all = pending.into_iter().filter_map(|delivery| {
            let request = proposed(&delivery)?;
            Some((delivery, request))
        });
        let Some((first, request)) = all.next() else { return Ok(None) };
        let overtaken = all.any(|(later, newer)| later.project == first.project && newer.number == request.number);
        Ok(Some((first, (!overtaken).then_some(request))))
    }

    async fn work_off_request(&self, delivery: &PendingDelivery, request: Option<PullRequest>) {
        if let Some(request) = request
            && let Err(failure) = self.check_pull_request(&delivery.project, &request).await
        {
            self.came_to_nothing(delivery, failure);
        }
        if let Err(error) = self.store.finish_delivery(delivery.sequence) {
            tracing::error!("delivery {}: {}", delivery.id, store_failure(&error));
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    /// Says a verdict, where there is somebody to hear it and something that would be deployed.
    async fn check_pull_request(&self, project: &ProjectName, request: &PullRequest) -> Result<(), Failure> {
        let folder = self.store.project_folder(project).map_err(|e| store_failure(&e))?;
        let Some(folder) = folder else { return Ok(()) };
        let declaration = Declaration::open(&folder, &self.keys_of(project))?;
        let Some(environment) = deployed_from(&declaration.project, &request.base) else { return Ok(()) };
        if declaration.github_by_secret().is_none() {
            return Ok(());
        }
        let id = EnvironmentId { project: project.clone(), environment: environment.name.clone() };
        let say = |verdict, words: String| self.say_verdict(&id, request, verdict, words);
        if request.fork {
            let words = "it comes from a fork: Ambit neither builds nor runs anything of it";
            return say(Verdict::Unchecked, words.to_owned());
        }
        say(Verdict::Pending, format!("what {} would run is being tested and built", environment.name))?;
        let elsewhere = environment.railway_project().is_some()
            && self.store.environment(&id).map_err(|e| store_failure(&e))?.is_none();
        match self.would_be_taken(project, &environment.name, request, elsewhere).await {
            Ok(words) => say(Verdict::Accepted, words),
            Err(failure) => {
                let own = matches!(failure.kind, FailureKind::Declaration | FailureKind::App | FailureKind::User);
                let words = std::iter::once(&failure.message)
                    .chain(failure.causes.first())
                    .map(String::as_str)
                    .collect::<Vec<_>>();
                say(if own { Verdict::Refused } else { Verdict::Unchecked }, words.join(": "))
            }
        }
    }

    /// What would be deployed, in words.
    async fn would_be_taken(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
        request: &PullRequest,
        elsewhere: bool,
    ) -> Result<String, Failure> {
        let reference = format!("{PROPOSED}{}", request.number);
        let failed = |e: ambit_source::Error| source_failure(&e);
        let new = self.fetch(project, &request.branch.whole(), &reference).await?;
        let prefix = self.store.project_prefix(project).map_err(|e| store_failure(&e))?;
        let kept = self.home.repository(project);
        let repository = Repository::at(kept.clone(), prefix);
        if new != request.commit && !repository.is_ancestor(&request.commit, &new).map_err(failed)? {
            let what = format!("it is no longer what {} leads to", request.branch);
            return Err(Failure::new(FailureKind::NotFound, what));
        }
        let result = self.release_of_request(project, environment, &repository, request, elsewhere).await;
        remote::forget_reference(&kept, &reference).map_err(failed)?;
        result
    }

    async fn release_of_request(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
        repository: &Repository,
        request: &PullRequest,
        elsewhere: bool,
    ) -> Result<String, Failure> {
        let commit = request.commit.as_str();
        let sources = sources_at(repository, commit)?;
        let declaration =
            Declaration::read(&sources.folder, sources.declaration, sources.secrets, &self.keys_of(project))?;
        if declaration.project.name != *project {
            let what = format!("its ambit.toml is that of {}", declaration.project.name);
            return Err(Failure::new(FailureKind::Declaration, what));
        }
        crate::up::refuse_weak_secrets(&declaration)?;
        if !declaration.project.environments.contains_key(environment) {
            return Ok(format!("its ambit.toml is valid and declares no {environment} any more"));
        }
        if elsewhere {
            return Ok(format!("its ambit.toml is valid; {environment} is built where it lives, not here"));
        }
        let progress = Progress::unheard();
        let scope = self.scope(&declaration, environment, &progress)?;
        let head = repository.commit(commit).map_err(|e| source_failure(&e))?;
        let commit = commit_from(head, request.branch.name().to_owned());
        let code = CodeAt::Commit { repository: repository.clone(), commit };
        let (release, built) = scope.release(&code, &Default::default()).await?;
        let passed: u64 = release.tests.values().filter_map(|result| result.passed).sum();
        let tests = if passed > 0 { format!(", {passed} tests passed") } else { String::new() };
        let many = if built.len() == 1 { "service" } else { "services" };
        Ok(format!("{environment} would take it: {} {many} built{tests}", built.len()))
    }

    /// Remembers a verdict, and has the outbox say whatever is remembered then.
    fn say_verdict(
        &self,
        id: &EnvironmentId,
        request: &PullRequest,
        verdict: Verdict,
        words: String,
    ) -> Result<(), Failure> {
        let setting = checks(&id.project);
        let mut all: BTreeMap<String, Check> = self.remembered(&setting)?;
        all.insert(request.commit.clone(), Check { verdict, words, at: now() });
        while all.len() > REMEMBERED {
            let oldest = all.iter().min_by_key(|(_, check)| check.at).map(|(commit, _)| commit.clone());
            all.remove(&oldest.unwrap_or_default());
        }
        self.remember(&setting, &all)?;
        let commit = Some(request.commit.clone());
        let announcement = Announcement::new(Occasion::Checked, None, format!("#{}", request.number));
        self.announce(id, Announcement { commit, ..announcement });
        Ok(())
    }

    /// What was said of a commit last.
    pub(crate) fn check_of(&self, project: &ProjectName, commit: &str) -> Result<Option<Check>, Failure> {
        Ok(self.remembered::<BTreeMap<String, Check>>(&checks(project))?.remove(commit))
    }
}

fn checks(project: &ProjectName) -> String {
    format!("pull requests {project}")
}

/// The pull request that a delivery tells of.
pub(crate) fn proposed(delivery: &PendingDelivery) -> Option<PullRequest> {
    match serde_json::from_str(&delivery.work) {
        Ok(Told::Proposed(request)) => Some(request),
        _ => None,
    }
}
