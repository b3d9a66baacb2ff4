//! Which states of a deployment are told, and what is said of them.

use crate::{
    deployment::{Deployment, DeploymentState},
    notification::Announcement,
    spec::{Kind, Occasion},
};

impl Announcement {
    /// What is told of a deployment as it stands, into an environment of a kind; `None` where that concerns nobody. What is
    /// deployed to a staging environment is a build to be tested. A way back, by a person or by itself, names the version
    /// that serves again.
    #[must_use]
    pub fn of(deployment: &Deployment, kind: Kind) -> Option<Self> {
        let event = match deployment.state {
            DeploymentState::Waiting => Occasion::Waiting,
            DeploymentState::Failed => Occasion::Failed,
            DeploymentState::Running => Occasion::Began,
            state if !state.is_final() && !state.serves() => return None,
            state if !state.serves() || !deployment.has_served() => Occasion::Ended,
            _ if deployment.trigger.goes_back() => Occasion::RolledBack,
            _ if kind == Kind::Staging => Occasion::TestBuild,
            _ => Occasion::Deployed,
        };
        let commit = deployment.commit.as_ref();
        let said = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let failure = deployment.failure.as_ref().filter(|_| event == Occasion::Failed);
        let number = deployment.number;
        let next = match event {
            Occasion::Waiting => Some(format!("ambit approve {number} --reason \"…\"")),
            Occasion::Failed => Some(format!("ambit deployment show {number}")),
            _ => None,
        };
        Some(Self {
            commit: commit.map(|c| c.id.clone()),
            subject: commit.and_then(|c| said(&c.subject)),
            author: commit.and_then(|c| said(&c.author)),
            reason: failure.map(|f| f.message.clone()).or_else(|| deployment.reason.clone()),
            next,
            ..Self::new(event, number, deployment.version.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actor::Actor,
        deployment::{Trigger, Work},
        failure::{Failure, FailureKind},
        ids::{DeploymentId, EnvironmentId},
        record::EnvironmentRecord,
    };

    fn deployment(state: DeploymentState, trigger: Trigger) -> Deployment {
        let record = EnvironmentRecord::new(Kind::Production);
        let work = Work {
            before: record.clone(),
            after: Some(record),
            services: Vec::new(),
            removed: Vec::new(),
            new_database: false,
        };
        Deployment {
            number: DeploymentId(7),
            environment: EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() },
            commit: None,
            release: None,
            version: "v1".into(),
            trigger,
            hotfix: false,
            actor: Actor::daemon(),
            reason: Some("because".into()),
            state,
            created: 0,
            started: None,
            switched: None,
            finished: None,
            failure: Some(Failure::new(FailureKind::App, "the migration failed")),
            approvals: Vec::new(),
            waivers: Vec::new(),
            signatures: Vec::new(),
            gates: Vec::new(),
            restore_point: None,
            steps: Vec::new(),
            work: Some(work),
            hosted: None,
        }
    }

    fn told(state: DeploymentState, trigger: Trigger, kind: Kind) -> Option<Occasion> {
        Announcement::of(&deployment(state, trigger), kind).map(|a| a.event)
    }

    #[test]
    fn each_state_is_told_as_what_it_means_to_people() {
        use DeploymentState::{
            Approved, Building, Cancelled, Expired, Failed, Queued, Rejected, RolledBack, Running, Succeeded,
            Superseded, Waiting, Watching,
        };
        for state in [Queued, Building, Approved] {
            assert_eq!(told(state, Trigger::Push, Kind::Production), None, "{state:?}");
        }
        assert_eq!(told(Running, Trigger::Push, Kind::Production), Some(Occasion::Began));
        for state in [RolledBack, Superseded, Rejected, Expired, Cancelled] {
            assert_eq!(told(state, Trigger::Push, Kind::Production), Some(Occasion::Ended), "{state:?}");
        }
        assert_eq!(told(Waiting, Trigger::Push, Kind::Production), Some(Occasion::Waiting));
        assert_eq!(told(Failed, Trigger::Push, Kind::Production), Some(Occasion::Failed));
        for state in [Watching, Succeeded] {
            assert_eq!(told(state, Trigger::Push, Kind::Production), Some(Occasion::Deployed));
            assert_eq!(told(state, Trigger::Push, Kind::Staging), Some(Occasion::TestBuild));
            let back = Trigger::Rollback { to: DeploymentId(3) };
            assert_eq!(told(state, back, Kind::Staging), Some(Occasion::RolledBack));
        }
    }

    #[test]
    fn of_what_changed_nothing_no_person_is_told() {
        let mut same = deployment(DeploymentState::Succeeded, Trigger::Up);
        same.work = None;
        let event = Announcement::of(&same, Kind::Development).map(|a| a.event);
        assert_eq!(event, Some(Occasion::Ended));
        assert!(!Occasion::ALL.contains(&Occasion::Ended) && !Occasion::ALL.contains(&Occasion::Began));
    }

    #[test]
    fn a_failure_says_why_and_an_approval_what_to_do() {
        let failed = Announcement::of(&deployment(DeploymentState::Failed, Trigger::Push), Kind::Production).unwrap();
        assert_eq!(failed.reason.as_deref(), Some("the migration failed"));
        let waiting = Announcement::of(&deployment(DeploymentState::Waiting, Trigger::Push), Kind::Production).unwrap();
        assert_eq!(waiting.reason.as_deref(), Some("because"));
        assert_eq!(waiting.next.as_deref(), Some("ambit approve 7 --reason \"…\""));
    }
}
