//! What people say of a waiting deployment: yes, no, never mind; and gates that they waive or sign.

use ambit_domain::{
    Actor, Deployment, DeploymentState, EnvironmentId, Failure, FailureKind,
    audit::Note,
    deployment::Approval,
    gates::{GateResult, Waiver, with_waivers},
    ids::DeploymentId,
    spec::{EnvironmentName, Gate, ProjectName},
};
use ambit_source::git::Repository;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now, store_failure},
    code::source_failure,
    gates::refuse_closed,
    progress::Progress,
};

/// A decision on a deployment.
#[derive(Clone, Serialize, Deserialize)]
pub struct Decide {
    /// The deployment.
    pub number: DeploymentId,
    /// What is decided.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who decides.
    pub actor: Actor,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Never mind.
    Cancel,
}

/// A gate that a person takes responsibility for or signs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Waive {
    /// The project.
    pub project: ProjectName,
    /// The environment whose waiting deployment it is about.
    pub environment: EnvironmentName,
    /// The gate.
    pub gate: Gate,
    /// Whether it is signed as passed; otherwise it is waived.
    pub sign: bool,
    /// Why, or what was looked at.
    pub reason: String,
    /// Who.
    pub actor: Actor,
}

impl Ambit {
    /// Decides on a deployment.
    pub async fn decide(&self, request: &Decide) -> Result<Deployment, Failure> {
        let number = request.number;
        let mut deployment = self.known_deployment(number)?;
        self.remember_keys(&deployment.environment.project, &request.keys);
        let state = deployment.state;
        let wrong = |what: &str| {
            Err(Failure::new(
                FailureKind::User,
                format!("deployment {number} cannot be {what}: it is {}", state.name()),
            ))
        };
        match request.decision {
            Decision::Cancel => {
                match state {
                    DeploymentState::Queued | DeploymentState::Waiting | DeploymentState::Approved => {
                        self.finish(&mut deployment, DeploymentState::Cancelled)?;
                    }
                    // The one who carries it out takes it back between two steps, as long as it does not serve.
                    DeploymentState::Building => self.pipelines.cancel(number).cancel(),
                    DeploymentState::Running if !deployment.has_switched() => self.pipelines.cancel(number).cancel(),
                    _ => return wrong("cancelled"),
                }
                self.note_quietly(self.decided(&deployment, request, "deployment.cancelled"));
            }
            Decision::Reject => {
                if state != DeploymentState::Waiting {
                    return wrong("rejected");
                }
                self.check_approver(&deployment, &request.actor)?;
                require_reason(&request.reason)?;
                self.add_approval(&mut deployment, request, false)?;
                self.finish(&mut deployment, DeploymentState::Rejected)?;
                self.note_quietly(self.decided(&deployment, request, "deployment.rejected"));
            }
            Decision::Approve => {
                if state != DeploymentState::Waiting {
                    return wrong("approved");
                }
                if self.has_expired(&deployment) {
                    self.expire(&mut deployment)?;
                    return Err(Failure::new(
                        FailureKind::User,
                        format!("deployment {number} cannot be approved: it is expired"),
                    )
                    .hint(format!("deploy it again: ambit deploy -e {}", deployment.environment.environment)));
                }
                self.check_approver(&deployment, &request.actor)?;
                require_reason(&request.reason)?;
                self.refuse_closed_gates(&deployment).await?;
                self.add_approval(&mut deployment, request, true)?;
                deployment.state = DeploymentState::Approved;
                self.save(&deployment)?;
                self.note_quietly(self.decided(&deployment, request, "deployment.approved"));
            }
        }
        self.wake(&deployment.environment);
        Ok(deployment)
    }

    fn decided(&self, deployment: &Deployment, request: &Decide, what: &str) -> Note {
        let note = Note::new(&request.actor, &deployment.environment.project, what)
            .environment(&deployment.environment.environment)
            .about("deployment", deployment.number.0)
            .about("version", deployment.version.as_str())
            .about("reason", request.reason.as_str());
        match &deployment.release {
            Some(release) => note.about("release", release.0.as_str()),
            None => note,
        }
    }

    fn add_approval(&self, deployment: &mut Deployment, request: &Decide, yes: bool) -> Result<(), Failure> {
        let Some(release) = deployment.release.clone() else {
            return Err(Failure::new(FailureKind::User, "its release is not made yet"));
        };
        deployment.approvals.push(Approval {
            actor: request.actor.clone(),
            yes,
            reason: request.reason.clone(),
            release,
            at: now(),
        });
        Ok(())
    }

    /// A yes is not asked for while a gate is closed that the yes could not open.
    async fn refuse_closed_gates(&self, deployment: &Deployment) -> Result<(), Failure> {
        let results = self.look_at_gates(deployment).await?;
        let count = ambit_domain::gates::closed(&results).count();
        let message = format!("deployment {} was not approved: {count} gates are not passed", deployment.number);
        refuse_closed(&results, &deployment.environment.environment, message)
    }

    /// The rules in force say who may approve; who wrote a part of the change may not, unless they say so.
    fn check_approver(&self, deployment: &Deployment, actor: &Actor) -> Result<(), Failure> {
        let Some(policy) = self.policy_of(deployment) else {
            return Err(Failure::new(FailureKind::Internal, "the rules in force cannot be read"));
        };
        if !is_among(&policy.approvers, actor) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} may not approve deployments to {}", actor.who, deployment.environment.environment),
            )
            .because(format!("approvers are {}", policy.approvers.join(", ")))
            .hint("who you are is taken from AMBIT_USER, else from git's user.email in the project"));
        }
        if policy.author_may_approve {
            return Ok(());
        }
        if is_among(&self.authors(deployment)?, actor) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} wrote a part of {} and may not approve it", actor.who, deployment.version),
            )
            .hint("another approver has to; or declare author-may-approve = true"));
        }
        Ok(())
    }

    /// Who may approve a deployment, by the rules in force.
    #[must_use]
    pub fn approvers_of(&self, deployment: &Deployment) -> Vec<String> {
        self.policy_of(deployment).map(|p| p.approvers).unwrap_or_default()
    }

    /// Who wrote what a deployment brings that does not serve yet.
    fn authors(&self, deployment: &Deployment) -> Result<Vec<String>, Failure> {
        let Some(commit) = &deployment.commit else { return Ok(Vec::new()) };
        let live = self.live_deployment(&deployment.environment)?.and_then(|d| d.commit);
        let repository =
            Repository::at(self.home.repository(&deployment.environment.project), std::path::PathBuf::new());
        let changes =
            repository.changes(live.as_ref().map(|c| c.id.as_str()), &commit.id).map_err(|e| source_failure(&e))?;
        let mut authors: Vec<String> = changes.into_iter().map(|c| c.author).collect();
        if live.is_none() {
            // Everything is new where nothing ran: the one who wrote the last of it counts.
            authors.truncate(1);
        }
        authors.sort();
        authors.dedup();
        Ok(authors)
    }

    /// How the gates of a deployment stand now.
    pub async fn look_at_gates(&self, deployment: &Deployment) -> Result<Vec<GateResult>, Failure> {
        let (declaration, _) = self.declaration_of(deployment)?;
        let scope = self.scope(&declaration, &deployment.environment.environment, &Progress::unheard())?;
        let results = scope.evaluate_gates(deployment, &[]).await?;
        Ok(with_waivers(results, &deployment.waivers))
    }

    /// The deployment of an environment whose gates count: the one that waits, else the newest that is not finished.
    pub fn gated_deployment(
        &self,
        project: &ProjectName,
        environment: &EnvironmentName,
    ) -> Result<Deployment, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.clone() };
        let waits = |d: &Deployment| matches!(d.state, DeploymentState::Waiting | DeploymentState::Approved);
        let unfinished = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let found = unfinished.into_iter().rev().find(|d| d.environment == id && waits(d));
        found.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("no deployment to {environment} waits"))
                .hint(format!("ambit deploy -e {environment}, or ambit promote test {environment}"))
        })
    }

    /// Waives or signs a gate of the waiting deployment.
    pub fn waive(&self, request: &Waive) -> Result<Deployment, Failure> {
        let mut deployment = self.gated_deployment(&request.project, &request.environment)?;
        require_reason(&request.reason)?;
        let waiver =
            Waiver { gate: request.gate, actor: request.actor.clone(), reason: request.reason.clone(), at: now() };
        if request.sign {
            if request.gate != Gate::Issues {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("`{}` is looked at by the machine and cannot be signed", request.gate.name()),
                )
                .hint("waive it with a reason, if it has to be"));
            }
            deployment.signatures.push(waiver);
        } else {
            self.check_waiver(&deployment, &request.actor)?;
            deployment.waivers.push(waiver);
        }
        self.save(&deployment)?;
        let what = if request.sign { "gate.signed" } else { "gate.waived" };
        let note = Note::new(&request.actor, &request.project, what)
            .environment(&request.environment)
            .about("deployment", deployment.number.0)
            .about("gate", request.gate.name())
            .about("reason", request.reason.as_str());
        self.note_quietly(note);
        Ok(deployment)
    }

    /// A waiver opens a gate: only who may approve may waive, where approvers are named.
    fn check_waiver(&self, deployment: &Deployment, actor: &Actor) -> Result<(), Failure> {
        let approvers = self.approvers_of(deployment);
        if approvers.is_empty() || is_among(&approvers, actor) {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::User,
            format!("{} may not waive gates of {}", actor.who, deployment.environment.environment),
        )
        .because(format!("approvers are {}", approvers.join(", "))))
    }
}

/// Whether an actor is one of some people.
pub(crate) fn is_among(people: &[String], actor: &Actor) -> bool {
    people.iter().any(|person| person.trim().eq_ignore_ascii_case(actor.who.trim()))
}

pub(crate) fn require_reason(reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(
            Failure::new(FailureKind::User, "a reason is needed").hint("it stays in the record: --reason \"…\"")
        );
    }
    Ok(())
}
