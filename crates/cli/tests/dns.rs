//! The DNS zone as it is declared, at a server that checks every request against Cloudflare's published document.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::path::PathBuf;

use ambit_simulators::{Cloudflare, Fault, contract};
use serde_json::Value;
use support::Machine;

struct Team {
    machine: Machine,
    project: PathBuf,
    cloudflare: Cloudflare,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    fn new() -> Option<Self> {
        let document = contract("cloudflare/openapi.json")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cloudflare = runtime.block_on(Cloudflare::start("kaia.ai", &document));
        let mut machine = Machine::new();
        let project = machine.project("kaia", &["test"]);
        let team = Self { machine, project, cloudflare, _runtime: runtime };
        team.declare("203.0.113.7");
        Some(team)
    }

    fn declare(&self, address: &str) {
        let text = format!(
            "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.test]\n[environments.prod]\n\
             [services.api]\nrun = \"true\"\nurl = {{ test = \"api-test.@\", prod = \"api.@\" }}\n\
             [services.web]\nstatic = \"web\"\nurl = {{ test = \"test.@\", prod = [\"@\", \"www.@\"] }}\n\
             [providers.cloudflare]\nzone = \"kaia.ai\"\naddress = \"{address}\"\nendpoint = \"{}\"\n",
            self.cloudflare.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn runs(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.machine.command(&self.project, arguments);
        let output = command.env("CLOUDFLARE_API_TOKEN", self.cloudflare.token()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.runs(arguments);
        assert_eq!(code, 0, "ambit {arguments:?}\n{out}\n{err}");
        out
    }

    fn plan(&self) -> (i32, Value) {
        let (code, out, err) = self.runs(&["plan", "--only", "dns", "--json"]);
        assert!(code == 0 || code == 2, "{out}\n{err}");
        (code, serde_json::from_str::<Value>(&out).unwrap()["parts"][0].take())
    }
}

const WANTED: [&str; 5] = [
    "A api-test.kaia.ai 203.0.113.7",
    "A api.kaia.ai 203.0.113.7",
    "A kaia.ai 203.0.113.7",
    "A test.kaia.ai 203.0.113.7",
    "CNAME www.kaia.ai kaia.ai",
];

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn from_an_empty_zone_to_the_declared_one_and_then_nothing_is_left_to_do() {
    let Some(team) = Team::new() else { return };
    team.cloudflare.add("MX", "kaia.ai", "mail.kaia.ai");
    let (code, plan) = team.plan();
    assert_eq!((code, plan["changes"].as_array().unwrap().len(), plan["unmanaged"].as_u64()), (2, 5, Some(1)));
    // Without a yes nothing happens.
    let (code, _, said) = team.runs(&["apply"]);
    assert_eq!((code, team.cloudflare.records().len()), (1, 1), "{said}");
    let told = team.ok(&["apply", "--yes"]);
    assert!(told.contains("dns: 5 changed"), "{told}");
    assert_eq!(team.cloudflare.lines()[..4], WANTED[..4]);
    assert!(team.cloudflare.lines().contains(&WANTED[4].to_owned()));
    assert_eq!(team.plan().0, 0);
    assert!(team.ok(&["apply", "--yes"]).contains("nothing was changed"));
    assert_eq!(team.cloudflare.server.refused(), Vec::<String>::new());
    assert!(team.ok(&["log"]).contains("outside.applied"));

    team.declare("203.0.113.8");
    team.ok(&["apply", "--yes"]);
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 203.0.113.8".to_owned()));
    assert!(team.cloudflare.lines().contains(&"MX kaia.ai mail.kaia.ai".to_owned()), "what is nobody's of ours stays");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_changed_by_hand_is_shown_with_old_and_new_and_mended_only_after_a_yes() {
    let Some(team) = Team::new() else { return };
    team.ok(&["apply", "--yes"]);
    team.cloudflare.by_hand(|records| {
        let place = records.iter().position(|r| r["name"] == "api.kaia.ai").unwrap();
        records[place]["content"] = "198.51.100.1".into();
    });
    let (code, out, _) = team.runs(&["plan", "--only", "dns"]);
    assert_eq!(code, 2);
    assert!(out.contains("198.51.100.1 → 203.0.113.7"), "{out}");
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 198.51.100.1".to_owned()));
    team.ok(&["apply", "--yes"]);
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 203.0.113.7".to_owned()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_kept_plan_is_carried_out_as_it_was_looked_at_or_refused() {
    let Some(team) = Team::new() else { return };
    let (code, ..) = team.runs(&["plan", "--only", "dns", "--out", "dns.plan"]);
    assert_eq!(code, 2);
    team.declare("203.0.113.9");
    let (code, _, said) = team.runs(&["apply", "dns.plan", "--yes"]);
    assert_eq!((code, team.cloudflare.records().len()), (1, 0), "{said}");
    assert!(said.contains("out of date"), "{said}");
    team.declare("203.0.113.7");
    team.ok(&["apply", "dns.plan", "--yes"]);
    assert_eq!(team.cloudflare.lines(), WANTED);
    // Again: there is nothing left of it to do.
    team.ok(&["apply", "dns.plan", "--yes"]);
    std::fs::write(team.project.join("dns.plan"), "{\"version\": 1").unwrap();
    let (code, _, said) = team.runs(&["apply", "dns.plan", "--yes"]);
    assert_eq!(code, 1, "{said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn whatever_fails_at_whichever_request_the_next_apply_does_the_rest_and_nothing_twice() {
    let Some(team) = Team::new() else { return };
    for requests_before in 0..4 {
        for fault in [Fault::Status(502), Fault::TooMany("0".to_owned()), Fault::Close, Fault::CloseAfter] {
            team.cloudflare.by_hand(Vec::clear);
            // The plan reads two answers, and so does the daemon before it writes.
            team.cloudflare.server.fail_after(requests_before, fault);
            team.runs(&["apply", "--yes"]);
            team.ok(&["apply", "--yes"]);
            assert_eq!(team.cloudflare.lines(), WANTED);
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_service_that_fails_in_a_rhythm_is_got_through_to() {
    let Some(team) = Team::new() else { return };
    for well in 1..4 {
        team.cloudflare.by_hand(Vec::clear);
        for _ in 0..500 {
            team.cloudflare.server.fail_after(well, Fault::Status(503));
        }
        // What was done stays, so that each apply is nearer to the end.
        let done = (0..3).any(|_| team.runs(&["apply", "--yes"]).0 == 0);
        assert!(done, "every request but {well} in a row fails");
        team.cloudflare.server.forget_faults();
        assert_eq!(team.cloudflare.lines(), WANTED);
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn somebody_elses_record_is_told_and_taken_over_only_when_that_is_asked_for() {
    let Some(team) = Team::new() else { return };
    team.cloudflare.add("A", "api.kaia.ai", "198.51.100.1");
    team.cloudflare.add("CNAME", "test.kaia.ai", "elsewhere.example");
    let (_, plan) = team.plan();
    assert_eq!(plan["remarks"].as_array().unwrap().len(), 2, "{plan}");
    team.ok(&["apply", "--yes"]);
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 198.51.100.1".to_owned()));
    team.ok(&["import", "--yes"]);
    assert!(
        team.cloudflare.lines().contains(&"A api.kaia.ai 198.51.100.1".to_owned()),
        "what it says stays until a plan is applied"
    );
    let (_, plan) = team.plan();
    assert_eq!(
        (plan["changes"].as_array().unwrap().len(), plan["remarks"].as_array().unwrap().len()),
        (1, 1),
        "{plan}"
    );
    team.ok(&["apply", "--yes"]);
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 203.0.113.7".to_owned()));
    assert!(team.cloudflare.lines().contains(&"CNAME test.kaia.ai elsewhere.example".to_owned()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn deleting_much_of_a_zone_needs_its_name_and_a_token_is_never_shown() {
    let Some(team) = Team::new() else { return };
    team.ok(&["apply", "--yes"]);
    let text = std::fs::read_to_string(team.project.join("ambit.toml")).unwrap();
    let text = text
        .replace("url = { test = \"test.@\", prod = [\"@\", \"www.@\"] }\n", "url = { test = \"test.@\" }\n")
        .replace("url = { test = \"api-test.@\", prod = \"api.@\" }\n", "");
    std::fs::write(team.project.join("ambit.toml"), text).unwrap();
    let (code, _, said) = team.runs(&["apply", "--yes"]);
    assert_eq!((code, team.cloudflare.lines().len()), (1, 5), "{said}");
    assert!(said.contains("ambit apply --confirm kaia.ai"), "{said}");
    team.ok(&["apply", "--yes", "--confirm", "kaia.ai"]);
    assert_eq!(team.cloudflare.lines(), ["A test.kaia.ai 203.0.113.7"]);

    let mut command = team.machine.command(&team.project, &["plan", "--only", "dns"]);
    let output = command.env("CLOUDFLARE_API_TOKEN", "hunter2-of-nobody").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Invalid access token") && !said.contains("hunter2"), "{said}");
    let missing = team.machine.ambit(&team.project, &["plan", "--only", "dns"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("ambit secret set CLOUDFLARE_API_TOKEN"));
    let home = team.machine.folder.path().join("home");
    let found =
        std::process::Command::new("grep").args(["-rlaF", team.cloudflare.token()]).arg(&home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file holds the token");
}
