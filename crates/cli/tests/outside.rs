//! Plans of all services around: what a person sees of them, and what the daemon sees by itself.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{io::Write, path::PathBuf, process::Stdio};

use ambit_simulators::{Cloudflare, contract};
use serde_json::Value;
use support::{Machine, until};

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
        std::fs::create_dir(project.join("web")).unwrap();
        std::fs::write(project.join("web/index.html"), "Kaia").unwrap();
        let team = Self { machine, project, cloudflare, _runtime: runtime };
        team.declare("records = ['@ CAA 0 issue \"letsencrypt.org\"', '@ TXT \"v=spf1 -all\"']\nttl = 300\n");
        // The daemon looks by itself, so that the token has to be where it can find it.
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        let mut set = team.machine.command(&team.project, &["secret", "set", "CLOUDFLARE_API_TOKEN", "-e", "prod"]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(team.cloudflare.token().as_bytes()).unwrap();
        assert!(set.wait().unwrap().success());
        Some(team)
    }

    fn declare(&self, more: &str) {
        let text = format!(
            "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.test]\n[environments.prod]\n\
             [services.api]\nrun = \"true\"\nurl = {{ test = \"api-test.@\", prod = \"api.@\" }}\n\
             [services.web]\nstatic = \"web\"\nurl = {{ test = \"test.@\", prod = \"@\" }}\n\
             [secrets]\nCLOUDFLARE_API_TOKEN = {{ only = [\"prod\"] }}\n\
             [providers.cloudflare]\nzone = \"kaia.ai\"\naddress = \"203.0.113.7\"\nendpoint = \"{}\"\n{more}",
            self.cloudflare.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    /// Exit code and standard output as JSON.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.machine.ambit(&self.project, &[arguments, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = serde_json::from_str(&text);
        let value = value.unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), value)
    }

    fn keys(&self, arguments: &[&str]) -> Vec<String> {
        let (_, plan) = self.json(arguments);
        let changes = plan["parts"][0]["changes"].as_array().unwrap();
        changes.iter().map(|change| change["key"].as_str().unwrap().to_owned()).collect()
    }

    fn drift(&self) -> Value {
        self.json(&["status"]).1["outside"].take()
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_daemon_sees_by_itself_what_somebody_changed_and_forgets_it_when_it_is_mended() {
    let Some(team) = Team::new() else { return };
    team.machine.ok(&team.project, &["apply", "--yes"]);
    assert_eq!(team.json(&["plan", "--only", "dns"]).0, 0, "CAA, TXT and times to live are as declared too");
    team.cloudflare.by_hand(|records| {
        let place = records.iter().position(|r| r["name"] == "api.kaia.ai").unwrap();
        records[place]["content"] = "198.51.100.1".into();
    });
    team.machine.kill_daemon();
    team.machine.start_daemon(&team.project);
    until("the daemon looks", || team.drift()["since"].is_i64());
    let drift = team.drift();
    assert_eq!(drift["changes"].as_array().unwrap().len(), 1, "{drift}");
    assert!(team.machine.ok(&team.project, &["status"]).contains("dns A api.kaia.ai"));
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 198.51.100.1".to_owned()), "seeing it mends nothing");
    team.machine.ok(&team.project, &["apply", "--yes"]);
    assert!(team.drift().is_null());
    assert!(team.cloudflare.lines().contains(&"A api.kaia.ai 203.0.113.7".to_owned()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn one_environment_is_planned_and_applied_without_the_others() {
    let Some(team) = Team::new() else { return };
    let of_test = ["A api-test.kaia.ai", "A test.kaia.ai"];
    assert_eq!(team.keys(&["plan", "-e", "test", "--only", "dns"]), of_test);
    team.machine.ok(&team.project, &["apply", "-e", "test", "--yes"]);
    let hosts = |wanted: &str| team.cloudflare.records().iter().filter(|r| r["name"] == wanted).count();
    assert_eq!((hosts("api-test.kaia.ai"), hosts("api.kaia.ai"), hosts("kaia.ai")), (1, 0, 0));
    assert_eq!(team.keys(&["plan", "-e", "test", "--only", "dns"]), Vec::<String>::new());
    assert_eq!(team.json(&["plan", "--only", "dns"]).1["changes"], 4);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_cannot_be_looked_at_is_told_and_nothing_is_applied_without_it() {
    let Some(team) = Team::new() else { return };
    let text = std::fs::read_to_string(team.project.join("ambit.toml")).unwrap();
    let text = text.replace("endpoint = \"http://localhost", "endpoint = \"http://localhost:1/x\" # ");
    std::fs::write(team.project.join("ambit.toml"), text).unwrap();
    let (_, plan) = team.json(&["plan"]);
    assert_eq!((plan["parts"][0]["unread"].as_bool(), plan["changes"].as_u64()), (Some(true), Some(0)), "{plan}");
    let output = team.machine.ambit(&team.project, &["apply", "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("dns cannot be looked at; nothing was changed"), "{said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_guide_looks_at_everything_and_names_the_next_step() {
    let Some(team) = Team::new() else { return };
    let phase = |number: usize| team.json(&["guide"]).1[number - 1].take();
    assert_eq!(phase(3)["items"][0]["standing"], "open");
    assert!(team.machine.ok(&team.project, &["guide"]).contains("→ ambit apply --only dns"));
    team.machine.ok(&team.project, &["apply", "--yes"]);
    assert_eq!(phase(3)["items"][0]["standing"], "done");
    assert_eq!(phase(1)["items"][0]["next"], "ambit up test");
}
