//! Pull requests: told by signed deliveries, fetched with real git, built and tested by the real program, and answered at a server that
//! checks each request against GitHub's published document.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use ambit_simulators::{Fault, Github, contract};
use serde_json::{Value, json};
use support::{Machine, git, until};

const HOOKS: &str = "hooks.shop.localhost";

struct Team {
    machine: Machine,
    project: PathBuf,
    github: Github,
    secret: String,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    /// A worker with tests of its own in `dev`, a repository where GitHub would have it, and a webhook.
    fn new() -> Option<Self> {
        let document = contract("github/openapi.json")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let github = runtime.block_on(Github::start("shop/shop", &document)).unwrap();
        let mut machine = Machine::new();
        let project = machine.project("shop", &["dev", "play"]);
        let team = Self { machine, project, github, secret: String::new(), _runtime: runtime };
        fs::create_dir(team.project.join("jobs")).unwrap();
        team.write("ambit.toml", &team.toml("sh test.sh"));
        team.write("jobs/test.sh", "echo 'test result: ok. 2 passed; 0 failed'\n");
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        team.set_token(team.github.token());
        git(&team.project, &["init", "-q", "-b", "main"]);
        git(&team.project, &["config", "user.email", "ana@example.org"]);
        git(&team.project, &["config", "user.name", "Ana"]);
        let origin = team.machine.folder.path().join("origin.git").to_string_lossy().into_owned();
        git(team.machine.folder.path(), &["init", "-q", "--bare", "origin.git"]);
        git(&team.project, &["remote", "add", "origin", &origin]);
        git(&team.project, &["checkout", "-q", "-b", "develop"]);
        team.push("develop", "first");
        // The proxy is where deliveries come in.
        team.machine.ok(&team.project, &["up", "play", "--listen", &format!("127.0.0.1:{}", team.machine.port)]);
        let added = team.machine.ok(&team.project, &["webhook", "add", "github", "--fetch", &origin, "--json"]);
        let added: Value = serde_json::from_str(&added).unwrap();
        Some(Self { secret: added["secret"].as_str().unwrap().to_owned(), ..team })
    }

    fn toml(&self, test: &str) -> String {
        let recipients = fs::read_to_string(self.project.join("ambit.toml")).unwrap_or_default();
        let recipients = recipients.lines().find(|l| l.starts_with("recipients")).unwrap_or_default().to_owned();
        format!(
            "project = \"shop\"\n{recipients}\n[environments.dev]\nbranch = \"develop\"\n[environments.play]\nkind = \"development\"\n\
             [services.jobs]\nkind = \"worker\"\nsource = \"jobs\"\nbuild = \"true\"\nrun = \"sleep 1000\"\ntest = \"{test}\"\n\
             [secrets]\nGITHUB_TOKEN = {{ only = [\"dev\"] }}\n\
             [providers.github]\nrepository = \"shop/shop\"\nendpoint = \"{}\"\n",
            self.github.base()
        )
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.project.join(file), text).unwrap();
    }

    fn set_token(&self, token: &str) {
        let mut set = self.machine.command(&self.project, &["secret", "set", "GITHUB_TOKEN", "-e", "dev"]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        assert!(set.wait().unwrap().success());
    }

    /// Commits what lies there and has GitHub have it.
    fn push(&self, branch: &str, message: &str) -> String {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "--allow-empty", "-m", message]);
        git(&self.project, &["push", "-q", "-f", "origin", &format!("HEAD:{branch}")]);
        let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&self.project).output().unwrap();
        let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
        self.github.by_hand(|r| drop(r.refs.insert(format!("heads/{branch}"), head.clone())));
        head
    }

    fn opened(&self, number: u64, branch: &str, commit: &str, of: &str) {
        let body = json!({ "action": "opened", "number": number, "repository": { "full_name": "shop/shop" },
            "pull_request": { "number": number, "base": { "ref": "develop" },
                "head": { "ref": branch, "sha": commit, "repo": { "full_name": of } } } });
        let id = format!("{number}-{}", &commit[..7]);
        let answer = self.machine.delivered(HOOKS, &self.secret, "pull_request", &id, body.to_string().as_bytes());
        assert_eq!(answer, (202, "queued\n".to_owned()));
    }

    /// State and words of what was said of a commit last.
    fn said(&self, commit: &str) -> (String, String) {
        self.github.by_hand(|r| {
            let of = r.statuses.iter().find(|(sha, status)| sha == commit && status["context"] == "ambit/check");
            let text = |key: &str| of.map_or("", |(_, s)| s[key].as_str().unwrap()).to_owned();
            (text("state"), text("description"))
        })
    }

    fn ends(&self, commit: &str, state: &str) -> String {
        until(&format!("{state} is said"), || {
            let said = self.said(commit).0;
            assert!(["", "pending", state].contains(&said.as_str()), "{:?}", self.said(commit));
            said == state
        });
        self.said(commit).1
    }

    fn builds(&self) -> usize {
        fs::read_dir(self.machine.folder.path().join("home/logs/builds")).map_or(0, Iterator::count)
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_would_be_deployed_is_tested_and_built_once_and_the_commit_says_whether_it_would_be_taken() {
    let Some(team) = Team::new() else { return };
    team.write("jobs/more.txt", "more");
    let good = team.push("topic", "more");
    team.github.fail([Fault::Status(502), Fault::CloseAfter]);
    team.opened(1, "topic", &good, "Shop/shop");
    assert_eq!(team.ends(&good, "success"), "dev would take it: 1 service built, 2 tests passed");
    // The deployment finds it made.
    let built = team.builds();
    let merged = team.push("develop", "merged");
    let push = json!({ "ref": "refs/heads/develop", "after": merged, "repository": { "full_name": "shop/shop" },
        "pusher": { "name": "ana" } });
    team.machine.delivered(HOOKS, &team.secret, "push", "p", push.to_string().as_bytes());
    let deployments = || {
        let text = team.machine.ok(&team.project, &["deployments", "-e", "dev", "--json"]);
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    };
    until("it is deployed", || deployments().first().is_some_and(|d| d["state"] == "succeeded"));
    assert_eq!(team.builds(), built, "nothing is built twice");

    team.write("jobs/test.sh", "echo 'it is broken'; exit 3\n");
    let bad = team.push("broken", "breaks");
    team.opened(2, "broken", &bad, "shop/shop");
    let words = team.ends(&bad, "failure");
    assert!(words.contains("test"), "{words}");
    team.write("ambit.toml", &team.toml("sh test.sh").replace("kind = \"worker\"", "kind = \"wrong\""));
    let invalid = team.push("invalid", "invalid");
    // On the server lies the one that holds.
    git(&team.project, &["checkout", "-q", "HEAD~1", "--", "ambit.toml"]);
    team.opened(3, "invalid", &invalid, "shop/shop");
    let words = team.ends(&invalid, "failure");
    assert!(words.contains("ambit.toml"), "{words}");
    assert_eq!(deployments().len(), 1, "a pull request deploys nothing");
    team.github.by_hand(|r| assert_eq!(r.odd_answers, Vec::<String>::new()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn of_a_fork_nothing_is_fetched_built_or_run_and_that_is_said() {
    let Some(team) = Team::new() else { return };
    let mark = team.machine.folder.path().join("ran");
    team.write("jobs/test.sh", &format!("touch {}\n", mark.display()));
    // Even where a branch of the same name lies in the repository.
    let commit = team.push("topic", "hostile");
    let built = team.builds();
    team.opened(4, "topic", &commit, "eve/shop");
    assert!(team.ends(&commit, "error").contains("fork"));
    assert!(!mark.exists() && team.builds() == built);
    let kept = team.machine.folder.path().join("home/repositories/shop.git");
    let has = Command::new("git").args(["cat-file", "-e", &commit]).current_dir(kept).status().unwrap();
    assert!(!has.success(), "it is not even fetched");
    // A commit that the branch does not have is not looked at either.
    let gone = "0123456789".repeat(4);
    team.github.by_hand(|r| drop(r.refs.insert("pull/5".to_owned(), gone.clone())));
    team.opened(5, "topic", &gone, "shop/shop");
    team.ends(&gone, "error");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_daemon_that_is_killed_while_it_tests_looks_again_and_what_a_token_lacks_is_named() {
    let Some(team) = Team::new() else { return };
    let gate = team.machine.folder.path().join("go-on");
    team.write("jobs/test.sh", &format!("while ! test -e {}; do sleep 0.1; done\n", gate.display()));
    let commit = team.push("topic", "slow");
    team.opened(6, "topic", &commit, "shop/shop");
    until("it is under way", || team.said(&commit).0 == "pending");
    // No push waits for it.
    let push = json!({ "ref": "refs/heads/other", "after": commit, "repository": { "full_name": "shop/shop" }, "pusher": { "name": "ana" } });
    git(&team.project, &["push", "-q", "origin", "HEAD:other"]);
    team.machine.delivered(HOOKS, &team.secret, "push", "q", push.to_string().as_bytes());
    let log = || team.machine.ok(&team.project, &["log", "--json"]);
    until("the push is taken", || log().contains("push.received"));
    team.machine.kill_daemon();
    fs::write(&gate, "").unwrap();
    team.machine.start_daemon(&team.project);
    team.ends(&commit, "success");

    team.github.by_hand(|r| r.add_token("planted-small-token", &["metadata=read", "contents=read"]));
    team.set_token("planted-small-token");
    let next = team.push("topic", "next");
    team.opened(6, "topic", &next, "shop/shop");
    let told = || team.machine.ok(&team.project, &["notifications", "--json"]);
    until("what it lacks is named", || told().contains("lacks statuses (write)"));
    assert!(!told().contains("planted-small-token"));
}
