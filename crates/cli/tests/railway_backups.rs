//! Backups of an environment that lives at Railway: asked for when they are due, by the words that are used for this machine.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::path::PathBuf;

use ambit_simulators::{Fault, Railway, RailwayBackup, RailwayVolume, RailwayWorld, contract};
use serde_json::Value;
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
        let schema = contract("railway/schema.graphql")?;
        let config = contract("railway/environment-config.schema.json")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let railway = runtime.block_on(Railway::start(&schema, &config));
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
            "project = \"shop\"\n[environments.prod]\n{backup}{SHOP}[secrets]\nRAILWAY_TOKEN = {{}}\n\
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

fn volumes(world: &mut RailwayWorld) -> impl Iterator<Item = &mut RailwayVolume> {
    world.projects.iter_mut().flat_map(|p| &mut p.environments).flat_map(|e| &mut e.volumes)
}

fn days_ago(days: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days)).to_string()
}

#[test]
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
fn the_next_one_is_asked_for_when_it_is_due() {
    let Some(team) = Team::new("every = \"10s\", keep = \"7d\"") else { return };
    until("three were made by themselves", || team.recorded().len() == 3);
    let begun: Vec<i64> = team.recorded().iter().map(|b| b["started"].as_i64().unwrap()).collect();
    assert!(begun.windows(2).all(|two| two[0] - two[1] >= 10_000), "{begun:?}");
}

#[test]
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
fn what_the_hour_has_no_requests_for_is_put_off() {
    let Some(team) = Team::new("") else { return };
    team.railway.account().limit(12);
    team.declare("every = \"10s\"");
    until("it was looked what there is", || team.railway.account().calls() >= 3);
    let said = team.fails(&["backup", "now", "-e", "prod"]);
    assert!(said.contains("are left of this hour at Railway (shop), and a backup takes 20"), "{said}");
    assert_eq!((team.names(), team.trouble()), (vec![Vec::<String>::new(); 2], Value::Null));
    assert!(!team.ok(&["log"]).contains("backup.failed"));
    team.railway.account().limit(1000);
    until("it is made", || !team.recorded().is_empty());
}
