//! Project tokens of Railway that Ambit makes and hands to GitHub, at servers that check each request against what both services publish.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/railway.rs"]
mod railway;
mod support;

use std::{io::Write, path::PathBuf, process::Stdio};

use ambit_simulators::{Fault, Github, Railway, contract};
use serde_json::Value;
use support::{Machine, until};

struct Team {
    machine: Machine,
    project: PathBuf,
    railway: Railway,
    github: Github,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    fn new() -> Option<Self> {
        let document = contract("github/openapi.json")?;
        let (railway, runtime) = railway::start()?;
        let github = runtime.block_on(Github::start("shop/shop", &document)).unwrap();
        railway.account().limit(1_000_000);
        let mut machine = Machine::new();
        let project = machine.project("shop", &["dev", "prod"]);
        let team = Self { machine, project, railway, github, _runtime: runtime };
        team.declare();
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        team.set("RAILWAY_TOKEN", team.railway.token());
        team.set("GITHUB_TOKEN", team.github.token());
        Some(team)
    }

    fn declare(&self) {
        let text = format!(
            "project = \"shop\"\n[environments.dev]\nbranch = \"develop\"\n[environments.prod]\ntag = \"v*\"\n\
             [services.api]\nrun = \"bin/api\"\n[secrets]\nRAILWAY_TOKEN = {{ only = [\"prod\"] }}\nGITHUB_TOKEN = {{ only = [\"prod\"] }}\n\
             [providers.railway]\nproject = {{ dev = \"shop-dev\", prod = \"shop\" }}\nendpoint = \"{}\"\n\
             [providers.github]\nrepository = \"shop/shop\"\nendpoint = \"{}\"\n",
            self.railway.base(),
            self.github.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    fn set(&self, name: &str, value: &str) {
        let mut set = self.machine.command(&self.project, &["secret", "set", name, "-e", "prod"]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(set.wait().unwrap().success());
    }

    fn apply(&self) -> String {
        self.machine.ok(&self.project, &["apply", "--only", "railway,github", "--yes"])
    }

    /// What is done and what is told of GitHub.
    fn plan(&self, only: &str) -> (Vec<String>, String) {
        let output = self.machine.ambit(&self.project, &["plan", "--only", only, "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let plan: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
        let part = plan["parts"].as_array().unwrap().iter().find(|p| p["place"] == "github").unwrap();
        let said = |c: &Value| format!("{} {}", c["action"].as_str().unwrap(), c["key"].as_str().unwrap());
        (part["changes"].as_array().unwrap().iter().map(said).collect(), part["remarks"].to_string())
    }

    fn changes(&self) -> Vec<String> {
        self.plan("github").0
    }

    /// Names and values of an environment's tokens at Railway.
    fn tokens(&self, project: &str) -> Vec<(String, String)> {
        self.railway.account().by_hand(|world| {
            let project = world.projects.iter().find(|p| p.name == project).unwrap();
            project.tokens.iter().map(|[_, name, _, token]| (name.clone(), token.clone())).collect()
        })
    }

    fn secret(&self, environment: &str) -> Option<String> {
        self.github.by_hand(|r| Some(r.environments.get(environment)?.secrets.get("RAILWAY_TOKEN")?.value.clone()))
    }

    fn lose_secret(&self) {
        self.github.by_hand(|r| drop(r.environments.get_mut("dev").unwrap().secrets.remove("RAILWAY_TOKEN")));
    }

    /// Each environment has one token, which is its secret at GitHub.
    fn is_whole(&self, broken: &str) {
        assert_eq!(self.changes(), Vec::<String>::new(), "{broken}");
        for (environment, project) in [("dev", "shop-dev"), ("prod", "shop")] {
            let tokens = self.tokens(project);
            let [(name, token)] = tokens.as_slice() else { panic!("{broken}: {tokens:?}") };
            assert!(name.starts_with(&format!("ambit:shop/{environment} ")), "{name}");
            assert_eq!(self.secret(environment).as_ref(), Some(token), "{broken}");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn one_apply_makes_a_token_for_each_environment_and_the_next_plan_has_nothing_to_do() {
    let Some(team) = Team::new() else { return };
    let (_, told) = team.plan("github");
    assert!(told.contains("ambit apply --only railway makes its project first"), "{told}");
    assert!(team.plan("railway,github").0.contains(&"create secret RAILWAY_TOKEN of prod".to_owned()));
    team.apply();
    team.is_whole("made");
    let (_, token) = team.tokens("shop").remove(0);
    assert!(team.apply().contains("as declared"));
    assert_eq!(team.tokens("shop")[0].1, token, "none is made anew");
    // It stands in no file and in nothing that is told.
    let home = team.machine.folder.path().join("home");
    let found = std::process::Command::new("grep").args(["-rlaF", &token]).arg(&home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    team.github.by_hand(|r| assert_eq!(r.odd_answers, Vec::<String>::new()));
    assert_eq!(team.railway.refused(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_token_that_vanished_at_either_side_is_replaced_after_a_yes_and_the_old_one_deleted() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let (_, first) = team.tokens("shop-dev").remove(0);
    team.lose_secret();
    assert_eq!(team.changes(), ["create secret RAILWAY_TOKEN of dev"]);
    team.apply();
    team.is_whole("the secret was gone");
    let (_, second) = team.tokens("shop-dev").remove(0);
    assert_ne!(first, second);

    team.railway.account().by_hand(|world| world.projects.iter_mut().for_each(|p| p.tokens.clear()));
    assert_eq!(team.changes(), ["change secret RAILWAY_TOKEN of dev", "change secret RAILWAY_TOKEN of prod"]);
    team.apply();
    team.is_whole("the tokens were gone");

    team.github.by_hand(|r| r.write_secret("dev", "RAILWAY_TOKEN", "by hand"));
    let (code, told) = {
        let output = team.machine.ambit(&team.project, &["plan", "--only", "github"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(
        code == Some(2) && told.contains("somebody else") && told.contains("a new project token of shop-dev"),
        "{told}"
    );
    team.apply();
    team.is_whole("it was set by hand");

    // Somebody's own token stays; one with the mark that nobody uses goes.
    team.railway.account().by_hand(|world| {
        let project = world.projects.iter_mut().find(|p| p.name == "shop-dev").unwrap();
        let environment = project.environments[0].id.clone();
        for (id, name) in [("1", "ana's"), ("2", "ambit:shop/dev 0badcafe")] {
            project.tokens.push([id, name, environment.as_str(), "t"].map(str::to_owned));
        }
    });
    assert_eq!(team.changes(), ["delete token ambit:shop/dev 0badcafe at Railway"]);
    team.apply();
    assert_eq!(team.tokens("shop-dev").len(), 2);
    assert_eq!(team.changes(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_secret_of_a_persons_stays_and_a_declared_one_wins() {
    let Some(team) = Team::new() else { return };
    team.machine.ok(&team.project, &["apply", "--only", "railway", "--yes"]);
    team.github.by_hand(|r| drop(r.environments.insert("dev".to_owned(), Default::default())));
    team.github.by_hand(|r| r.write_secret("dev", "RAILWAY_TOKEN", "by hand"));
    team.apply();
    assert_eq!((team.secret("dev").as_deref(), team.tokens("shop-dev").len()), (Some("by hand"), 0));
    assert_eq!(team.tokens("shop").len(), 1);

    let file = team.project.join("ambit.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("[secrets]\n", "[secrets]\nRAILWAY_PROJECT_TOKEN = { only = [\"prod\"] }\n"))
        .unwrap();
    team.set("RAILWAY_PROJECT_TOKEN", "declared-token");
    let changes = team.changes();
    assert!(
        changes[0] == "change secret RAILWAY_TOKEN of prod" && changes[1].starts_with("delete token"),
        "{changes:?}"
    );
    team.apply();
    assert_eq!((team.secret("prod").as_deref(), team.tokens("shop").len()), (Some("declared-token"), 0));
    assert_eq!(team.changes(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_token_of_the_account_that_does_not_do_is_said_and_github_goes_on_without_it() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.lose_secret();
    team.set("RAILWAY_TOKEN", "expired-planted-token");
    let (changes, told) = team.plan("github");
    assert!(changes.is_empty() && told.contains("Railway does not authorize that"), "{changes:?} {told}");
    assert!(told.contains("secret RAILWAY_TOKEN of prod"), "what it cannot vouch for is said: {told}");
    assert!(!told.contains("expired-planted-token"));
    // A project that is no longer the team's keeps what GitHub deploys by.
    team.set("RAILWAY_TOKEN", team.railway.token());
    team.github.by_hand(|r| r.write_secret("dev", "RAILWAY_TOKEN", "by hand"));
    team.railway.account().by_hand(|world| world.projects.iter_mut().for_each(|p| p.description.clear()));
    assert_eq!(team.changes(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn killed_at_any_request_of_either_service_the_next_apply_leaves_one_token() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let killed = |at: &dyn Fn(), came: &dyn Fn() -> bool, what: &str| {
        team.lose_secret();
        at();
        let mut command = team.machine.command(&team.project, &["apply", "--only", "github", "--yes"]);
        let mut applying = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the request came", came);
        applying.kill().unwrap();
        applying.wait().unwrap();
        team.machine.kill_daemon();
        team.railway.forget_faults();
        team.github.forget_faults();
        team.apply();
        team.is_whole(what);
    };
    team.lose_secret();
    let count = || (team.railway.accepted().len(), team.github.by_hand(|r| r.requests()));
    let before = count();
    team.machine.ok(&team.project, &["apply", "--only", "github", "--yes"]);
    let all = (count().0 - before.0, count().1 - before.1);
    assert!(all.0 > 6, "{all:?}");
    for (n, fault) in (0..all.0).zip([Fault::HangAfter, Fault::Hang].into_iter().cycle()) {
        let hung = team.railway.hung();
        let at = || team.railway.fail_after(n, fault.clone());
        killed(&at, &|| team.railway.hung() > hung, &format!("{fault:?} at Railway after {n}"));
    }
    // The last of GitHub's are the key, the secret, and the moment of it.
    for n in all.1 - 3..all.1 {
        let hung = team.github.hung();
        killed(&|| team.github.fail_after(n, Fault::HangAfter), &|| team.github.hung() > hung, &format!("GitHub {n}"));
    }
}
