//! A repository at GitHub, as the published document and its notes describe it: what `ambit-domain` compares is read and carried out.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::collections::{BTreeMap, BTreeSet};

use ambit_cloud::github::{Asked, Github, Outcome, Told};
use ambit_domain::{
    Failure,
    github::{
        Approver, Feature, Found, Given, Home, Hook, Memory, Name, Op, Present, State, Wanted, Written, compare,
        is_owned, wanted,
    },
    spec::ProjectName,
};
use ambit_simulators::{
    Fault, Github as Simulator, contract,
    github::{Plan, Repository},
};

const DOCUMENT: &str = "github/openapi.json";
const KAIA: &str = "project = \"kaia\"\n[environments.dev]\nbranch = \"feature/dev\"\n[environments.test]\nbranch = \"staging\"\n\
    [environments.prod]\ntag = \"v*\"\napprovers = [\"lead\", \"leads\"]\n[services.api]\nrun = \"x\"\n";
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted\n";
const COMMIT: &str = "aa218f56b14c9653891f9e74264a383fa43fefbd";

struct Account {
    simulator: Simulator,
    client: Github,
    memory: Memory,
}

fn kaia() -> ProjectName {
    "kaia".parse().unwrap()
}

fn name(environment: &str, name: &str, secret: bool) -> Name {
    Name { home: Home::Environment(environment.to_owned()), name: name.to_owned(), secret }
}

fn client(simulator: &Simulator, token: &str) -> Github {
    Github::new(&simulator.base(), token, "kaia/kaia").unwrap()
}

impl Account {
    async fn new() -> Option<Self> {
        let simulator = Simulator::start("kaia/kaia", &contract(DOCUMENT)?).await.unwrap();
        let client = client(&simulator, simulator.token());
        Some(Self { simulator, client, memory: Memory::default() })
    }

    fn hand<T>(&self, work: impl FnOnce(&mut Repository) -> T) -> T {
        self.simulator.by_hand(work)
    }

    async fn wanted(&self) -> Result<Wanted, Failure> {
        let mut wanted = wanted(&ambit_domain::spec::parse(KAIA).project.unwrap());
        for (declared, asked) in [("lead", "lead"), ("leads", "kaia/leads")] {
            let found = self.client.reviewer(asked).await?.unwrap();
            wanted.approvers.insert(declared.to_owned(), Approver::Known(found));
        }
        wanted.values = BTreeMap::from([
            (name("prod", "AMBIT_SSH_KEY", true), Given::Digest("d1".to_owned())),
            (name("prod", "AMBIT_HOST", false), Given::Text("a@kaia.ai".to_owned())),
            (
                Name { home: Home::Repository, name: "SLACK_WEBHOOK_URL".to_owned(), secret: true },
                Given::Digest("d2".to_owned()),
            ),
        ]);
        wanted.hook = Some(Hook { url: "https://hooks.kaia.ai/github".to_owned(), digest: "d3".to_owned() });
        Ok(wanted)
    }

    async fn present(&self, wanted: &Wanted) -> Result<Present, Failure> {
        let asked = Asked {
            branches: wanted.branches.iter().map(|b| b.name.as_str()).collect(),
            is_ours: &|mark| is_owned(&kaia(), mark),
            environments: wanted.names().collect::<BTreeSet<_>>(),
            secrets: true,
            hooks: true,
            reviewers: true,
        };
        let about = self.client.about().await?;
        let mut there = self.client.present(&about, &asked).await?;
        there.refused.extend(self.memory.refused.keys());
        Ok(there)
    }

    async fn look(&self) -> Result<Found, Failure> {
        let wanted = self.wanted().await?;
        Ok(compare(&kaia(), &wanted, &self.present(&wanted).await?, &self.memory))
    }

    /// As an apply does: each step once, and a new look where nobody knows.
    async fn apply(&mut self) -> Result<(), Failure> {
        for _ in 0..5 {
            let mut known = true;
            for step in self.look().await?.steps {
                match self.client.carry_out(&step.op, Some(KEY)).await? {
                    Outcome::Done(at) => match step.op {
                        Op::Secret { name, digest } => {
                            self.memory.written.insert(name.key(), Written { digest, updated_at: at.unwrap() });
                        }
                        Op::Hook { hook, .. } => {
                            let written = Written { digest: hook.digest, updated_at: String::new() };
                            self.memory.written.insert(hook.url, written);
                        }
                        _ => {}
                    },
                    Outcome::Unknown(_) => known = false,
                    Outcome::Refused(feature, _) => {
                        self.memory.refused.insert(feature, 0);
                        known = false;
                    }
                }
                if !known {
                    break;
                }
            }
            if known {
                return Ok(());
            }
        }
        panic!("it does not come to an end: {:?}", self.simulator.refused());
    }

    async fn keys(&self) -> Vec<String> {
        self.look().await.unwrap().steps.into_iter().map(|s| s.change.key).collect()
    }

    /// What there is, in a form in which anything doubled shows.
    fn summary(&self) -> String {
        self.hand(|r| {
            let environments: Vec<_> = r
                .environments
                .iter()
                .map(|(name, e)| {
                    let sources: BTreeSet<String> =
                        e.patterns.iter().map(|(_, kind, pattern)| format!("{kind} {pattern}")).collect();
                    assert_eq!(sources.len(), e.patterns.len());
                    let secrets: Vec<_> = e.secrets.iter().map(|(n, s)| (n.clone(), s.value.clone())).collect();
                    format!("{name} {:?} {:?} {sources:?} {secrets:?} {:?}", e.reviewers, e.policy, e.variables)
                })
                .collect();
            format!(
                "{:?}\n{:?}\n{} rulesets, {} hooks\n{environments:#?}",
                r.refs.keys().collect::<Vec<_>>(),
                r.protection.keys().collect::<Vec<_>>(),
                r.rulesets.len(),
                r.hooks.len()
            )
        })
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn the_declared_repository_is_made_as_the_published_document_asks_for_and_read_back_as_it_is() {
    let Some(mut account) = Account::new().await else { return };
    account.apply().await.unwrap();
    assert_eq!(account.keys().await, Vec::<String>::new());
    // What is not there yet is asked for, and nothing else is refused.
    assert_eq!(account.simulator.refused().into_iter().find(|why| !why.starts_with("404")), None);
    assert_eq!(account.hand(|r| r.odd_answers.clone()), Vec::<String>::new());
    account.hand(|r| {
        assert_eq!(r.refs.keys().collect::<Vec<_>>(), ["heads/feature/dev", "heads/main", "heads/staging"]);
        let of = |branch: &str| &r.protection[branch]["required_pull_request_reviews"];
        assert_eq!(of("main")["required_approving_review_count"], 1);
        assert_eq!(of("staging")["required_approving_review_count"], 0);
        assert!(!r.protection.contains_key("feature/dev"));
        assert_eq!(r.rulesets[0]["conditions"]["ref_name"]["include"][0], "refs/tags/v*");
        let prod = &r.environments["prod"];
        assert_eq!(prod.reviewers, [("User".to_owned(), 101), ("Team".to_owned(), 201)]);
        assert_eq!((prod.policy, prod.prevent_self_review), (Some((false, true)), true));
        assert_eq!(prod.secrets["AMBIT_SSH_KEY"].value, KEY, "the box is opened with the repository's key");
        assert_eq!(prod.variables["AMBIT_HOST"], "a@kaia.ai");
        assert_eq!((r.hooks[0].1.as_str(), &r.hooks[0].0["config"]["secret"]), (KEY, &serde_json::json!("********")));
    });
    assert!(account.client.left().is_some_and(|left| left > 4000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn whatever_fails_at_whichever_request_the_next_apply_does_the_rest_and_nothing_twice() {
    let faults = [Fault::Status(502), Fault::TooMany("0".to_owned()), Fault::Close, Fault::CloseAfter];
    // A pause follows each fault: many pass side by side.
    let tasks = faults.into_iter().flat_map(|fault| (0..5).map(move |part| (fault.clone(), part)));
    let tasks: Vec<_> = tasks.map(|(fault, part)| tokio::spawn(broken_off(fault, part, 5))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Breaks an apply off at every so many-th request.
async fn broken_off(fault: Fault, first: usize, step: usize) {
    let Some(mut account) = Account::new().await else { return };
    account.apply().await.unwrap();
    let (wanted, requests) = (account.summary(), account.simulator.accepted().len() + 5);
    for before in (first..requests).step_by(step) {
        account.hand(|r| *r = Repository::new("kaia/kaia"));
        account.memory = Memory::default();
        account.simulator.fail_after(before, fault.clone());
        let _ = account.apply().await;
        account.apply().await.unwrap();
        assert_eq!(account.summary(), wanted, "{fault:?} after {before}");
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_private_repository_of_a_small_plan_is_told_of_and_ambit_does_not_try_for_ever() {
    let Some(mut account) = Account::new().await else { return };
    account.hand(|r| r.private = true);
    account.apply().await.unwrap();
    let found = account.look().await.unwrap();
    assert_eq!(found.steps, vec![]);
    assert!(found.remarks.iter().any(|r| r.about == "protection" && r.text.contains("ambit approve")));
    assert_eq!(account.hand(|r| (r.protection.len(), r.environments["prod"].secrets.len())), (0, 1));
    assert_eq!(account.memory.refused, BTreeMap::new(), "all of that is known without trying");

    // Protection, and no reviewers: whether the owner has them is told, or is known after one try.
    for told in [true, false] {
        account.hand(|r| (r.plan, r.plan_is_told) = (Plan::Team, told));
        account.apply().await.unwrap();
        let found = account.look().await.unwrap();
        assert_eq!(found.steps, vec![]);
        assert!(found.remarks.iter().any(|r| r.about == "reviewers of prod" && r.text.contains("Enterprise")));
        assert_eq!(account.memory.refused.contains_key(&Feature::Reviewers), !told);
    }
    account.memory.refused.clear();
    account.hand(|r| r.plan = Plan::Enterprise);
    account.apply().await.unwrap();
    assert_eq!(account.hand(|r| r.environments["prod"].reviewers.len()), 2);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_stands_in_a_protection_that_nobody_declared_is_written_back() {
    let Some(mut account) = Account::new().await else { return };
    account.apply().await.unwrap();
    account.hand(|r| {
        let main = r.protection.get_mut("main").unwrap();
        main["enforce_admins"]["enabled"] = true.into();
        main["allow_force_pushes"]["enabled"] = true.into();
        main["required_status_checks"] = serde_json::json!({ "strict": true, "contexts": ["lint", "own"],
            "checks": [{ "context": "lint", "app_id": 7 }, { "context": "own", "app_id": null }] });
        main["restrictions"] =
            serde_json::json!({ "users": [{ "login": "lead" }], "teams": [{ "slug": "leads" }], "apps": [] });
    });
    assert_eq!(account.keys().await, ["protection of main"]);
    account.apply().await.unwrap();
    assert_eq!(account.keys().await, Vec::<String>::new());
    let sent = account.simulator.accepted().into_iter().rev().find(|r| r.method == "PUT").unwrap().json();
    assert_eq!((&sent["enforce_admins"], &sent["allow_force_pushes"]), (&true.into(), &false.into()));
    assert_eq!(sent["required_status_checks"]["checks"][0]["app_id"], 7);
    assert_eq!(sent["restrictions"], serde_json::json!({ "users": ["lead"], "teams": ["leads"], "apps": [] }));
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_token_that_may_not_do_it_is_told_which_permission_it_lacks() {
    let Some(account) = Account::new().await else { return };
    let failed = client(&account.simulator, "hunter2").about().await.unwrap_err();
    assert!(failed.hints[0].contains("wrong or expired"), "{failed:?}");
    account.hand(|r| r.add_token("small", &["metadata=read", "contents=read", "actions=read", "administration=read"]));
    let small = client(&account.simulator, "small");
    assert!(small.protection("main").await.is_ok());
    let op = Op::Branch { name: "develop".to_owned(), commit: COMMIT.to_owned() };
    let failed = small.carry_out(&op, None).await.unwrap_err();
    assert!(failed.causes.iter().any(|c| c == "the token lacks contents (write)"), "{failed:?}");
    let failed = small.secrets(&Home::Repository).await.unwrap_err();
    assert!(failed.causes.iter().any(|c| c == "the token lacks secrets (read)"), "{failed:?}");
    assert!(!format!("{failed:?}").contains("small"));
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_stranger_who_is_called_like_an_approver_is_nobody() {
    let Some(account) = Account::new().await else { return };
    assert_eq!(account.client.reviewer("eve").await.unwrap(), None);
    assert_eq!(account.client.reviewer("lead").await.unwrap().map(|r| r.id), Some(101));
    assert_eq!(account.client.reviewer("nobody-at-all").await.unwrap(), None);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_repository_that_is_not_there_or_was_renamed_is_said_so() {
    let Some(account) = Account::new().await else { return };
    let other = Github::new(&account.simulator.base(), account.simulator.token(), "kaia/other").unwrap();
    let failed = other.about().await.unwrap_err();
    assert!(failed.to_string().contains("no repository kaia/other") && failed.hints[0].contains("gh repo create"));
    account.hand(|r| r.moved = true);
    let failed = account.client.about().await.unwrap_err();
    assert!(failed.to_string().contains("renamed") && failed.hints[0].contains("ambit.toml"), "{failed:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_secret_is_sealed_again_where_the_key_changed_and_limits_are_waited_for() {
    let Some(mut account) = Account::new().await else { return };
    account.apply().await.unwrap();
    account.hand(|r| {
        r.slow_down(Some("0"));
        r.change_key();
    });
    let op = Op::Secret { name: name("prod", "AMBIT_SSH_KEY", true), digest: "d9".to_owned() };
    let done = account.client.carry_out(&op, Some("other")).await.unwrap();
    assert!(matches!(done, Outcome::Done(Some(_))), "{done:?}");
    account.hand(|r| r.write_secret("prod", "AMBIT_SSH_KEY", "by hand"));
    assert_eq!(account.keys().await, ["secret AMBIT_SSH_KEY of prod"]);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn open_issues_of_all_pages_are_found_and_pull_requests_are_none() {
    let Some(account) = Account::new().await else { return };
    account.hand(|r| {
        (0..230).for_each(|n| r.add_issue(&format!("bug {n}"), &["critical"], n % 2 == 0));
        r.add_issue("small", &["minor"], false);
        r.issues[1]["state"] = "closed".into();
    });
    let issues = account.client.issues("critical").await.unwrap();
    assert_eq!((issues.len(), issues[0].number, issues[0].title.as_str()), (114, 4, "bug 3"));
}

fn told(state: State) -> Told<'static> {
    Told {
        id: "kaia/17",
        environment: "test",
        production: false,
        commit: COMMIT,
        version: "v1.2.0",
        state,
        words: "v1.2.0 is deployed by ana",
        url: Some("https://test.kaia.ai"),
        created: 0,
        newest: true,
    }
}

impl Account {
    /// Statuses of each deployment, the newest first, and of the commit.
    fn said(&self) -> (Vec<Vec<String>>, Vec<String>) {
        let text = |v: &serde_json::Value| v["state"].as_str().unwrap().to_owned();
        self.hand(|r| {
            let deployments = r.deployments.iter().map(|(_, all)| all.iter().map(text).collect()).collect();
            (deployments, r.statuses.iter().map(|(_, status)| text(status)).collect())
        })
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_deployment_is_told_once_however_often_it_is_told() {
    let Some(account) = Account::new().await else { return };
    for fault in [None, Some(Fault::CloseAfter)] {
        for at in 0..4 {
            for state in [State::InProgress, State::Success] {
                if let Some(fault) = &fault {
                    account.simulator.fail_after(at, fault.clone());
                }
                while account.client.tell(&told(state)).await.is_err() {}
                account.client.tell(&told(state)).await.unwrap();
            }
        }
        let (deployments, _) = account.said();
        assert_eq!(deployments.len(), 1);
        assert!(deployments[0].windows(2).all(|two| two[0] != two[1]), "{deployments:?}");
        assert_eq!(deployments[0][0], "success");
    }
    let made = account.hand(|r| r.statuses[0].1.clone());
    assert_eq!(
        (made["context"].as_str(), made["target_url"].as_str()),
        (Some("ambit/test"), Some("https://test.kaia.ai"))
    );
    assert_eq!(account.hand(|r| r.odd_answers.clone()), Vec::<String>::new());
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn a_later_deployment_leaves_the_one_before_inactive_and_what_came_to_nothing_is_not_told() {
    let Some(account) = Account::new().await else { return };
    account.client.tell(&told(State::Success)).await.unwrap();
    account.client.tell(&Told { id: "kaia/18", ..told(State::Success) }).await.unwrap();
    account.client.tell(&Told { id: "kaia/19", newest: false, ..told(State::Inactive) }).await.unwrap();
    let (deployments, statuses) = account.said();
    assert_eq!(deployments, [vec!["inactive", "success"], vec!["success"]]);
    assert_eq!(statuses.len(), 2);
}

#[tokio::test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
async fn what_a_workflow_hands_over_github_tells_of_itself() {
    let Some(account) = Account::new().await else { return };
    account.hand(|r| {
        let deployment = serde_json::json!({ "id": 1, "sha": COMMIT, "environment": "test", "payload": {} });
        let status = serde_json::json!({ "state": "in_progress", "created_at": "2020-01-01T00:00:00Z" });
        r.deployments.push((deployment, vec![status]));
    });
    account.client.tell(&told(State::InProgress)).await.unwrap();
    assert_eq!(account.said(), (vec![vec!["in_progress".to_owned()]], vec!["pending".to_owned()]));
    // It ended long before this one was asked for, by somebody's push to Ambit itself.
    account.hand(|r| r.deployments[0].1[0]["state"] = "success".into());
    account.client.tell(&Told { created: 1_800_000_000_000, ..told(State::InProgress) }).await.unwrap();
    assert_eq!(account.said().0.len(), 2);
}
