//! A deployment: one release being put into one environment, as a journal of steps that survives whoever carries them
//! out.

use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    failure::Failure,
    gates::{GateResult, Waiver},
    hosted::HostedWork,
    ids::{DeploymentId, EnvironmentId, ReleaseId},
    record::{Commit, EnvironmentRecord, Instance},
    rollout::{FormWork, ServiceWork},
    spec::{EnvironmentName, ServiceName},
};

/// Everything that is known about a deployment, as it lies in the state store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub number: DeploymentId,
    /// Where it goes.
    pub environment: EnvironmentId,
    /// The commit; `None` is the working tree.
    pub commit: Option<Commit>,
    /// The release, once it is known.
    pub release: Option<ReleaseId>,
    /// What people call it: a tag, or the first digits of the commit.
    pub version: String,
    /// Why it was made.
    pub trigger: Trigger,
    /// Whether it goes by the shorter list of gates.
    pub hotfix: bool,
    /// Who asked for it.
    pub actor: Actor,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// How it stands.
    pub state: DeploymentState,
    /// When it was asked for, in milliseconds since the Unix epoch.
    pub created: i64,
    /// When its first step began.
    pub started: Option<i64>,
    /// When new requests went to the new release.
    pub switched: Option<i64>,
    /// When its result was certain.
    pub finished: Option<i64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What approvers said.
    pub approvals: Vec<Approval>,
    /// Gates that a person took responsibility for.
    pub waivers: Vec<Waiver>,
    /// What a person signed for, where the machine cannot know.
    #[serde(default)]
    pub signatures: Vec<Waiver>,
    /// What the gates showed when it went through them.
    pub gates: Vec<GateResult>,
    /// The copy of the data from before its migrations.
    pub restore_point: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<StepRecord>,
    /// What the steps work on; `None` until it is planned.
    pub work: Option<Work>,
    /// What the other side has of it, where it goes to a service elsewhere.
    #[serde(default)]
    pub hosted: Option<HostedWork>,
}

/// Why a deployment was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Trigger {
    /// `ambit up`.
    Up,
    /// `ambit deploy`.
    Command,
    /// A push to the daemon's own remote.
    Push,
    /// A push that GitHub told of.
    Github,
    /// `ambit promote`.
    Promotion {
        /// The environment that ran the release before.
        from: EnvironmentName,
    },
    /// `ambit rollback`.
    Rollback {
        /// The deployment whose release serves again.
        to: DeploymentId,
    },
    /// The way back from a deployment that failed after it had begun to serve.
    Recovery {
        /// That deployment.
        from: DeploymentId,
        /// The deployment whose release serves again.
        to: DeploymentId,
    },
}

impl Trigger {
    /// For people, after "by".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Up => "up".to_owned(),
            Self::Command => "deploy".to_owned(),
            Self::Push => "push".to_owned(),
            Self::Github => "github".to_owned(),
            Self::Promotion { from } => format!("promotion from {from}"),
            Self::Rollback { .. } => "rollback".to_owned(),
            Self::Recovery { from, .. } => format!("recovery from {from}"),
        }
    }

    /// Whether gates and approvals concern it: neither `ambit up`, which changes no code of production, nor the way back.
    #[must_use]
    pub fn is_gated(&self) -> bool {
        !matches!(self, Self::Up) && !self.goes_back()
    }

    /// Whether it goes back to a release that ran before. Such a deployment runs no migrations and passes no gates: the way
    /// back must be open.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        self.target().is_some()
    }

    /// The deployment whose release serves again.
    #[must_use]
    pub fn target(&self) -> Option<DeploymentId> {
        match self {
            Self::Rollback { to } | Self::Recovery { to, .. } => Some(*to),
            _ => None,
        }
    }
}

/// How a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentState {
    /// Waits for its turn.
    Queued,
    /// Its release is tested and built.
    Building,
    /// Waits for an approval.
    Waiting,
    /// Approved, waits for its turn.
    Approved,
    /// Its steps are carried out.
    Running,
    /// It serves and is watched.
    Watching,
    /// It serves and counts as good.
    Succeeded,
    /// It never served, or could not be taken back; see its failure.
    Failed,
    /// It served, broke a bound, and the release before serves again.
    RolledBack,
    /// A later one took its place before it began.
    Superseded,
    /// An approver said no.
    Rejected,
    /// Nobody said yes in time.
    Expired,
    /// Taken back by a person.
    Cancelled,
}

impl DeploymentState {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Building | Self::Waiting | Self::Approved | Self::Running | Self::Watching)
    }

    /// Whether its release has come to serve.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, Self::Watching | Self::Succeeded)
    }

    /// Its name on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Watching => "watching",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What an approver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who said it.
    pub actor: Actor,
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub reason: String,
    /// The release that it is about: a yes to another one does not count.
    pub release: ReleaseId,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// What the steps of a deployment work on. Planned once and written down before the first of them, so that a repeated
/// step does the same thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The environment as it was.
    pub before: EnvironmentRecord,
    /// The environment as the deployment left it; a rollback goes back to that.
    pub after: Option<EnvironmentRecord>,
    /// Each service that changes.
    pub services: Vec<ServiceWork>,
    /// Services that are no longer declared.
    pub removed: Vec<ServiceName>,
    /// Whether the database is new, so that migrations run whatever the code.
    pub new_database: bool,
}

impl Work {
    /// The instances that start in a round, by service, where there are any.
    pub fn starting(&self, round: u32) -> impl Iterator<Item = (&ServiceName, &[Instance])> {
        self.services.iter().filter_map(move |one| match &one.form {
            FormWork::App(instances) => {
                let new = instances.new.get(instances.starting(round)).unwrap_or_default();
                (!new.is_empty()).then_some((&one.service, new))
            }
            FormWork::Site { .. } | FormWork::Job { .. } => None,
        })
    }
}

/// The name of a step. The order in which they stand here is the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepName {
    /// The checklist.
    Gates,
    /// A copy of the data, from before the migrations.
    RestorePoint,
    /// The database is brought up to date.
    Migrate,
    /// A new database is filled.
    Seed,
    /// New instances start beside the old ones.
    Start,
    /// They answer as healthy.
    Health,
    /// New requests go to them.
    Switch,
    /// Requests in flight to the old ones finish.
    Drain,
    /// The old ones stop.
    Stop,
    /// The new release is watched.
    Watch,
    /// A service elsewhere copies the data.
    CopyThere,
    /// A service elsewhere is asked to deploy.
    DeployThere,
    /// It says that the new release serves.
    AwaitThere,
}

impl StepName {
    /// Its name on screens and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gates => "gates",
            Self::RestorePoint => "restore point",
            Self::Migrate => "migrate",
            Self::Seed => "seed",
            Self::Start => "start",
            Self::Health => "health",
            Self::Switch => "switch",
            Self::Drain => "drain",
            Self::Stop => "stop",
            Self::Watch => "watch",
            Self::CopyThere => "backup",
            Self::DeployThere => "deploy",
            Self::AwaitThere => "health",
        }
    }
}

/// A step in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What is done.
    pub name: StepName,
    /// Which of the rounds, where several instances are replaced one by one; from 0.
    pub round: u32,
    /// How it stands.
    pub state: StepState,
    /// When it began, in milliseconds since the Unix epoch.
    pub started: Option<i64>,
    /// When it ended.
    pub finished: Option<i64>,
    /// What it came to, for people.
    pub detail: String,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun; after a crash it is repeated.
    Running,
    /// Done; never repeated.
    Done,
    /// It failed.
    Failed,
}

/// Which steps a deployment needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether gates are checked.
    pub gates: bool,
    /// Whether the data is copied before.
    pub restore_point: bool,
    /// Whether something has to migrate.
    pub migrate: bool,
    /// Whether a new database is filled.
    pub seed: bool,
    /// How many rounds of start, health, switch, drain and stop.
    pub rounds: u32,
    /// Whether the result is watched.
    pub watch: bool,
}

/// A step that was not begun.
fn pending(name: StepName, round: u32) -> StepRecord {
    StepRecord { name, round, state: StepState::Pending, started: None, finished: None, detail: String::new() }
}

/// The journal of a deployment before anything was done.
#[must_use]
pub fn journal(shape: Shape) -> Vec<StepRecord> {
    let mut steps = Vec::new();
    let first = [
        (shape.gates, StepName::Gates),
        (shape.restore_point, StepName::RestorePoint),
        (shape.migrate, StepName::Migrate),
        (shape.seed, StepName::Seed),
    ];
    steps.extend(first.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| pending(name, 0)));
    for round in 0..shape.rounds {
        let names = [StepName::Start, StepName::Health, StepName::Switch, StepName::Drain, StepName::Stop];
        steps.extend(names.map(|name| pending(name, round)));
    }
    if shape.watch {
        steps.push(pending(StepName::Watch, 0));
    }
    steps
}

/// The journal of a deployment to a service elsewhere before anything was done. There is nothing to do in rounds: the service
/// replaces what it has by itself. Sites that stay on this machine are laid out before, and served when the apps serve there.
#[must_use]
pub fn hosted_journal(gates: bool, copy: bool, sites: bool, watch: bool) -> Vec<StepRecord> {
    let names = [
        (gates, StepName::Gates),
        (copy, StepName::CopyThere),
        (sites, StepName::Start),
        (true, StepName::DeployThere),
        (true, StepName::AwaitThere),
        (sites, StepName::Switch),
        (watch, StepName::Watch),
    ];
    names.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| pending(name, 0)).collect()
}

impl Deployment {
    /// Whether new requests may already have gone to the new release.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        self.steps.iter().any(|s| s.name == StepName::Switch && s.state != StepState::Pending)
    }

    /// Whether its release came to serve, whatever became of it since.
    #[must_use]
    pub fn has_served(&self) -> bool {
        let there = self.steps.iter().any(|s| s.name == StepName::AwaitThere && s.state == StepState::Done);
        there || self.work.as_ref().is_some_and(|work| work.after.is_some())
    }

    /// The approval in force at a moment: a yes to this very release that has not expired.
    #[must_use]
    pub fn approved(&self, now: i64, expires: std::time::Duration) -> Option<&Approval> {
        let expires = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
        self.approvals
            .iter()
            .rev()
            .find(|a| a.yes && Some(&a.release) == self.release.as_ref() && now.saturating_sub(a.at) < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_stand_in_their_order_and_rounds_repeat_the_middle() {
        let shape = Shape { gates: true, restore_point: true, migrate: true, seed: false, rounds: 2, watch: true };
        let names: Vec<String> = journal(shape).iter().map(|s| format!("{} {}", s.name.name(), s.round)).collect();
        assert_eq!(
            names,
            [
                "gates 0",
                "restore point 0",
                "migrate 0",
                "start 0",
                "health 0",
                "switch 0",
                "drain 0",
                "stop 0",
                "start 1",
                "health 1",
                "switch 1",
                "drain 1",
                "stop 1",
                "watch 0"
            ]
        );
    }
}
