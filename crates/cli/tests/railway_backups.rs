//! Backups of an environment that lives at Railway: asked for when they are due, by the words that are used for this machine.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/railway.rs"]
mod railway;
mod support;

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use ambit_simulators::{Fault, Railway, RailwayBackup, RailwayVolume, RailwayWorld, Request, Service};
use serde_json::{Value, json};
use support::{Machine, until};

struct Team {
    machine: Machine,
    project: PathBuf,
    railway: Railway,
    _runtime: tokio::runtime::Runtime,
}

/// What every shop here declares, beside its backup.
const SHOP: &str = "[services.api]\nsource = \"api\"\nrun = \"sleep 1000\"\n[services.postgres]\n[services.redis]\npersist = \"append-only\"\n";

impl Team {
    /// A shop whose production lives at Railway and is applied.
    fn new(backup: &str) -> Option<Self> {
        let team = Self::declared(backup)?;
        team.machine.ok(&team.project, &["apply", "--only", "railway", "--yes"]);
        Some(team)
    }

    fn declared(backup: &str) -> Option<Self> {
        let (railway, runtime) = railway::start()?;
        let mut machine = Machine::new();
        let project = machine.project("shop", &["prod"]);
        let team = Self { machine, project, railway, _runtime: runtime };
        std::fs::create_dir(team.project.join("api")).unwrap();
        team.declare(backup);
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        let token = format!("RAILWAY_TOKEN={}\n", team.railway.token());
        std::fs::write(team.machine.folder.path().join("token.env"), token).unwrap();
        team.machine.ok(&team.project, &["secret", "set", "--from", "../token.env", "-e", "prod"]);
        Some(team)
    }

    fn declare(&self, backup: &str) {
        let backup = if backup.is_empty() { String::new() } else { format!("backup = {{ {backup} }}\n") };
        let text = format!(
            "project = \"shop\"\n[environments.prod]\nbranch = \"main\"\n{backup}{SHOP}[secrets]\nRAILWAY_TOKEN = {{}}\n\
             [providers.github]\nrepository = \"shop/shop\"\n\
             [providers.railway]\nproject = \"shop\"\nendpoint = \"{}\"\n",
            self.railway.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// What is said by a command that fails.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.machine.ambit(&self.project, arguments);
        let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).join("\n");
        assert!(!output.status.success(), "ambit {arguments:?} did not fail:\n{said}");
        said
    }

    fn by_hand<T>(&self, change: impl FnOnce(&mut RailwayWorld) -> T) -> T {
        self.railway.account().by_hand(change)
    }

    /// Copies of each volume: PostgreSQL's, Redis'.
    fn copies(&self) -> Vec<Vec<RailwayBackup>> {
        self.by_hand(|world| volumes(world).map(|volume| volume.backups.clone()).collect())
    }

    /// Names of the copies of each volume that are Ambit's.
    fn names(&self) -> Vec<Vec<String>> {
        let ours =
            |all: &Vec<RailwayBackup>| all.iter().map(|b| b.name.clone()).filter(|n| n.starts_with("ambit-")).collect();
        self.copies().iter().map(ours).collect()
    }

    /// What is recorded, the newest first.
    fn recorded(&self) -> Vec<Value> {
        self.json(&["backup", "list", "-e", "prod"])["backups"].as_array().unwrap().clone()
    }

    fn trouble(&self) -> Value {
        self.json(&["backup", "list", "-e", "prod"])["trouble"].clone()
    }
}

/// Restores of a real PostgreSQL, where there is one.
impl Team {
    const TO_ANY_MOMENT: &str =
        "every = \"6h\", keep = \"7d\", point-in-time = true, smoke = \"SELECT count(*) >= 0 FROM pg_class\"";

    /// Asks Railway's API for something, as anybody else would.
    fn ask(&self, document: &str, variables: &Value) -> Value {
        let body = serde_json::json!({ "query": document, "variables": variables }).to_string();
        let mut headers = hyper::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.railway.token()).parse().unwrap());
        let (at, method) = (std::time::Instant::now(), hyper::Method::POST);
        let (path, query) = ("/graphql/v2".to_owned(), String::new());
        let request = Request { at, method, path, query, headers, body: body.into() };
        let answer: Value = serde_json::from_slice(&self.railway.account().reply(&request).body).unwrap();
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].clone()
    }

    /// Services by name: project, environment and service.
    fn services(&self) -> BTreeMap<String, [String; 3]> {
        self.by_hand(|world| {
            let project = &world.projects[0];
            let ids = |id: &String| [project.id.clone(), project.environments[0].id.clone(), id.clone()];
            project.services.iter().map(|s| (s.name.clone(), ids(&s.id))).collect()
        })
    }

    /// A URL that leads to a database there from here; its port is opened where it is not.
    fn url(&self, service: &str) -> String {
        let [project, environment, service] = self.services()[service].clone();
        let ids = json!({ "p": project, "e": environment, "s": service });
        let open = self.by_hand(|world| !world.projects[0].environments[0].instances[&service].proxies.is_empty());
        if !open {
            let input = json!({ "applicationPort": 5432, "environmentId": environment, "serviceId": service });
            self.ask(
                "mutation($input: TCPProxyCreateInput!) { tcpProxyCreate(input: $input) { id } }",
                &json!({ "input": input }),
            );
        }
        let document = "query($p: String!, $e: String!, $s: String) { variables(projectId: $p, environmentId: $e, serviceId: $s) }";
        self.ask(document, &ids)["variables"]["DATABASE_PUBLIC_URL"].as_str().unwrap().to_owned()
    }

    fn sql(&self, service: &str, statement: &str) -> String {
        let url = format!("{}?sslmode=require", self.url(service));
        let output =
            Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", &url, "-c", statement]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits until the newest backup was drilled, and is content only where that proved it.
    fn is_proven(&self) {
        until("the newest backup is drilled", || self.recorded().first().is_some_and(|b| b["drill"].is_object()));
        assert_eq!(self.recorded()[0]["drill"]["failure"], Value::Null);
    }

    /// A moment with everything of before behind it and nothing of what follows.
    fn moment(&self) -> String {
        let sql = "SELECT pg_sleep(0.02); SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), pg_sleep(0.02)";
        let said = self.sql("postgresql", sql);
        said.lines().last().unwrap().trim_end_matches('|').to_owned()
    }
}

fn volumes(world: &mut RailwayWorld) -> impl Iterator<Item = &mut RailwayVolume> {
    world.projects.iter_mut().flat_map(|p| &mut p.environments).flat_map(|e| &mut e.volumes)
}

fn days_ago(days: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days)).to_string()
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_backup_of_every_volume_is_made_by_itself_and_told_in_the_usual_words() {
    let Some(team) = Team::new("every = \"6h\", keep = \"7d\"") else { return };
    until("the first backup is made", || team.recorded().len() == 1);
    let (recorded, names) = (team.recorded()[0].clone(), team.names());
    assert_eq!(names, [[recorded["name"].as_str().unwrap()], [recorded["name"].as_str().unwrap()]]);
    assert_eq!(recorded["hosted"]["place"], "Railway (shop)");
    let services: Vec<&str> =
        recorded["hosted"]["volumes"].as_array().unwrap().iter().map(|v| v["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["postgresql", "redis"]);
    assert_eq!(recorded["hosted"]["volumes"][0]["size"], 100 << 20);

    let listed = team.ok(&["backup", "list", "-e", "prod"]);
    assert!(listed.contains("Railway (shop)") && listed.contains("unproven"), "{listed}");
    let status = team.ok(&["status"]);
    assert!(status.contains("backup ○") && status.contains("unproven"), "{status}");
    let shown = team.ok(&["backup", "show", "-e", "prod"]);
    assert!(shown.contains("lies at     Railway (shop)") && shown.contains("volume      redis"), "{shown}");
    let log = team.ok(&["log"]);
    assert!(log.contains("backup.made"), "{log}");

    // Another one when somebody wants it.
    let made = team.json(&["backup", "now", "-e", "prod"]);
    assert_eq!(team.recorded()[0]["name"], made["name"]);
    assert_eq!(team.names().iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_next_one_is_asked_for_when_it_is_due() {
    let Some(team) = Team::new("every = \"10s\", keep = \"7d\"") else { return };
    until("three were made by themselves", || team.recorded().len() == 3);
    let begun: Vec<i64> = team.recorded().iter().map(|b| b["started"].as_i64().unwrap()).collect();
    assert!(begun.windows(2).all(|two| two[0] - two[1] >= 10_000), "{begun:?}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_is_kept_too_long_goes_and_what_is_somebody_elses_stays() {
    let Some(team) = Team::new("every = \"6h\", keep = \"7d\"") else { return };
    until("the first backup is made", || team.recorded().len() == 1);
    team.by_hand(|world| {
        for (n, volume) in volumes(world).enumerate() {
            let mut add = |name: &str, days: i64, locked: bool| {
                let (id, name, created) = (format!("old-{n}-{name}"), name.to_owned(), days_ago(days));
                volume.backups.insert(0, RailwayBackup { id, name, locked, created, size: 100 });
            };
            add("Manual", 30, false);
            add("ambit-20261101-120000-mine", 30, false);
            add("ambit-20261101-120000", 10, false);
            add("ambit-20261102-120000", 6, false);
            add("ambit-deployment-3", 10, false);
            add("ambit-deployment-9", 1, false);
        }
    });
    team.ok(&["backup", "now", "-e", "prod"]);
    let names = |copies: &[RailwayBackup]| copies.iter().take(4).map(|b| b.name.clone()).collect::<Vec<_>>();
    let stays = ["ambit-deployment-9", "ambit-20261102-120000", "ambit-20261101-120000-mine", "Manual"];
    let copies = team.copies();
    assert_eq!(copies.iter().map(|of| names(of)).collect::<Vec<_>>(), [stays, stays]);
    assert_eq!(copies.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6], "and both that were made today");
    // What a crash left unrecorded is recorded.
    assert_eq!(team.recorded().len(), 3);
    // What somebody locked stays, and is no failure.
    team.by_hand(|world| {
        let volume = volumes(world).next().unwrap();
        let (id, name, created) = ("locked".to_owned(), "ambit-20261001-120000".to_owned(), days_ago(40));
        volume.backups.insert(0, RailwayBackup { id, name, locked: true, created, size: 100 });
    });
    team.ok(&["backup", "now", "-e", "prod"]);
    assert_eq!(team.copies()[0][0].name, "ambit-20261001-120000");
    assert_eq!(team.trouble(), Value::Null);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn killed_anywhere_it_goes_on_and_nothing_is_copied_twice() {
    for point in ["when a copy of a volume was asked for", "before a backup elsewhere is recorded"] {
        let Some(team) = Team::new("") else { return };
        team.by_hand(|world| world.slow = 2);
        team.machine.kill_daemon();
        team.declare("every = \"6h\"");
        team.machine.start_daemon_to_be_killed(&team.project, point);
        assert!(team.recorded().is_empty(), "{point}");
        team.machine.start_daemon(&team.project);
        until("the backup is made", || team.recorded().len() == 1);
        let name = team.recorded()[0]["name"].as_str().unwrap().to_owned();
        assert_eq!(team.names(), [[name.as_str()], [name.as_str()]], "{point}");
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_answer_that_is_lost_is_looked_for_before_it_is_asked_again() {
    let Some(team) = Team::new("") else { return };
    team.machine.kill_daemon();
    team.declare("every = \"6h\"");
    // Workspaces, projects, the project, and the copies of the first volume are read before.
    team.railway.fail_after(4, Fault::CloseAfter);
    team.machine.start_daemon(&team.project);
    until("the backup is made", || team.recorded().len() == 1);
    assert_eq!(team.names().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_cannot_be_made_is_told_once_and_made_when_it_can_be() {
    let Some(team) = Team::new("") else { return };
    team.by_hand(|world| world.refuses_backups = Some("Volume backups are not part of your plan".to_owned()));
    team.declare("every = \"10s\"");
    until("the refusal is told", || team.trouble().as_str().is_some_and(|why| why.contains("not part of your plan")));
    assert!(team.fails(&["backup", "now", "-e", "prod"]).contains("Volume backups are not part of your plan"));
    let status = team.ok(&["status"]);
    assert!(status.contains("none yet ✗ Railway refused that: Volume backups are not part of your plan"), "{status}");
    let before = team.railway.account().calls();
    until("it is tried again", || team.railway.account().calls() > before);
    assert_eq!(team.ok(&["log"]).matches("backup.failed").count(), 1, "once, not at each try");
    team.by_hand(|world| world.refuses_backups = None);
    until("it is made", || team.recorded().len() == 1);
    assert_eq!(team.trouble(), Value::Null);
    // So is what comes of an API that is down.
    team.railway.fail(std::iter::repeat_n(Fault::Status(503), 40));
    until("it is told", || team.trouble().is_string());
    team.railway.forget_faults();
    until("it is made", || team.trouble().is_null());
    assert_eq!(team.ok(&["log"]).matches("backup.failed").count(), 2);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_the_hour_has_no_requests_for_is_put_off() {
    let Some(team) = Team::new("") else { return };
    team.railway.account().limit(12);
    team.declare("every = \"10s\"");
    until("it was looked what there is", || team.railway.account().calls() >= 3);
    let said = team.fails(&["backup", "now", "-e", "prod"]);
    assert!(said.contains("are left of this hour at Railway (shop), and this takes 20"), "{said}");
    assert_eq!((team.names(), team.trouble()), (vec![Vec::<String>::new(); 2], Value::Null));
    assert!(!team.ok(&["log"]).contains("backup.failed"));
    team.railway.account().limit(1000);
    until("it is made", || !team.recorded().is_empty());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_backup_is_proven_by_a_drill_that_restores_its_moment_beside() {
    let Some(team) = Team::new(Team::TO_ANY_MOMENT) else { return };
    let plan = team.ok(&["plan", "--only", "railway"]);
    assert!(plan.contains("0 to do"), "what was switched on is on: {plan}");
    team.sql(
        "postgresql",
        "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 500)",
    );
    let made = team.json(&["backup", "now", "-e", "prod"]);
    assert_eq!(made["drill"]["failure"], Value::Null, "{made}");
    let checked = made["drill"]["checked"].to_string();
    assert!(checked.contains("500 rows in 1 tables") && checked.contains("as counted"), "{checked}");
    assert!(checked.contains("the smoke query holds"), "{checked}");
    assert_eq!(team.services().into_keys().collect::<Vec<_>>(), ["api", "postgresql", "redis"], "the copy is gone");
    assert_eq!(team.copies().len(), 2, "and so is its volume");
    let listed = team.ok(&["backup", "list", "-e", "prod"]);
    assert!(listed.contains("proven") && listed.contains("any moment since"), "{listed}");
    assert!(team.ok(&["status"]).contains("backup ●"));

    // One that cannot be restored is told, and is no proof.
    team.by_hand(|world| world.fails_in = Some("DEPLOYING".to_owned()));
    let said = team.fails(&["backup", "now", "-e", "prod"]);
    assert!(said.contains("was not proven: postgresql-drill-") && said.contains("is failed"), "{said}");
    assert_eq!(team.recorded()[0]["drill"]["failure"].as_str().map(|why| why.contains("is failed")), Some(true));
    assert!(team.ok(&["status"]).contains("cannot be restored"));
    assert!(team.ok(&["log"]).contains("backup.failed"));
    assert_eq!(team.services().len(), 3, "the copy is gone all the same");
    // Tried once more it is proven.
    assert!(team.ok(&["backup", "drill", "-e", "prod"]).contains("is proven"));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_drill_that_is_killed_is_held_and_leaves_nothing_behind() {
    let Some(team) = Team::new("") else { return };
    team.declare(Team::TO_ANY_MOMENT);
    team.ok(&["apply", "--only", "railway", "--yes"]);
    team.machine.kill_daemon();
    team.machine.start_daemon_to_be_killed(&team.project, "when a restore was asked for");
    assert_eq!(team.services().len(), 4, "the copy was asked for");
    team.machine.start_daemon(&team.project);
    team.is_proven();
    assert_eq!(team.services().len(), 3);
    assert_eq!(team.recorded().len(), 1);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_restore_to_a_moment_is_made_beside_and_takes_the_place_after_a_yes() {
    let Some(team) = Team::new(Team::TO_ANY_MOMENT) else { return };
    team.is_proven();
    team.sql("postgresql", "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 7)");
    let before = team.moment();
    team.sql("postgresql", "DELETE FROM orders WHERE id > 3");
    let look = team.json(&["restore", "-e", "prod", "--to", &before, "--into", "look"]);
    assert_eq!((&look["name"], &look["place"]), (&json!("postgresql-restored-look"), &json!("Railway (shop)")));
    assert_eq!(team.sql("postgresql-restored-look", "SELECT count(*) FROM orders"), "7", "as of the moment");
    assert_eq!(team.sql("postgresql", "SELECT count(*) FROM orders"), "3", "what serves is never touched");
    let listed = team.ok(&["restore", "list", "-e", "prod"]);
    assert!(listed.contains("postgresql-restored-look") && listed.contains("restored, to look at"), "{listed}");
    assert!(team.fails(&["restore", "-e", "prod", "--to", &before, "--into", "look"]).contains("there is a copy"));
    let plan = team.ok(&["plan", "--only", "railway"]);
    assert!(plan.contains("0 to do"), "what lies beside is nothing to plan: {plan}");
    team.ok(&["restore", "remove", "postgresql-restored-look", "-e", "prod"]);
    assert_eq!(team.services().len(), 3);

    let said = team.fails(&["restore", "-e", "prod", "--to", "2026-01-01T00:00:00Z"]);
    assert!(said.contains("cannot be restored to") && said.contains("nothing was changed"), "{said}");
    assert!(team.fails(&["restore", "-e", "prod", "--to", "2099-01-01T00:00:00Z"]).contains("has not come yet"));

    let old = team.services()["postgresql"].clone();
    let restored = team.json(&["restore", "-e", "prod", "--to", &before, "--yes"]);
    let kept = restored["kept"].as_str().unwrap().to_owned();
    assert_eq!(team.services()[&kept], old, "what served is kept");
    assert_eq!(team.sql("postgresql", "SELECT count(*) FROM orders"), "7");
    assert_eq!(team.sql(&kept, "SELECT count(*) FROM orders"), "3");
    let log = team.ok(&["log"]);
    assert!(log.contains("restore.made") && log.contains("restore.in-place"), "{log}");
    // What serves now is archived when somebody says yes to that, and backed up by itself.
    assert!(team.fails(&["plan", "--only", "railway"]).contains("postgresql point-in-time"));
    let names = || team.names().last().map_or(0, Vec::len);
    until("it has a backup", || names() > 0);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_killed_between_two_names_is_put_in_place() {
    let Some(team) = Team::new(Team::TO_ANY_MOMENT) else { return };
    team.is_proven();
    team.sql("postgresql", "CREATE TABLE orders (id int)");
    let (old, moment) = (team.services()["postgresql"].clone(), team.moment());
    let deployed = || {
        team.by_hand(|world| {
            let project = &world.projects[0];
            let api = project.services.iter().find(|s| s.name == "api").unwrap();
            project.environments[0].instances[&api.id].deployments.len()
        })
    };
    let before = deployed();
    assert!(before > 0);
    team.machine.kill_daemon();
    let daemon = {
        let mut command = team.machine.command(&team.project, &["daemon"]);
        command.env("AMBIT_KILL_AT", "when a database lost its name").stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    until("the daemon runs", || team.machine.daemon_lives());
    team.fails(&["restore", "-e", "prod", "--to", &moment, "--yes"]);
    let mut daemon = daemon;
    daemon.wait().unwrap();
    assert!(!team.services().contains_key("postgresql"), "nothing is called so now");
    team.machine.start_daemon(&team.project);
    until("it is in place", || team.services().contains_key("postgresql"));
    assert_ne!(team.services()["postgresql"], old);
    until("the app takes notice", || deployed() == before + 1);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn without_an_archived_log_a_restore_says_what_to_declare() {
    let Some(team) = Team::new("every = \"6h\"") else { return };
    until("the first backup is made", || team.recorded().len() == 1);
    let name = team.recorded()[0]["name"].as_str().unwrap().to_owned();
    let said = team.fails(&["restore", "-e", "prod", "--backup", &name]);
    assert!(said.contains("is not archived") && said.contains("point-in-time = true"), "{said}");
    assert_eq!(team.services().len(), 3);
    assert_eq!(team.recorded()[0]["drill"], Value::Null, "and nothing proves it");
}
