//! Monitors as they are declared, at a server that checks every request against UptimeRobot's published document.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{path::PathBuf, time::Duration};

use ambit_simulators::{Fault, UptimeRobot, contract};
use serde_json::Value;
use support::Machine;

struct Team {
    machine: Machine,
    project: PathBuf,
    uptimerobot: UptimeRobot,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    fn new() -> Option<Self> {
        let document = contract("uptimerobot/openapi.v3.json")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let uptimerobot = runtime.block_on(UptimeRobot::start(&document)).unwrap();
        let mut machine = Machine::new();
        let project = machine.project("kaia", &["test"]);
        let team = Self { machine, project, uptimerobot, _runtime: runtime };
        team.declare("full", &["api", "web"]);
        Some(team)
    }

    fn declare(&self, level: &str, services: &[&str]) {
        let services: String = services
            .iter()
            .map(|name| match *name {
                "api" => "[services.api]\nrun = \"true\"\nhealth = \"/ready\"\n\
                     url = { test = \"api-test.@\", prod = \"api.@\" }\n"
                    .to_owned(),
                site => format!(
                    "[services.{site}]\nstatic = \"web\"\nurl = {{ test = \"{site}-test.@\", prod = \"{site}.@\" }}\n"
                ),
            })
            .collect();
        let text = format!(
            "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.test]\n[environments.prod]\n{services}\
             [monitoring]\nlevel = {{ test = \"basic\", prod = \"{level}\" }}\nalert = {{ prod = [\"email\", \"slack\"] }}\n\
             [providers.uptimerobot]\nendpoint = \"{}\"\n",
            self.uptimerobot.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn runs(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.machine.command(&self.project, arguments);
        let output = command.env("UPTIMEROBOT_API_KEY", self.uptimerobot.token()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.runs(arguments);
        assert_eq!(code, 0, "ambit {arguments:?}\n{out}\n{err}");
        out
    }

    fn apply(&self) -> String {
        self.ok(&["apply", "--only", "uptimerobot", "--yes"])
    }

    fn plan(&self) -> (i32, Value) {
        let (code, out, err) = self.runs(&["plan", "--only", "uptimerobot", "--json"]);
        assert!(code == 0 || code == 2, "{out}\n{err}");
        (code, serde_json::from_str::<Value>(&out).unwrap()["parts"][0].take())
    }

    fn set(&self, name: &str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        self.uptimerobot.by_hand(|monitors| {
            monitors.iter_mut().find(|m| m["friendlyName"] == name).unwrap()[key] = value;
        });
    }
}

const WANTED: [&str; 2] = ["kaia prod: api https://api.kaia.ai/ready", "kaia prod: web https://web.kaia.ai"];

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn from_nothing_to_the_declared_monitors_and_then_nothing_is_left_to_do() {
    let Some(team) = Team::new() else { return };
    team.uptimerobot.add("Somebody's", "https://other.example", &["mine"]);
    let mail = team.uptimerobot.add_contact("Email", "lead");
    team.uptimerobot.lag(2);
    let (code, plan) = team.plan();
    let count = |plan: &Value| (plan["changes"].as_array().unwrap().len(), plan["unmanaged"].as_u64().unwrap());
    assert_eq!((code, count(&plan)), (2, (2, 1)), "{plan}");
    assert!(plan["remarks"].to_string().contains("no Slack integration"), "{plan}");
    // Contacts, integrations and monitors are read, two are made, the list is read again.
    assert_eq!((plan["cost"]["calls"].as_u64(), plan["title"].as_str()), (Some(6), Some("prod")), "{plan}");
    let told = team.apply();
    assert!(told.contains("uptimerobot: 2 changed"), "{told}");
    assert_eq!(team.uptimerobot.lines()[1..], [WANTED[0], WANTED[1]].map(str::to_owned)[..], "{told}");
    let made = team.uptimerobot.monitors();
    assert_eq!(made[1]["assignedAlertContacts"][0]["alertContactId"], mail);
    let (code, plan) = team.plan();
    assert_eq!((code, plan["kept"].as_u64()), (0, Some(2)), "{plan}");
    assert_eq!(team.uptimerobot.refused(), Vec::<String>::new());

    team.declare("full", &["api", "docs"]);
    team.ok(&["apply", "--only", "uptimerobot", "--yes", "--confirm", "kaia"]);
    assert_eq!(
        team.uptimerobot.lines(),
        [
            "Somebody's https://other.example",
            "kaia prod: api https://api.kaia.ai/ready",
            "kaia prod: docs https://docs.kaia.ai"
        ]
    );
    // Where less is watched, the project's own monitors go, after their name was typed.
    team.declare("basic", &["api", "docs"]);
    let (code, _, said) = team.runs(&["apply", "--only", "uptimerobot", "--yes"]);
    assert!(code == 1 && said.contains("--confirm kaia"), "{said}");
    team.ok(&["apply", "--only", "uptimerobot", "--yes", "--confirm", "kaia"]);
    assert_eq!(team.uptimerobot.lines(), ["Somebody's https://other.example"]);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_changed_by_hand_is_shown_with_old_and_new_and_mended_only_after_a_yes() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.set("kaia prod: api", "url", "https://api.kaia.ai/other");
    team.set("kaia prod: web", "status", "PAUSED");
    let (code, out, _) = team.runs(&["plan", "--only", "uptimerobot"]);
    assert_eq!(code, 2);
    assert!(out.contains("https://api.kaia.ai/other → https://api.kaia.ai/ready"), "{out}");
    assert!(out.contains("paused → running"), "{out}");
    assert!(team.uptimerobot.lines()[0].ends_with("/other"));
    team.apply();
    assert_eq!(team.uptimerobot.lines(), WANTED);
    assert!(team.uptimerobot.monitors().iter().all(|m| m["status"] == "STARTED"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn whatever_fails_at_whichever_request_the_next_apply_does_the_rest_and_nothing_twice() {
    let Some(team) = Team::new() else { return };
    team.uptimerobot.add_contact("Email", "lead");
    team.uptimerobot.add_contact("Slack", "#alerts");
    // Three reads of the plan, three of the daemon, two writes, one read at the end.
    for requests_before in 0..9 {
        for fault in [Fault::Status(502), Fault::TooMany("0".to_owned()), Fault::Close, Fault::CloseAfter] {
            let which = format!("{fault:?} after {requests_before}");
            team.uptimerobot.by_hand(Vec::clear);
            team.uptimerobot.fail_after(requests_before, fault);
            team.runs(&["apply", "--only", "uptimerobot", "--yes"]);
            team.apply();
            assert_eq!(team.uptimerobot.lines(), WANTED, "{which}");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_monitor_whose_making_was_not_answered_is_waited_for_where_reads_come_behind() {
    let Some(team) = Team::new() else { return };
    team.uptimerobot.lag(2);
    team.uptimerobot.fail_after(6, Fault::CloseAfter);
    team.apply();
    assert_eq!(team.uptimerobot.lines(), WANTED);
    // One that was made twice all the same is there once again after the next plan.
    let first = team.uptimerobot.monitors()[0].clone();
    team.uptimerobot.by_hand(|monitors| {
        monitors.push(first);
        monitors[2]["id"] = 900_000_000.into();
    });
    team.apply();
    assert_eq!(team.uptimerobot.lines(), WANTED);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn ten_requests_a_minute_are_enough_for_one_who_waits() {
    let Some(team) = Team::new() else { return };
    team.uptimerobot.limit(4, Duration::from_millis(1500));
    let (_, plan) = team.plan();
    assert_eq!((plan["cost"]["quota"]["calls"].as_u64(), plan["cost"]["calls"].as_u64()), (Some(4), Some(6)), "{plan}");
    team.apply();
    assert_eq!(team.uptimerobot.lines(), WANTED);
    assert!(team.uptimerobot.refused().iter().all(|why| why.starts_with("429")), "{:?}", team.uptimerobot.refused());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_somebody_watches_already_is_told_and_taken_over_only_when_that_is_asked_for() {
    let Some(team) = Team::new() else { return };
    team.uptimerobot.add("Our API", "https://api.kaia.ai/ready", &["mine"]);
    let (_, plan) = team.plan();
    assert_eq!(plan["changes"].as_array().unwrap().len(), 1, "{plan}");
    assert!(plan["remarks"].to_string().contains("ambit import"), "{plan}");
    team.apply();
    assert!(team.uptimerobot.lines().contains(&"Our API https://api.kaia.ai/ready".to_owned()));
    team.ok(&["import", "--only", "uptimerobot", "--yes"]);
    assert!(team.uptimerobot.lines().contains(&"Our API https://api.kaia.ai/ready".to_owned()), "its name stays");
    team.apply();
    assert_eq!(team.uptimerobot.lines(), WANTED);
    let tags = team.uptimerobot.monitors()[0]["tags"].to_string();
    assert!(tags.contains("mine") && tags.contains("ambit-kaia_prod"), "{tags}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_key_is_in_no_output_and_no_file() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.uptimerobot.fail([Fault::Status(403)]);
    let (_, out, said) = team.runs(&["plan", "--only", "uptimerobot"]);
    assert!(!format!("{out}{said}").contains(team.uptimerobot.token()), "{out}{said}");
    let mut command = team.machine.command(&team.project, &["plan", "--only", "uptimerobot"]);
    let output = command.env("UPTIMEROBOT_API_KEY", "hunter2-of-nobody").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Main API key") && !said.contains("hunter2"), "{said}");
    let home = team.machine.folder.path().join("home");
    let found =
        std::process::Command::new("grep").args(["-rlaF", team.uptimerobot.token()]).arg(&home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file holds the key");
}
