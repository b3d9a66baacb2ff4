//! The repository as it is declared, at a server that checks every request against GitHub's published document.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{io::Write, path::PathBuf, process::Stdio};

use ambit_simulators::{
    Fault, Github, contract,
    github::{Plan, Repository},
};
use serde_json::Value;
use support::{Machine, git, until};

const SSH_KEY: &str = "planted-private-key";
const SLACK: &str = "https://hooks.slack.com/services/T/B/planted";

struct Team {
    machine: Machine,
    project: PathBuf,
    github: Github,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    fn new() -> Option<Self> {
        let document = contract("github/openapi.json")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let github = runtime.block_on(Github::start("kaia/kaia", &document)).unwrap();
        let mut machine = Machine::new();
        let project = machine.project("kaia", &["play", "prod"]);
        std::fs::create_dir(project.join("web")).unwrap();
        std::fs::write(project.join("web/index.html"), "Kaia").unwrap();
        let team = Self { machine, project, github, _runtime: runtime };
        team.declare("approvers = [\"@lead\", \"cto@kaia.ai\"]");
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        for (name, value) in [("GITHUB_TOKEN", team.github.token()), ("SSH_KEY", SSH_KEY), ("SLACK", SLACK)] {
            team.set(name, value);
        }
        Some(team)
    }

    fn declare(&self, prod: &str) {
        let text = format!(
            "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.dev]\nbranch = \"develop\"\n\
             [environments.test]\nbranch = \"staging\"\n[environments.prod]\ntag = \"v*\"\n{prod}\n\
             [services.web]\nstatic = \"web\"\nurl = {{ dev = \"dev.@\", test = \"test.@\", prod = \"@\" }}\n\
             [secrets]\nGITHUB_TOKEN = {{ only = [\"prod\"] }}\nSSH_KEY = {{ only = [\"prod\"] }}\nSLACK = {{ only = [\"prod\"] }}\n\
             [notifications]\nslack = {{ prod = \"SLACK\" }}\n\
             [providers.github]\nrepository = \"kaia/kaia\"\nendpoint = \"{}\"\nssh-key = \"SSH_KEY\"\n\
             host = {{ prod = \"ambit@kaia.ai\" }}\nhost-key = \"ssh-ed25519 AAAA\"\n",
            self.github.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    fn declare_more(&self, toml: &str) {
        let text = std::fs::read_to_string(self.project.join("ambit.toml")).unwrap();
        std::fs::write(self.project.join("ambit.toml"), format!("{text}{toml}")).unwrap();
    }

    fn set(&self, name: &str, value: &str) {
        let mut set = self.machine.command(&self.project, &["secret", "set", name, "-e", "prod"]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(set.wait().unwrap().success());
    }

    /// Exit code, standard output and standard error.
    fn runs(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.machine.ambit(&self.project, arguments);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn apply(&self) -> String {
        self.machine.ok(&self.project, &["apply", "--only", "github", "--yes"])
    }

    fn plan(&self) -> (i32, Value) {
        let (code, out, err) = self.runs(&["plan", "--only", "github", "--json"]);
        assert!(code == 0 || code == 2, "{out}\n{err}");
        (code, serde_json::from_str::<Value>(&out).unwrap()["parts"][0].take())
    }

    fn keys(&self) -> Vec<String> {
        let changes = self.plan().1["changes"].take();
        changes.as_array().unwrap().iter().map(|change| change["key"].as_str().unwrap().to_owned()).collect()
    }

    fn remarks(&self) -> Vec<(String, String)> {
        let remarks = self.plan().1["remarks"].take();
        let text = |remark: &Value, key: &str| remark[key].as_str().unwrap().to_owned();
        remarks.as_array().unwrap().iter().map(|r| (text(r, "about"), text(r, "text"))).collect()
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn from_a_repository_with_one_branch_to_the_declared_one_and_then_nothing_is_left_to_do() {
    let Some(team) = Team::new() else { return };
    let keys = team.keys();
    for key in ["branch develop", "protection of main", "tags v* of prod", "environment test", "reviewers of prod"] {
        assert!(keys.contains(&key.to_owned()), "{key} is not in {keys:?}");
    }
    // Without a yes nothing happens.
    let (code, _, said) = team.runs(&["apply", "--only", "github"]);
    assert_eq!((code, team.github.by_hand(|r| r.environments.len())), (1, 0), "{said}");
    let told = team.apply();
    assert!(told.contains(&format!("✓ github: {} changed", keys.len())), "{told}");
    assert_eq!(team.plan().0, 0);
    team.github.by_hand(|r| {
        let prod = &r.environments["prod"];
        assert_eq!(prod.secrets["AMBIT_SSH_KEY"].value, SSH_KEY);
        assert_eq!(prod.variables["AMBIT_HOST"], "ambit@kaia.ai");
        assert_eq!(prod.variables["AMBIT_HOST_KEY"], "kaia.ai ssh-ed25519 AAAA");
        assert_eq!(r.secrets["SLACK_WEBHOOK_URL"].value, SLACK);
        assert_eq!(r.odd_answers, Vec::<String>::new());
        assert!(r.hooks.is_empty());
    });
    // What nobody gave is said, with what would help.
    let remarks = team.remarks();
    let of = |about: &str| remarks.iter().find(|(a, _)| a == about).unwrap_or_else(|| panic!("{remarks:?}")).1.clone();
    assert!(of("variable AMBIT_HOST of test").contains("gh variable set AMBIT_HOST --env test"));
    assert!(of("secret AMBIT_SSH_KEY of dev").contains("ambit secret set SSH_KEY -e dev"));
    assert!(of("reviewers of prod").contains("cto@kaia.ai"));
    assert!(team.machine.ok(&team.project, &["log"]).contains("outside.applied"));
    assert!(team.apply().contains("as declared"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_changed_by_hand_is_shown_with_old_and_new_and_mended_only_after_a_yes() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.github.by_hand(|r| {
        let main = r.protection.get_mut("main").unwrap();
        main["allow_force_pushes"]["enabled"] = true.into();
        main["required_pull_request_reviews"]["required_approving_review_count"] = 0.into();
        r.rulesets[0]["enforcement"] = "disabled".into();
        r.environments
            .get_mut("prod")
            .unwrap()
            .variables
            .insert("AMBIT_HOST".to_owned(), "eve@evil.example".to_owned());
        r.environments.get_mut("test").unwrap().patterns.push((7, "branch".to_owned(), "feature/*".to_owned()));
        r.write_secret("prod", "AMBIT_SSH_KEY", "by hand");
    });
    let (code, out, _) = team.runs(&["plan", "--only", "github"]);
    assert_eq!(code, 2);
    for said in [
        "approving reviews 0 → 1",
        "push by force allowed → refused",
        "eve@evil.example → ambit@kaia.ai",
        "somebody else",
    ] {
        assert!(out.contains(said), "{said} is not in {out}");
    }
    assert_eq!(team.keys().len(), 5, "{:?}", team.keys());
    assert_eq!(team.github.by_hand(|r| r.environments["prod"].variables["AMBIT_HOST"].clone()), "eve@evil.example");
    // One environment's alone.
    team.machine.ok(&team.project, &["apply", "--only", "github", "-e", "test", "--yes"]);
    assert_eq!(team.github.by_hand(|r| r.environments["test"].patterns.len()), 1);
    assert_eq!(team.keys().len(), 4);
    team.apply();
    assert_eq!(team.plan().0, 0);
    team.github.by_hand(|r| {
        assert_eq!(r.environments["prod"].secrets["AMBIT_SSH_KEY"].value, SSH_KEY);
        assert_eq!(r.rulesets[0]["enforcement"], "active");
    });
    // Another value is another plan, and one that is no longer declared goes.
    team.set("SSH_KEY", "another-private-key");
    assert_eq!(team.keys(), ["secret AMBIT_SSH_KEY of prod"]);
    let text = std::fs::read_to_string(team.project.join("ambit.toml")).unwrap();
    std::fs::write(team.project.join("ambit.toml"), text.replace("slack = { prod = \"SLACK\" }\n", "")).unwrap();
    assert_eq!(team.keys(), ["secret AMBIT_SSH_KEY of prod", "secret SLACK_WEBHOOK_URL"]);
    team.apply();
    assert!(team.github.by_hand(|r| r.secrets.is_empty()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_plan_of_the_owner_that_has_less_is_said_once_and_is_no_drift() {
    let Some(team) = Team::new() else { return };
    team.github.by_hand(|r| (r.private, r.plan, r.plan_is_told) = (true, Plan::Team, false));
    assert!(team.keys().contains(&"reviewers of prod".to_owned()), "nobody can know it yet");
    let told = team.apply();
    assert!(told.contains("! github: reviewers of prod was refused") && told.contains("billing plan"), "{told}");
    assert_eq!(team.plan().0, 0);
    assert!(team.remarks().iter().any(|(about, text)| about == "reviewers of prod" && text.contains("ambit approve")));
    // It is asked for again when the repository is everybody's.
    team.github.by_hand(|r| r.private = false);
    assert_eq!(team.keys(), ["reviewers of prod"]);
    team.apply();
    assert_eq!(team.github.by_hand(|r| r.environments["prod"].reviewers.len()), 1);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_webhook_is_made_where_ambit_has_one_and_its_secret_is_known_to_both() {
    let Some(team) = Team::new() else { return };
    // The proxy is where GitHub's deliveries come in.
    team.declare_more("[environments.play]\nkind = \"development\"\n");
    team.machine.ok(&team.project, &["up", "play", "--listen", &format!("127.0.0.1:{}", team.machine.port)]);
    let added = team.machine.ok(&team.project, &["webhook", "add", "github", "--json"]);
    let secret = serde_json::from_str::<Value>(&added).unwrap()["secret"].as_str().unwrap().to_owned();
    team.apply();
    team.github.by_hand(|r| {
        assert_eq!(
            (r.hooks[0].0["config"]["url"].as_str(), &r.hooks[0].1),
            (Some("https://hooks.kaia.ai/github"), &secret)
        );
        assert_eq!(r.hooks[0].0["events"].as_array().unwrap().len(), 5);
        r.hooks[0].0["active"] = false.into();
    });
    assert_eq!(team.keys(), ["webhook https://hooks.kaia.ai/github"]);
    team.machine.ok(&team.project, &["webhook", "rotate"]);
    team.apply();
    assert_eq!(team.plan().0, 0);
    assert!(team.github.by_hand(|r| r.hooks.len() == 1 && r.hooks[0].1 != secret && r.hooks[0].0["active"] == true));
}

impl Team {
    /// Begins anew; how many requests come before the first write, and how many there are.
    fn requests(&self) -> (usize, usize) {
        let count = || self.github.by_hand(|r| r.requests());
        self.plan();
        let reads = count();
        self.anew();
        self.apply();
        // The plan reads, the daemon reads again, and then it writes.
        (2 * reads, count())
    }

    fn anew(&self) {
        self.github.by_hand(|r| *r = Repository::new("kaia/kaia"));
    }

    /// An apply completes, and nothing is there twice.
    fn is_completed(&self, broken: &str) {
        self.apply();
        assert_eq!(self.plan().0, 0, "{broken}");
        self.github.by_hand(|r| {
            assert_eq!((r.refs.len(), r.rulesets.len(), r.environments.len()), (3, 1, 3), "{broken}");
            assert!(r.environments.values().all(|e| e.patterns.len() == 1), "{broken}");
        });
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn whatever_fails_at_a_write_the_next_apply_does_the_rest_and_nothing_twice() {
    let Some(team) = Team::new() else { return };
    let (first, all) = team.requests();
    for before in (first..all).step_by(7) {
        for fault in [Fault::Status(502), Fault::TooMany("0".to_owned()), Fault::Close, Fault::CloseAfter] {
            team.anew();
            team.github.fail_after(before, fault.clone());
            team.runs(&["apply", "--only", "github", "--yes"]);
            team.is_completed(&format!("{fault:?} after {before}"));
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn killed_at_a_write_apply_completes_when_it_is_run_again() {
    let Some(team) = Team::new() else { return };
    let (first, all) = team.requests();
    for before in (first..all).step_by(4) {
        team.anew();
        team.github.fail_after(before, Fault::HangAfter);
        let mut command = team.machine.command(&team.project, &["apply", "--only", "github", "--yes"]);
        let mut applying = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the request came", || team.github.by_hand(|r| r.requests()) > before);
        applying.kill().unwrap();
        applying.wait().unwrap();
        team.machine.kill_daemon();
        team.is_completed(&format!("killed after {before}"));
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn no_secret_and_no_token_stands_in_an_output_or_a_file() {
    let Some(team) = Team::new() else { return };
    let (_, out, err) = team.runs(&["plan", "--only", "github", "--out", "github.plan"]);
    let kept = std::fs::read_to_string(team.project.join("github.plan")).unwrap();
    let told = team.machine.ok(&team.project, &["apply", "github.plan", "--yes"]);
    for secret in [SSH_KEY, SLACK, team.github.token()] {
        assert!(![&out, &err, &kept, &told].iter().any(|text| text.contains(secret)));
        let home = team.machine.folder.path().join("home");
        let found = std::process::Command::new("grep").args(["-rlaF", secret]).arg(&home).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file holds it");
    }
    // A token that may not do it says which permission it lacks.
    team.github.by_hand(|r| r.add_token("small-token", &["metadata=read", "contents=write", "administration=read"]));
    team.set("GITHUB_TOKEN", "small-token");
    let (code, _, said) = team.runs(&["plan", "--only", "github"]);
    assert!(code == 1 && said.contains("lacks actions (read)") && !said.contains("small-token"), "{said}");
}

const PROD: &str = "branch = \"main\"\ngates = [\"issues\"]\nsoak = \"1s\"";

/// A project that is deployed on this machine.
struct Deployed {
    team: Team,
}

impl Deployed {
    fn new() -> Option<Self> {
        let team = Team::new()?;
        let text = std::fs::read_to_string(team.project.join("ambit.toml")).unwrap();
        let text = text.replace("tag = \"v*\"\napprovers = [\"@lead\", \"cto@kaia.ai\"]", PROD);
        std::fs::write(team.project.join("ambit.toml"), text).unwrap();
        git(&team.project, &["init", "-q", "-b", "main"]);
        git(&team.project, &["config", "user.email", "ana@kaia.ai"]);
        let deployed = Self { team };
        deployed.commit("one");
        let Team { machine, project, .. } = &deployed.team;
        machine.ok(project, &["up", "prod", "--listen", &format!("127.0.0.1:{}", machine.port)]);
        Some(deployed)
    }

    /// A commit that GitHub has, too.
    fn commit(&self, text: &str) -> String {
        let Team { project, github, .. } = &self.team;
        std::fs::write(project.join("web/index.html"), text).unwrap();
        git(project, &["add", "-A"]);
        git(project, &["commit", "-q", "-m", text]);
        let head = std::process::Command::new("git").args(["rev-parse", "HEAD"]).current_dir(project).output().unwrap();
        let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
        github.by_hand(|r| drop(r.refs.insert("heads/main".to_owned(), head.clone())));
        head
    }

    /// Statuses of a commit's deployments at GitHub, the newest first.
    fn told(&self, commit: &str) -> Vec<String> {
        self.team.github.by_hand(|r| {
            let of = r.deployments.iter().filter(|(d, _)| d["sha"] == commit);
            of.flat_map(|(_, all)| all).map(|status| status["state"].as_str().unwrap().to_owned()).collect()
        })
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_open_critical_issue_closes_the_gate_and_github_hears_how_the_deployment_went() {
    let Some(deployed) = Deployed::new() else { return };
    let Team { github, .. } = &deployed.team;
    github.by_hand(|r| {
        r.add_issue("sign-in fails", &["critical"], false);
        r.add_issue("mends it", &["critical"], true);
    });
    let first = deployed.commit("two");
    let (code, out, said) = deployed.team.runs(&["deploy", "-e", "prod", "--wait"]);
    assert!(code != 0 && format!("{out}{said}").contains("#1 sign-in fails"), "{out}{said}");
    assert!(!format!("{out}{said}").contains("mends it"), "a pull request is no issue");
    until("GitHub hears of it", || deployed.told(&first).first().is_some_and(|newest| newest == "failure"));

    github.by_hand(|r| r.issues[0]["state"] = "closed".into());
    let second = deployed.commit("three");
    deployed.team.machine.ok(&deployed.team.project, &["deploy", "-e", "prod", "--wait"]);
    until("GitHub hears of it", || deployed.told(&second).first().is_some_and(|newest| newest == "success"));
    github.by_hand(|r| {
        let (_, status) = r.statuses.iter().find(|(sha, _)| *sha == second).unwrap();
        assert_eq!((status["context"].as_str(), status["state"].as_str()), (Some("ambit/prod"), Some("success")));
        assert_eq!(r.odd_answers, Vec::<String>::new());
    });

    // Nobody passes because nobody could be asked.
    deployed.team.set("GITHUB_TOKEN", "expired");
    deployed.commit("four");
    let (code, out, said) = deployed.team.runs(&["deploy", "-e", "prod", "--wait"]);
    assert!(code != 0 && format!("{out}{said}").contains("GitHub could not be asked for issues"), "{out}{said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn import_takes_over_rulesets_and_secrets_that_do_what_is_declared_and_changes_nothing_of_what_they_do() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let ruleset = team.github.by_hand(|r| {
        r.rulesets[0]["name"] = "releases stay".into();
        r.rulesets[0]["enforcement"] = "evaluate".into();
        r.write_secret("prod", "AMBIT_SSH_KEY", "by hand");
        r.write_secret("prod", "NOBODYS", "by hand");
        r.rulesets[0].clone()
    });
    assert!(team.keys().contains(&"tags v* of prod".to_owned()));
    let (code, _, said) = team.runs(&["import", "--only", "github"]);
    assert!(code == 1 && said.contains("nobody said yes"), "{said}");
    let told = team.machine.ok(&team.project, &["import", "--only", "github", "--yes"]);
    assert!(told.contains("releases stay → ambit:kaia/prod") && told.contains("github: 2 taken over"), "{told}");
    team.github.by_hand(|r| {
        assert_eq!((r.rulesets.len(), r.rulesets[0]["name"].as_str()), (1, Some("ambit:kaia/prod")));
        assert_eq!(r.rulesets[0]["rules"], ruleset["rules"]);
        assert_eq!(r.environments["prod"].secrets["AMBIT_SSH_KEY"].value, "by hand");
        assert_eq!(r.odd_answers, Vec::<String>::new());
    });
    let told = team.machine.ok(&team.project, &["import", "--only", "github", "--yes"]);
    assert!(told.contains("nothing of somebody else's"), "{told}");
    // The next plan shows what would change in it.
    assert_eq!(team.keys(), ["tags v* of prod", "secret AMBIT_SSH_KEY of prod"]);
    team.apply();
    assert_eq!(team.plan().0, 0);
    team.github.by_hand(|r| {
        assert_eq!((r.rulesets.len(), r.rulesets[0]["enforcement"].as_str()), (1, Some("active")));
        assert_eq!(r.environments["prod"].secrets["AMBIT_SSH_KEY"].value, SSH_KEY);
    });
    assert!(team.machine.ok(&team.project, &["log"]).contains("outside.imported"));
    // Who cannot look takes nothing over.
    team.github.by_hand(|r| r.moved = true);
    let (code, _, said) = team.runs(&["import", "--only", "github", "--yes"]);
    assert!(code != 0 && said.contains("the repository was renamed or moved"), "{said}");
}

/// A repository whose tags go to production, on this machine.
fn tagged() -> Option<Deployed> {
    let team = Team::new()?;
    let file = team.project.join("ambit.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("approvers = [\"@lead\", \"cto@kaia.ai\"]", "gates = []\nsoak = \"1s\""))
        .unwrap();
    git(&team.project, &["init", "-q", "-b", "main"]);
    git(&team.project, &["config", "user.email", "ana@kaia.ai"]);
    Some(Deployed { team })
}

impl Deployed {
    fn tag(&self, tag: &str, text: &str) {
        let commit = self.commit(text);
        git(&self.team.project, &["tag", tag]);
        self.team.github.by_hand(|r| drop(r.refs.insert(format!("tags/{tag}"), commit)));
    }

    fn deploy(&self, tag: &str) {
        self.team.machine.ok(&self.team.project, &["deploy", "-e", "prod", "--ref", tag, "--wait"]);
    }

    /// What the release of a tag says, as soon as GitHub has one that is no draft.
    fn notes(&self, tag: &str) -> String {
        let found = || {
            self.team.github.by_hand(|r| {
                let of: Vec<_> = r.releases.iter().filter(|r| r["tag_name"] == tag).cloned().collect();
                assert!(of.len() < 2, "it is there twice: {of:#?}");
                of.first().filter(|r| r["draft"] == false).map(|r| r["body"].as_str().unwrap().to_owned())
            })
        };
        until("GitHub has the release", || found().is_some());
        found().unwrap()
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_tag_that_serves_in_production_gets_its_release_with_notes_and_one_of_a_workflow_keeps_its_own() {
    let Some(deployed) = tagged() else { return };
    let Team { machine, project, github, .. } = &deployed.team;
    let changelog = "# Changelog\n\n## 1.1.0\n- chat for @everybody\n\n## 1.0.0\n- the beginning\n";
    std::fs::write(project.join("CHANGELOG.md"), changelog).unwrap();
    deployed.tag("v1.0.0", "one");
    machine.ok(project, &["up", "prod", "--listen", &format!("127.0.0.1:{}", machine.port)]);
    let first = deployed.notes("v1.0.0");
    assert!(first.contains("the beginning") && !first.contains("Changes since"), "{first}");

    deployed.commit("@everyone <img src=x> [free](https://evil.example)");
    // The answer to what makes it is lost: it is not made twice.
    github.fail_after(4, Fault::CloseAfter);
    deployed.tag("v1.1.0", "two");
    deployed.deploy("v1.1.0");
    let notes = deployed.notes("v1.1.0");
    assert!(notes.contains("Changes since v1\\.0\\.0") && notes.contains("- two ("), "{notes}");
    for absent in ["the beginning", "@everyone", "@everybody", "<img", "https://evil", "- one ("] {
        assert!(!notes.contains(absent), "{absent} is in {notes}");
    }

    // A workflow was first, with a draft that waits for the deployment: it is published with its own words.
    deployed.tag("v1.2.0", "three");
    github.by_hand(|r| {
        let mut draft = r.releases[0].clone();
        (draft["id"], draft["tag_name"], draft["draft"]) = (77.into(), "v1.2.0".into(), true.into());
        draft["body"] = "## What's Changed".into();
        r.releases.push(draft);
    });
    deployed.deploy("v1.2.0");
    assert_eq!(deployed.notes("v1.2.0"), "## What's Changed");

    // GitHub would make a tag that it does not have, of another commit.
    deployed.tag("v1.3.0", "four");
    github.by_hand(|r| drop(r.refs.remove("tags/v1.3.0")));
    let before = github.by_hand(|r| r.deployments.len());
    deployed.deploy("v1.3.0");
    until("GitHub hears of it", || {
        let (count, newest) = github.by_hand(|r| {
            let newest = r.deployments.last().and_then(|(_, all)| Some(all.first()?["state"] == "success"));
            (r.deployments.len(), newest)
        });
        count > before && newest == Some(true)
    });
    let sent = || {
        let told = machine.ok(project, &["notifications", "-e", "prod", "--json"]);
        let told: Vec<Value> = serde_json::from_str(&told).unwrap();
        let mut to_github = told.iter().map(|row| &row["delivery"]).filter(|d| d["channel"] == "github");
        to_github.clone().count() >= 8 && to_github.all(|d| d["state"] == "sent")
    };
    until("everything is told", sent);
    github.by_hand(|r| {
        assert_eq!(r.releases.len(), 3);
        assert_eq!(r.odd_answers, Vec::<String>::new());
    });
}
