//! From a deployment to its repository at GitHub.

use ambit_domain::{
    Actor, Commit, Deployment, DeploymentState, Failure, FailureKind,
    deployment::{StepName, StepRecord, StepState, Trigger},
};
use ambit_simulators::Github;
use ambit_store::Sources;

use super::*;
use crate::pipeline::blank;

const COMMIT: &str = "aa218f56b14c9653891f9e74264a383fa43fefbd";

struct Repository {
    github: Github,
    team: Team,
}

impl Repository {
    async fn new() -> Option<Self> {
        let github = Github::start("shop/shop", &contract("github/openapi.json")?).await.unwrap();
        let toml = format!("[providers.github]\nrepository = \"shop/shop\"\nendpoint = \"{}\"\n", github.base());
        let team = Team::new(&toml, &[("GITHUB_TOKEN", github.token())]);
        Some(Self { github, team })
    }

    fn deployment(&self) -> Deployment {
        let folder = self.team.folder.path();
        let declaration = std::fs::read_to_string(folder.join("ambit.toml")).unwrap();
        let sources = Sources { folder: folder.to_path_buf(), declaration, secrets: None };
        let commit =
            Commit { id: COMMIT.into(), subject: "Fix".into(), author: "ana@shop.example".into(), from: "v1".into() };
        let made = |number| Deployment {
            number,
            ..blank(prod(), Some(commit.clone()), "v1.2.0".into(), Trigger::Push, Actor::daemon())
        };
        self.team.ambit.store.add_deployment(&sources, made).unwrap()
    }

    fn is_now(&self, deployment: &mut Deployment, state: DeploymentState) {
        deployment.state = state;
        self.team.ambit.save(deployment).unwrap();
    }

    /// Statuses of each deployment at GitHub, the newest first, as soon as the newest of the last is that.
    async fn until(&self, state: &str) -> Vec<Vec<String>> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let text = |v: &serde_json::Value| v["state"].as_str().unwrap().to_owned();
            let said: Vec<Vec<String>> =
                self.github.by_hand(|r| r.deployments.iter().map(|(_, all)| all.iter().map(text).collect()).collect());
            if said.last().and_then(|all| all.first()).is_some_and(|newest| newest == state) {
                return said;
            }
            assert!(Instant::now() < end, "{said:?}, {:#?}", self.team.listed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn has_served(deployment: &mut Deployment) {
    deployment.steps.push(StepRecord {
        name: StepName::AwaitThere,
        round: 0,
        state: StepState::Done,
        started: None,
        finished: None,
        detail: String::new(),
    });
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_deployment_that_begins_serves_or_fails_is_told_to_its_repository() {
    let Some(shop) = Repository::new().await else { return };
    shop.github.fail([Fault::Status(502), Fault::CloseAfter]);
    let mut deployment = shop.deployment();
    shop.is_now(&mut deployment, DeploymentState::Waiting);
    shop.until("pending").await;
    shop.is_now(&mut deployment, DeploymentState::Running);
    shop.until("in_progress").await;
    has_served(&mut deployment);
    shop.is_now(&mut deployment, DeploymentState::Succeeded);
    assert_eq!(shop.until("success").await, [["success", "in_progress", "pending"]]);
    shop.github.by_hand(|r| {
        assert_eq!((&r.deployments[0].0["environment"], &r.deployments[0].0["sha"]), (&"prod".into(), &COMMIT.into()));
        assert_eq!(r.statuses[0].1["context"], "ambit/prod");
    });

    let mut second = shop.deployment();
    shop.is_now(&mut second, DeploymentState::Running);
    shop.until("in_progress").await;
    second.failure = Some(Failure::new(FailureKind::App, "the migration failed"));
    shop.is_now(&mut second, DeploymentState::Failed);
    shop.until("failure").await;
    let words = shop.github.by_hand(|r| r.deployments[1].1[0]["description"].clone());
    assert_eq!(words, "v1.2.0: the migration failed");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_deployment_that_comes_to_nothing_is_not_left_under_way() {
    let Some(shop) = Repository::new().await else { return };
    let mut deployment = shop.deployment();
    shop.is_now(&mut deployment, DeploymentState::Running);
    shop.until("in_progress").await;
    shop.is_now(&mut deployment, DeploymentState::Cancelled);
    shop.until("inactive").await;
    // Of one that never was under way GitHub hears nothing.
    let mut other = shop.deployment();
    shop.is_now(&mut other, DeploymentState::Superseded);
    let end = Instant::now() + Duration::from_secs(30);
    while shop.team.listed().iter().filter(|(_, d)| sent(d)).count() < 3 {
        assert!(Instant::now() < end, "{:#?}", shop.team.listed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shop.github.by_hand(|r| r.deployments.len()), 1);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn without_a_token_among_the_secrets_nobody_is_told() {
    let Some(shop) = Repository::new().await else { return };
    std::fs::remove_file(shop.team.folder.path().join("ambit.secrets")).unwrap();
    let mut deployment = shop.deployment();
    shop.is_now(&mut deployment, DeploymentState::Running);
    assert_eq!(shop.team.listed().len(), 1);
    let end = Instant::now() + Duration::from_secs(30);
    while !shop.team.listed().is_empty() {
        assert!(Instant::now() < end, "{:#?}", shop.team.listed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(shop.github.accepted().is_empty());
}
