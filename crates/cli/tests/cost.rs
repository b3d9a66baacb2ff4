//! What the environments cost, from the file to the exit code.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Machine, until};

/// Exit code and what is printed as JSON.
fn cost(machine: &Machine, project: &Path) -> (i32, Value) {
    let output = machine.ambit(project, &["cost", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{error}")))
}

fn amounts(value: &Value) -> [u64; 3] {
    ["minimum", "recommended", "paid"].map(|which| value[which].as_u64().unwrap())
}

fn declared(machine: &mut Machine, text: &str) -> PathBuf {
    let project = machine.project("shop", &["prod"]);
    std::fs::write(project.join("ambit.toml"), text).unwrap();
    project
}

#[test]
fn kaias_line_items_are_those_of_the_plan_and_add_up() {
    let machine = Machine::new();
    let kaia = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia");
    let (code, cost) = cost(&machine, &kaia);
    assert_eq!(code, 0);
    let lines = |name: Option<&str>| -> Vec<(String, [u64; 3])> {
        let groups = cost["bill"]["groups"].as_array().unwrap();
        let group = groups.iter().find(|g| g["environment"].as_str() == name).unwrap();
        let lines = group["lines"].as_array().unwrap().iter();
        lines.map(|l| (l["name"].as_str().unwrap().to_owned(), amounts(&l["amounts"]))).collect()
    };
    let of = |all: &[(&str, [u64; 3])]| -> Vec<(String, [u64; 3])> {
        all.iter().map(|(name, amounts)| ((*name).to_owned(), *amounts)).collect()
    };
    let same = |cents: u64| [cents; 3];
    assert_eq!(lines(Some("dev")), of(&[("backend", same(0)), ("postgres", same(0)), ("redis", same(0))]));
    assert_eq!(lines(Some("test")), of(&[("backend", same(500)), ("postgres", same(500)), ("redis", same(500))]));
    assert_eq!(
        lines(Some("prod")),
        of(&[("backend", [500, 1000, 1000]), ("postgres", [1000, 2000, 2000]), ("redis", [500, 1000, 1000])])
    );
    assert_eq!(
        lines(None),
        of(&[("server", [500, 1000, 1000]), ("domain", same(208)), ("expo", [0, 0, 2900])]),
        "$25 a year are $2.08 a month"
    );
    assert_eq!(amounts(&cost["bill"]["total"]), [4208, 6708, 9608]);
}

#[test]
fn the_page_about_costs_shows_what_the_program_prints() {
    let machine = Machine::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shown = machine.ok(&root.join("apps/kaia"), &["cost"]);
    let page = std::fs::read_to_string(root.join("docs/cost.md")).unwrap();
    assert!(page.contains(&format!("```text\n{shown}```")), "put this there:\n{shown}");
}

#[test]
fn where_the_plans_totals_disagree_with_its_line_items_is_said() {
    let machine = Machine::new();
    let kaia = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia");
    let (_, cost) = cost(&machine, &kaia);
    let stated = cost["bill"]["stated"].as_array().unwrap();
    let with = |verdict: &str| -> Vec<String> {
        let of = stated.iter().filter(|s| s["verdict"] == verdict);
        of.map(|s| format!("{} {}", s["name"].as_str().unwrap(), s["which"].as_str().unwrap())).collect()
    };
    assert_eq!(with("disagrees"), ["testing-more minimum", "production-at-least minimum"]);
    assert_eq!(with("rounded"), ["domain minimum", "domain recommended", "everything minimum"]);
    let shown = machine.ok(&kaia, &["cost"]);
    assert!(shown.contains("disagrees: the items are $10 more"), "{shown}");
}

/// Reads the plan beside this repository; where it is not there, there is nothing to compare with.
#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "../shared/SEED.md is read, which is not here")]
fn the_plan_says_what_the_file_states() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(plan) = std::fs::read_to_string(root.join("../shared/SEED.md")) else {
        eprintln!("skipped: ../shared is not here");
        return;
    };
    for total in ["Total:       $0/mes", "Total:       $15/mes", "Total:       $20-40/mes", "TOTAL RAILWAY: $35-55/mes"]
    {
        assert!(plan.contains(total), "{total}");
    }
    for total in ["$25/año = $2/mes", "Mínimo: $42/mes", "Recomendado: $60-70/mes", "Con Expo paid: $90-100/mes"] {
        assert!(plan.contains(total), "{total}");
    }
    for said in ["Costo adicional en Railway (~$5/mes)", "Mayor costo (~$10-15/mes mínimo)"] {
        assert!(plan.contains(said), "{said}");
    }
}

#[test]
fn more_than_the_budget_is_exit_code_one_and_says_by_how_much() {
    let mut machine = Machine::new();
    let text = "project = \"shop\"\n[environments.prod]\n[costs]\nbudget = 8\n[costs.prod]\nserver = [5, 10]\n";
    let project = declared(&mut machine, text);
    let output = machine.ambit(&project, &["cost"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("$2 over the budget of $8"), "{shown}");

    std::fs::write(project.join("ambit.toml"), text.replace("budget = 8", "budget = 10")).unwrap();
    assert_eq!(machine.ambit(&project, &["cost"]).status.code(), Some(0));
}

#[test]
fn a_project_without_costs_says_how_they_are_declared() {
    let mut machine = Machine::new();
    let project = declared(&mut machine, "project = \"shop\"\n[environments.prod]\n");
    let shown = machine.ok(&project, &["cost"]);
    assert!(shown.contains("[costs.ENVIRONMENT]"), "{shown}");
}

fn over_budget(name: &str, more: &str) -> String {
    format!(
        "project = \"{name}\"\n[environments.prod]\n[services.worker]\nkind = \"worker\"\nbuild = \"true\"\n\
         run = \"while :; do sleep 1; done\"\n{more}[costs]\nbudget = 1\n[costs.prod]\nredis = 5\n\
         [notifications]\nwebhook = \"http://127.0.0.1:9/\"\nwebhook-secret = \"SIGNS\"\n[secrets]\nSIGNS = {{}}\n"
    )
}

fn brought_up(machine: &mut Machine, name: &str, more: &str) -> PathBuf {
    let project = machine.project(name, &["prod"]);
    std::fs::write(project.join("ambit.toml"), over_budget(name, more)).unwrap();
    let listen = format!("127.0.0.1:{}", machine.port);
    machine.ok(&project, &["up", "--listen", &listen]);
    project
}

#[test]
fn what_services_take_stands_beside_the_price() {
    let mut machine = Machine::new();
    let project = brought_up(&mut machine, "shop", "[services.redis]\n");
    let (code, cost) = cost(&machine, &project);
    assert_eq!(code, 1);
    let measured = cost["measured"].as_array().unwrap();
    let of = |service: &str| measured.iter().find(|m| m["service"] == service).unwrap_or_else(|| panic!("{cost}"));
    assert!(of("redis")["memory"].as_u64().unwrap() > 500_000, "{cost}");
    assert!(of("redis")["disk"].is_u64(), "{cost}");
    assert!(of("worker")["cpus"].as_f64().unwrap() < 2.0, "{cost}");
}

#[test]
fn a_budget_that_is_exceeded_is_told_once_a_month() {
    let mut machine = Machine::new();
    let projects = ["shop", "zoo"].map(|name| brought_up(&mut machine, name, ""));
    machine.kill_daemon();
    machine.start_daemon(&projects[0]);
    let told = |project: &Path| {
        let listed: Value = serde_json::from_str(&machine.ok(project, &["notifications", "--json"])).unwrap();
        let all = listed.as_array().unwrap();
        all.iter().filter(|n| n["announcement"]["announcement"]["event"] == "over-budget").count()
    };
    until("both teams are told", || projects.iter().all(|project| told(project) == 1));

    machine.kill_daemon();
    let state = rusqlite::Connection::open(machine.folder.path().join("home/state.db")).unwrap();
    let a_month_ago = "UPDATE setting SET value = '\"2020-01\"' WHERE name = 'over budget zoo'";
    assert_eq!(state.execute(a_month_ago, []).unwrap(), 1);
    drop(state);
    machine.start_daemon(&projects[0]);
    // Projects are looked at in the order of their names: once the second team is told, the first one was looked at.
    until("a new month", || told(&projects[1]) == 2);
    assert_eq!(told(&projects[0]), 1);
}
