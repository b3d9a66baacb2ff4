//! The checklist before a deployment, evaluated: each gate verified where the machine can, signed by a person where it
//! cannot.

mod backup;
mod changelog;
mod docs;
mod issues;
mod migrations;
mod monitoring;
mod qa;
mod rollback;
mod tests;
mod variables;

use ambit_domain::{
    Deployment, Failure, FailureKind, Release,
    gates::{GateResult, Verdict},
    spec::{EnvironmentName, Gate, Kind},
};
use ambit_source::git::Repository;

use crate::{
    ambit::{now, store_failure},
    release::Built,
    scope::Scope,
};

/// What a gate found.
pub(crate) struct Finding {
    verdict: Verdict,
    evidence: String,
    next: Option<String>,
}

impl Finding {
    fn passed(evidence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Passed, evidence: evidence.into(), next: None }
    }

    fn failed(evidence: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, evidence: evidence.into(), next: Some(next.into()) }
    }

    fn waiting(evidence: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Waiting, evidence: evidence.into(), next: Some(next.into()) }
    }
}

/// What the gates look at.
pub(crate) struct Evidence<'a> {
    scope: &'a Scope<'a>,
    deployment: &'a Deployment,
    release: Release,
    /// The deployment that serves now, with its release.
    live: Option<(Deployment, Option<Release>)>,
    /// Deployments that succeeded in staging environments, the newest first.
    staged: Vec<Deployment>,
    repository: Repository,
}

impl Evidence<'_> {
    /// Since which commit something changed, where that is known.
    fn live_commit(&self) -> Option<&str> {
        self.live.as_ref()?.0.commit.as_ref().map(|c| c.id.as_str())
    }

    fn commit(&self) -> Option<&str> {
        self.deployment.commit.as_ref().map(|c| c.id.as_str())
    }

    /// The newest staging deployment that ran every build of the release that staging has.
    fn ran_in(&self) -> Option<&Deployment> {
        let project = &self.deployment.environment.project;
        self.staged.iter().find(|staged| {
            let Some(id) = &staged.release else { return false };
            if *id == self.release.id {
                return true;
            }
            let Ok(Some(other)) = self.scope.ambit.store.release(project, id) else { return false };
            // A service that staging does not have cannot have run there.
            !other.builds.is_empty()
                && self
                    .release
                    .builds
                    .iter()
                    .all(|(service, build)| other.builds.get(service).is_none_or(|theirs| theirs == build))
                && other.builds.keys().any(|service| self.release.builds.contains_key(service))
        })
    }
}

impl Scope<'_> {
    /// Looks at every gate of a deployment.
    pub(crate) async fn evaluate_gates(
        &self,
        deployment: &Deployment,
        _built: &[Built],
    ) -> Result<Vec<GateResult>, Failure> {
        let evidence = self.evidence(deployment)?;
        let mut results = Vec::new();
        for gate in self.gates_of(deployment) {
            let finding = match gate {
                Gate::Tests => tests::look(&evidence),
                Gate::Qa => qa::look(&evidence)?,
                Gate::Issues => issues::look(&evidence).await?,
                Gate::Migrations => migrations::look(&evidence)?,
                Gate::Backup => backup::look(&evidence).await?,
                Gate::Changelog => changelog::look(&evidence)?,
                Gate::Docs => docs::look(&evidence)?,
                Gate::Variables => variables::look(&evidence),
                Gate::Monitoring => monitoring::look(&evidence).await,
                Gate::Rollback => rollback::look(&evidence)?,
            };
            let Finding { verdict, evidence, next } = finding;
            results.push(GateResult { gate, verdict, evidence, at: now(), next });
        }
        Ok(results)
    }

    fn evidence<'a>(&'a self, deployment: &'a Deployment) -> Result<Evidence<'a>, Failure> {
        let store = &self.ambit.store;
        let project = &self.id.project;
        let missing = || Failure::new(FailureKind::NotFound, "its release was not made yet");
        let id = deployment.release.as_ref().ok_or_else(missing)?;
        let release = store.release(project, id).map_err(|e| store_failure(&e))?.ok_or_else(missing)?;
        let serving = match deployment.hosted {
            Some(_) => self.ambit.serving_elsewhere(&self.id)?,
            None => self.ambit.live_deployment(&self.id)?,
        };
        let live = match serving {
            Some(live) => {
                let release = match &live.release {
                    Some(id) => store.release(project, id).map_err(|e| store_failure(&e))?,
                    None => None,
                };
                Some((live, release))
            }
            None => None,
        };
        let environments = store.environments().map_err(|e| store_failure(&e))?;
        let mut staged = Vec::new();
        for (id, record) in environments.iter().filter(|(id, _)| id.project == *project) {
            if record.kind == Kind::Staging {
                let all = store.deployments(project, Some(id), 1000).map_err(|e| store_failure(&e))?;
                staged.extend(all.into_iter().filter(|d| d.state.serves()));
            }
        }
        staged.sort_by_key(|d| std::cmp::Reverse(d.number));
        let sources = store.sources(deployment.number).map_err(|e| store_failure(&e))?;
        let prefix = sources.map(|s| s.folder).filter(|f| !f.is_absolute()).unwrap_or_default();
        Ok(Evidence {
            scope: self,
            deployment,
            release,
            live,
            staged,
            repository: Repository::at(self.ambit.home.repository(project), prefix),
        })
    }
}

/// Fails with what keeps each closed gate closed.
pub(crate) fn refuse_closed(
    results: &[GateResult],
    environment: &EnvironmentName,
    message: String,
) -> Result<(), Failure> {
    let causes: Vec<String> = ambit_domain::gates::closed(results)
        .map(|result| format!("{}: {}", result.gate.name(), result.evidence))
        .collect();
    if causes.is_empty() {
        return Ok(());
    }
    let failure = causes.into_iter().fold(Failure::new(FailureKind::User, message), Failure::because);
    Err(failure.hint(format!("ambit gates {environment} shows what to do about each")))
}

/// `3 h ago`.
fn ago(then: i64) -> String {
    let seconds = (now() - then).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
