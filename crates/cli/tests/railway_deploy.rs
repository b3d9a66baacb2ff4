//! Deployments of an environment that lives at Railway, in the words that are used for this machine.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/railway.rs"]
mod railway;
mod support;

use std::{path::PathBuf, process::Command};

use ambit_simulators::Railway;
use serde_json::Value;
use support::{Machine, git};

struct Team {
    machine: Machine,
    project: PathBuf,
    railway: Railway,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    /// A shop whose only environment lives at Railway, applied and never deployed by Ambit.
    fn new() -> Option<Self> {
        Self::with("", "")
    }

    /// The same with more keys of the environment, and more services.
    fn with(environment: &str, services: &str) -> Option<Self> {
        let (railway, runtime) = railway::start()?;
        let mut machine = Machine::new();
        let project = machine.project("shop", &["dev"]);
        let team = Self { machine, project, railway, _runtime: runtime };
        std::fs::create_dir(team.project.join("api")).unwrap();
        std::fs::create_dir(team.project.join("web")).unwrap();
        let text = format!(
            "project = \"shop\"\ndomain = \"shop.example\"\n[environments.dev]\nbranch = \"develop\"\n{environment}{services}\
             [services.api]\nsource = \"api\"\nbuild = \"true\"\nrun = \"sleep 1000\"\nurl = \"api.@\"\n[services.postgres]\n\
             [secrets]\nRAILWAY_TOKEN = {{}}\n\
             [providers.railway]\nproject = \"shop-dev\"\nservice = \"api-dev\"\nendpoint = \"{}\"\n\
             [providers.github]\nrepository = \"shop/shop\"\n",
            team.railway.base()
        );
        std::fs::write(team.project.join("ambit.toml"), text).unwrap();
        git(&team.project, &["init", "-q", "-b", "develop"]);
        git(&team.project, &["config", "user.email", "ana@example.org"]);
        git(&team.project, &["config", "user.name", "Ana"]);
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        let token = format!("RAILWAY_TOKEN={}\n", team.railway.token());
        std::fs::write(team.machine.folder.path().join("token.env"), token).unwrap();
        team.machine.ok(&team.project, &["secret", "set", "--from", "../token.env", "-e", "dev"]);
        team.commit("first");
        team.machine.ok(&team.project, &["apply", "--only", "railway", "--yes"]);
        Some(team)
    }

    /// A commit of something else; its hash.
    fn commit(&self, what: &str) -> String {
        std::fs::write(self.project.join("api/version"), what).unwrap();
        std::fs::write(self.project.join("web/index.html"), what).unwrap();
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-qm", what]);
        let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&self.project).output().unwrap();
        String::from_utf8(head.stdout).unwrap().trim().to_owned()
    }

    /// Exit code, and everything that was said.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.machine.ambit(&self.project, arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }

    fn app(&self) -> Value {
        let status: Value = serde_json::from_str(&self.machine.ok(&self.project, &["status", "--json"])).unwrap();
        let services = status["hosted"][0]["services"].as_array().unwrap().clone();
        services.into_iter().find(|s| s["name"] == "api-dev").unwrap()
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_is_deployed_there_serves_there_and_goes_back_there() {
    let Some(team) = Team::new() else { return };
    let one = team.commit("one");
    let (code, said) = team.run(&["deploy", "-e", "dev", "--wait"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("to dev at Railway"), "{said}");
    let app = team.app();
    assert_eq!((app["commit"].as_str(), app["healthy"].as_bool()), (Some(one.as_str()), Some(true)), "{app}");

    let two = team.commit("two");
    assert_eq!(team.run(&["deploy", "-e", "dev", "--wait"]).0, 0);
    assert_eq!(team.app()["commit"].as_str(), Some(two.as_str()));
    let (code, logs) = team.run(&["logs", "-e", "dev", "--at", "railway"]);
    assert!(code == 0 && logs.contains("dev/api-dev"), "{logs}");
    let searched = ["logs", "-e", "dev", "--at", "railway", "--grep"];
    assert_eq!(team.run(&[&searched[..], &["."]].concat()).1, logs);
    assert_eq!(team.run(&[&searched[..], &["nobody printed this"]].concat()), (0, String::new()));
    assert_eq!(team.run(&["logs", "-e", "dev", "--at", "railway", "--release", "abc"]).0, 1);

    let (code, said) = team.run(&["rollback", "dev", "--wait", "--reason", "two is broken"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(team.app()["commit"].as_str(), Some(one.as_str()), "{said}");
    let log = team.machine.ok(&team.project, &["log"]);
    assert!(log.contains("deployment.live"), "{log}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_fails_there_is_told_with_its_last_words_and_leaves_what_served() {
    let Some(team) = Team::new() else { return };
    let good = team.commit("good");
    assert_eq!(team.run(&["deploy", "-e", "dev", "--wait"]).0, 0);
    team.railway.account().by_hand(|world| world.fails_in = Some("BUILDING".to_owned()));
    team.commit("bad");
    let (code, said) = team.run(&["deploy", "-e", "dev", "--wait"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("what served before still does"), "{said}");
    let preview = team.run(&["deployments", "-e", "dev"]).1;
    assert!(preview.contains(&good[..7]), "{preview}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_daemon_that_is_killed_goes_on_and_asks_for_nothing_twice() {
    let Some(team) = Team::new() else { return };
    team.railway.account().by_hand(|world| world.slow = 3);
    let commit = team.commit("one");
    assert_eq!(team.run(&["deploy", "-e", "dev", "--detach"]).0, 0);
    let there = |team: &Team| {
        team.railway.account().by_hand(|world| {
            let instances = world.projects.iter().flat_map(|p| &p.environments).flat_map(|e| e.instances.values());
            instances.flat_map(|i| &i.deployments).filter(|d| d.commit.as_deref() == Some(commit.as_str())).count()
        })
    };
    support::until("it was asked for", || there(&team) > 0);
    team.machine.kill_daemon();
    team.machine.start_daemon(&team.project);
    support::until("it serves", || team.app()["healthy"] == true && team.app()["commit"] == commit.as_str());
    assert_eq!(there(&team), 1);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_sites_of_what_lives_there_are_on_this_machine_and_follow_each_deployment() {
    let web = "[services.web]\nstatic = \"web\"\nurl = \"@\"\nexpose = [\"API\"]\n[variables]\nAPI = \"${api.url}\"\n";
    let Some(team) = Team::with("on = \"railway\"\n", web) else { return };
    let of = |path: &str| {
        let answer = team.machine.get("shop.localhost", path);
        answer.split_once("\r\n\r\n").map_or_else(|| answer.clone(), |(_, body)| body.to_owned())
    };
    let page = || of("/");
    let said = team.machine.up(&team.project);
    assert!(said.contains("http://shop.localhost") && !said.contains("api.shop"), "{said}");
    assert_eq!(page(), "first");
    let config = of("/env.js");
    assert!(config.contains("https://api.shop.example"), "the site is told where the app is: {config}");
    let status: Value = serde_json::from_str(&team.machine.ok(&team.project, &["status", "--json"])).unwrap();
    let here = status["status"]["environments"][0]["services"].as_array().unwrap().clone();
    let names: Vec<&str> = here.iter().filter_map(|s| s["service"].as_str()).collect();
    assert_eq!(names, ["web"], "neither app nor database runs here: {status:#}");

    let one = team.commit("one");
    let (code, said) = team.run(&["deploy", "-e", "dev", "--wait"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!((team.app()["commit"].as_str(), page().as_str()), (Some(one.as_str()), "one"), "{said}");
    team.commit("two");
    assert_eq!(team.run(&["deploy", "-e", "dev", "--wait"]).0, 0);
    assert_eq!(page(), "two");
    let (code, said) = team.run(&["rollback", "dev", "--wait", "--reason", "two is broken"]);
    assert_eq!((code, page().as_str()), (0, "one"), "{said}");

    let (code, said) = team.run(&["deploy", "-e", "dev", "--to", "host"]);
    assert!(code == 1 && said.contains("ambit move -e dev --to host"), "{said}");
    team.machine.up(&team.project);
    assert_eq!(page(), "two", "up lays out what is in the folder");
}
