//! Environments at Railway as they are declared, at a server that checks every document against Railway's published schema.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/railway.rs"]
mod railway;
mod support;

use std::{collections::BTreeSet, io::Write, path::PathBuf, process::Stdio, sync::Arc};

use ambit_simulators::{
    Cloudflare, Fault, Railway, contract,
    railway::{Instance, Trigger, World},
};
use serde_json::Value;
use support::{Machine, until};

const SECRET: &str = "planted-9fK2vQx7Lm3TzR8wYb1NcD5hJ";

struct Team {
    machine: Machine,
    project: PathBuf,
    railway: Railway,
    _runtime: tokio::runtime::Runtime,
}

impl Team {
    /// A shop with one environment: an app with a host, a database and a cache.
    fn new() -> Option<Self> {
        let team = Self::named("shop")?;
        team.declare("url = \"api.@\"\nmigrate = \"bin/shop migrate\"\nhealth = \"/ready\"\n[services.redis]\npersist = \"append-only\"\n");
        team.machine.ok(&team.project, &["secret", "key", "--add"]);
        team.secret("TOKEN", "dev", SECRET);
        Some(team)
    }

    fn named(name: &str) -> Option<Self> {
        let (railway, runtime) = railway::start()?;
        let mut machine = Machine::new();
        let project = machine.project(name, &["dev"]);
        Some(Self { machine, project, railway, _runtime: runtime })
    }

    fn declare(&self, app: &str) {
        let text = format!(
            "project = \"shop\"\ndomain = \"shop.example\"\n[environments.dev]\nbranch = \"develop\"\n\
             [services.api]\nsource = \"api\"\n{app}[services.postgres]\n\
             [variables]\nPORT = 3001\nDATABASE_URL = \"${{postgres.url}}\"\nLEVEL = \"debug\"\n\
             [secrets]\nTOKEN = {{}}\n\
             [providers.railway]\nproject = \"shop-dev\"\nservice = \"api-dev\"\nendpoint = \"{}\"\n\
             [providers.github]\nrepository = \"shop/shop\"\n",
            self.railway.base()
        );
        std::fs::write(self.project.join("ambit.toml"), text).unwrap();
    }

    fn change(&self, from: &str, to: &str) {
        let file = self.project.join("ambit.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    fn secret(&self, name: &str, environment: &str, value: &str) {
        let mut set = self.machine.command(&self.project, &["secret", "set", name, "-e", environment]);
        let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        set.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(set.wait().unwrap().success());
    }

    /// Exit code, standard output and standard error.
    fn runs(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.machine.command(&self.project, arguments);
        let output = command.env("RAILWAY_TOKEN", self.railway.token()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.runs(arguments);
        assert_eq!(code, 0, "ambit {arguments:?}\n{out}\n{err}");
        out
    }

    fn apply(&self) -> String {
        self.ok(&["apply", "--only", "railway", "--yes"])
    }

    fn plan(&self) -> Value {
        let (code, out, err) = self.runs(&["plan", "--only", "railway", "--json"]);
        assert!(code == 0 || code == 2, "{out}\n{err}");
        serde_json::from_str::<Value>(&out).unwrap()["parts"][0].take()
    }

    fn changes(&self) -> Vec<String> {
        let plan = self.plan();
        let all = plan["changes"].as_array().unwrap();
        all.iter().map(|c| format!("{} {}", c["action"].as_str().unwrap(), c["key"].as_str().unwrap())).collect()
    }

    fn remarks(&self) -> String {
        self.plan()["remarks"].to_string()
    }

    fn by_hand<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        self.railway.account().by_hand(change)
    }

    /// A service of the first project's first environment.
    fn service<T>(&self, name: &str, look: impl FnOnce(&mut Instance) -> T) -> T {
        self.by_hand(|world| {
            let id = world.projects[0].services.iter().find(|s| s.name == name).unwrap().id.clone();
            look(world.projects[0].environments[0].instances.get_mut(&id).unwrap())
        })
    }

    /// Projects, each with its services, and how many volumes there are.
    fn shape(&self) -> (Vec<(String, BTreeSet<String>)>, usize) {
        self.by_hand(|world| {
            let of = |p: &ambit_simulators::railway::Project| {
                let names: Vec<String> = p.services.iter().map(|s| s.name.clone()).collect();
                let set: BTreeSet<String> = names.iter().cloned().collect();
                assert_eq!(set.len(), names.len(), "something is there twice: {names:?}");
                (p.name.clone(), set)
            };
            let volumes = world.projects.iter().flat_map(|p| &p.environments).map(|e| e.volumes.len()).sum();
            (world.projects.iter().map(of).collect(), volumes)
        })
    }

    fn variable(&self, service: &str, name: &str) -> Option<String> {
        self.service(service, |s| s.variables.get(name).map(|v| v.value.clone()))
    }

    fn deployments(&self, service: &str) -> usize {
        self.service(service, |s| s.deployments.len())
    }

    fn is_whole(&self) {
        let names = ["api-dev", "postgresql-dev", "redis-dev"].map(str::to_owned);
        assert_eq!(self.shape(), (vec![("shop-dev".to_owned(), names.into())], 2));
        assert_eq!(self.variable("api-dev", "DATABASE_URL").unwrap(), "${{postgresql-dev.DATABASE_URL}}");
        assert_eq!(self.variable("api-dev", "TOKEN").unwrap(), SECRET);
        let hosts = self.service("api-dev", |s| s.domains.iter().map(|d| d.host.clone()).collect::<Vec<_>>());
        assert_eq!(hosts, ["api.shop.example"]);
        assert_eq!(self.service("api-dev", |s| s.source["repo"].clone()), "shop/shop");
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn from_nothing_to_what_is_declared_and_then_nothing_is_left_to_do() {
    let Some(team) = Team::new() else { return };
    let plan = team.plan();
    let keys: Vec<&str> = plan["changes"].as_array().unwrap().iter().map(|c| c["key"].as_str().unwrap()).collect();
    assert_eq!(keys[0], "project shop-dev");
    assert!(keys.contains(&"shop-dev/api-dev LEVEL") && keys.contains(&"shop-dev/redis-dev"), "{keys:?}");
    let token = plan["changes"].as_array().unwrap().iter().find(|c| c["key"] == "shop-dev/api-dev TOKEN").unwrap();
    assert!(token["details"][0]["new"]["secret"].is_string(), "{token}");
    // Without a yes nothing happens.
    assert_eq!(team.runs(&["apply", "--only", "railway"]).0, 1);
    assert_eq!(team.shape().0.len(), 0);

    let asked = team.railway.account().calls();
    team.apply();
    let asked = team.railway.account().calls() - asked;
    let told = plan["cost"]["calls"].as_u64().unwrap();
    // The command looks once more than the daemon does.
    assert!(u64::from(asked) <= told + 4 && told <= u64::from(asked) + 6, "{told} were told, {asked} taken");
    team.is_whole();
    team.service("api-dev", |s| {
        assert_eq!((&s.source["rootDirectory"], &s.deploy["healthcheckPath"]), (&"/api".into(), &"/ready".into()));
        assert_eq!(s.deploy["preDeployCommand"], serde_json::json!(["bin/shop migrate"]));
        assert_eq!(s.domains[0].port, Some(3001));
        assert_eq!(s.variables["HOST"].value, "0.0.0.0");
        assert_eq!(s.variables["AMBIT_ENVIRONMENT"].value, "dev");
    });
    assert_eq!(team.deployments("api-dev"), 1, "what is new is deployed once");
    let redis = team.service("redis-dev", |s| s.deploy["startCommand"].as_str().unwrap().to_owned());
    assert!(redis.contains("--appendonly yes") && redis.contains("$REDIS_PASSWORD"), "{redis}");
    assert_eq!(team.variable("postgresql-dev", "POSTGRES_DB").unwrap(), "shop-dev");
    let triggers = team.by_hand(|world| world.projects[0].environments[0].triggers.len());
    assert_eq!(triggers, 0, "a workflow of GitHub deploys, after its tests");

    assert_eq!(team.changes(), Vec::<String>::new());
    assert!(team.apply().contains("as declared"));
    assert_eq!(team.railway.refused(), Vec::<String>::new());
    assert!(team.remarks().contains("_railway-verify.api.shop.example"), "{}", team.remarks());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_was_changed_by_hand_is_shown_with_old_and_new_and_mended_only_after_a_yes_without_a_deployment() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let deployed = team.deployments("api-dev");
    team.service("api-dev", |s| {
        s.variables.get_mut("LEVEL").unwrap().value = "trace".into();
        s.variables.get_mut("TOKEN").unwrap().value = "another-one".into();
        s.variables.insert("MINE".into(), ambit_simulators::railway::Variable { value: "x".into(), sealed: false });
        s.deploy.insert("healthcheckPath".into(), "/".into());
        s.deploy.insert("numReplicas".into(), 3.into());
    });
    team.service("redis-dev", |s| {
        s.deploy.insert("startCommand".into(), "redis-server --save 60 1".into());
    });
    team.by_hand(|world| world.projects[0].name = "renamed".into());
    let (code, out, _) = team.runs(&["plan", "--only", "railway"]);
    assert_eq!(code, 2);
    for shown in [
        "trace → debug",
        "(secret) → (secret)",
        "health / → /ready",
        "instances 3 → 1",
        "snapshot → append-only",
        "renamed → shop-dev",
    ] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    assert!(out.contains("1 not the project's"), "{out}");
    assert!(!out.contains("another-one") && !out.contains(SECRET), "{out}");
    assert_eq!(team.variable("api-dev", "LEVEL").unwrap(), "trace");
    team.apply();
    team.is_whole();
    assert_eq!(team.variable("api-dev", "LEVEL").unwrap(), "debug");
    assert_eq!(team.variable("api-dev", "MINE").unwrap(), "x", "what somebody else set stays");
    assert_eq!(team.deployments("api-dev"), deployed, "nothing is deployed for it");
    assert_eq!(team.changes(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_is_declared_no_more_goes_and_what_holds_data_only_when_it_is_named() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let deployed = team.deployments("api-dev");
    team.by_hand(|world| {
        let id = "7d6a5c4b-0000-4000-8000-000000000001".to_owned();
        let service = ambit_simulators::railway::Service { id: id.clone(), name: "metabase".into() };
        world.projects[0].services.push(service);
        world.projects[0].environments[0].instances.insert(id, Instance::default());
    });
    team.declare("url = \"shop-api.@\"\nhealth = \"/ready\"\n");
    team.change("LEVEL = \"debug\"\n", "");
    let mut changes = team.changes();
    changes.sort();
    assert_eq!(
        changes,
        [
            "change shop-dev/api-dev settings",
            "create shop-dev/api-dev shop-api.shop.example",
            "delete shop-dev/api-dev LEVEL",
            "delete shop-dev/api-dev REDIS_URL",
            "delete shop-dev/api-dev api.shop.example",
            "delete shop-dev/redis-dev",
        ]
    );
    let (code, _, said) = team.runs(&["apply", "--only", "railway", "--yes"]);
    assert_eq!(code, 1);
    assert!(said.contains("ambit apply --confirm shop-dev/redis-dev"), "{said}");
    assert_eq!(team.variable("api-dev", "LEVEL").unwrap(), "debug", "nothing was changed");
    team.ok(&["apply", "--only", "railway", "--yes", "--confirm", "shop-dev/redis-dev"]);
    let names = ["api-dev", "metabase", "postgresql-dev"].map(str::to_owned);
    assert_eq!(team.shape(), (vec![("shop-dev".to_owned(), names.into())], 1));
    assert_eq!((team.variable("api-dev", "LEVEL"), team.variable("api-dev", "REDIS_URL")), (None, None));
    assert_eq!(team.service("api-dev", |s| s.deploy.get("preDeployCommand").cloned()), None);
    assert_eq!(team.deployments("api-dev"), deployed, "a variable goes without a deployment");
    assert_eq!(team.changes(), Vec::<String>::new());

    // Nobody declares the environment any more; what somebody put into its project keeps it.
    team.change("project = \"shop-dev\"\nservice = \"api-dev\"\n", "");
    team.change("[environments.dev]", "[environments.prod]\n[environments.dev]");
    team.change("url = \"shop-api.@\"", "url = { dev = \"shop-api.@\", prod = \"@\" }");
    team.change("[providers.railway]\n", "[providers.railway]\nproject = { prod = \"shop\" }\n");
    team.change("TOKEN = {}", "TOKEN = { only = [\"dev\"] }");
    assert!(team.remarks().contains("metabase"), "{}", team.remarks());
    team.by_hand(|world| world.projects[0].services.retain(|s| s.name != "metabase"));
    team.by_hand(|world| {
        let project = &mut world.projects[0];
        let known: Vec<String> = project.services.iter().map(|s| s.id.clone()).collect();
        project.environments[0].instances.retain(|id, _| known.contains(id));
    });
    assert!(team.changes().contains(&"delete project shop-dev".to_owned()));
    let (_, _, said) = team.runs(&["apply", "--only", "railway", "--yes"]);
    assert!(said.contains("--confirm shop-dev"), "{said}");
    team.ok(&["apply", "--only", "railway", "--yes", "--confirm", "shop-dev"]);
    let names: Vec<String> = team.shape().0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["shop"]);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_is_there_already_is_nobodys_until_it_is_taken_over() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.by_hand(|world| world.projects[0].description = "The shop".into());
    team.service("api-dev", |s| drop(s.variables.remove("AMBIT_OWNER")));
    assert_eq!(team.changes(), Vec::<String>::new());
    assert!(team.remarks().contains("ambit import"), "{}", team.remarks());
    team.apply();
    assert_eq!(team.shape().0.len(), 1, "no second project of that name is made");
    let told = team.ok(&["import", "--only", "railway", "--yes"]);
    assert!(told.contains("railway: 2 taken over"), "{told}");
    assert_eq!(team.by_hand(|world| world.projects[0].description.clone()), "The shop ambit:shop/dev");
    assert_eq!(team.changes(), Vec::<String>::new());
    // What is managed is known again too.
    team.change("LEVEL = \"debug\"\n", "");
    assert_eq!(team.changes(), ["delete shop-dev/api-dev LEVEL"]);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn two_projects_or_services_with_one_mark_are_refused_or_told_apart_by_their_names() {
    let Some(team) = Team::new() else { return };
    team.apply();
    // Whoever copies a service copies its mark.
    team.by_hand(|world| {
        let project = &mut world.projects[0];
        let id = "7d6a5c4b-0000-4000-8000-000000000002".to_owned();
        let mark = project.environments[0].instances.values().find_map(|i| {
            let owner = i.variables.get("AMBIT_OWNER")?;
            owner.value.starts_with("ambit:shop/dev/api").then(|| owner.clone())
        });
        let copy = Instance { variables: [("AMBIT_OWNER".to_owned(), mark.unwrap())].into(), ..Instance::default() };
        project.services.push(ambit_simulators::railway::Service { id: id.clone(), name: "api-dev-copy".into() });
        project.environments[0].instances.insert(id, copy);
    });
    assert_eq!(team.changes(), Vec::<String>::new());
    team.by_hand(|world| {
        let description = world.projects[0].description.clone();
        world.projects.push(ambit_simulators::railway::Project {
            id: "7d6a5c4b-0000-4000-8000-000000000003".into(),
            name: "shop-copy".into(),
            description,
            workspace: world.workspaces[0].0.clone(),
            ..Default::default()
        });
    });
    let (code, _, said) = team.runs(&["plan", "--only", "railway"]);
    assert_eq!(code, 1);
    assert!(said.contains("2 projects") && said.contains("shop-copy"), "{said}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_push_deploys_where_no_workflow_does_and_only_where_that_is_declared() {
    let Some(team) = Team::new() else { return };
    // A workflow that hands the code to Ambit on its own machine deploys nothing at Railway.
    std::fs::create_dir_all(team.project.join(".github/workflows")).unwrap();
    std::fs::create_dir_all(team.project.join("api/src")).unwrap();
    std::fs::write(team.project.join("api/src/main.rs"), "fn main() {}\n").unwrap();
    std::fs::write(team.project.join("api/Cargo.toml"), "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n").unwrap();
    team.ok(&["ci", "github", "--target", "host"]);
    team.apply();
    let triggers = || team.by_hand(|world| world.projects[0].environments[0].triggers.clone());
    assert_eq!((triggers().len(), triggers()[0].branch.as_str()), (1, "develop"));
    assert_eq!(team.changes(), Vec::<String>::new());
    team.by_hand(|world| world.projects[0].environments[0].triggers[0].branch = "main".into());
    let (_, out, _) = team.runs(&["plan", "--only", "railway"]);
    assert!(out.contains("at each push to main → at each push to develop"), "{out}");
    team.apply();
    assert_eq!(triggers()[0].branch, "develop");
    team.change("branch = \"develop\"", "branch = \"develop\"\ndeploy = \"manual\"");
    team.ok(&["ci", "github", "--target", "host"]);
    team.apply();
    assert_eq!(triggers(), Vec::<Trigger>::new());
    assert_eq!(team.changes(), Vec::<String>::new());
}

/// Whatever request of an apply it hits, the next apply does the rest, and nothing twice.
fn is_mended_at_every_request(fault: &Fault) {
    let Some(team) = Team::new() else { return };
    team.railway.account().limit(100_000);
    team.apply();
    for before in 0..team.railway.accepted().len() {
        team.by_hand(|world| world.projects.clear());
        team.railway.fail_after(before, fault.clone());
        team.runs(&["apply", "--only", "railway", "--yes"]);
        team.apply();
        team.is_whole();
        assert_eq!(team.changes(), Vec::<String>::new(), "{fault:?} after {before}");
    }
    assert_eq!(team.railway.refused(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_apply_that_met_a_broken_answer_is_finished_by_the_next() {
    is_mended_at_every_request(&Fault::Status(502));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_apply_that_was_asked_for_patience_is_finished_by_the_next() {
    is_mended_at_every_request(&Fault::TooMany("0".to_owned()));
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_apply_that_was_not_heard_is_finished_by_the_next() {
    is_mended_at_every_request(&Fault::Close);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn an_apply_that_was_heard_and_not_answered_is_finished_by_the_next() {
    is_mended_at_every_request(&Fault::CloseAfter);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn killed_at_any_request_apply_completes_when_it_is_run_again() {
    let Some(team) = Team::new() else { return };
    team.railway.account().limit(100_000);
    team.apply();
    let requests = team.railway.accepted().len();
    for answered in 1..requests {
        team.by_hand(|world| world.projects.clear());
        let before = team.railway.accepted().len();
        team.railway.fail_after(answered - 1, Fault::HangAfter);
        let mut command = team.machine.command(&team.project, &["apply", "--only", "railway", "--yes"]);
        let mut applying = command
            .env("RAILWAY_TOKEN", team.railway.token())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the request came", || team.railway.accepted().len() >= before + answered);
        applying.kill().unwrap();
        applying.wait().unwrap();
        team.machine.kill_daemon();
        team.apply();
        team.is_whole();
        assert_eq!(team.changes(), Vec::<String>::new(), "killed after {answered}");
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_database_that_takes_its_time_is_made_once_whoever_asks_again() {
    let Some(team) = Team::new() else { return };
    team.by_hand(|world| world.slow = 4);
    // The answer to what asks for the database is lost.
    team.railway.account().complain_after(1, true, "Problem processing request");
    team.apply();
    team.is_whole();
    assert_eq!(team.changes(), Vec::<String>::new());
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn a_plan_that_does_not_fit_in_what_is_left_says_so_and_is_finished_an_hour_later() {
    let Some(team) = Team::new() else { return };
    team.railway.account().limit(12);
    assert!(team.remarks().contains("of the 12 that Railway's plan gives in an hour"), "{}", team.remarks());
    let (code, _, said) = team.runs(&["apply", "--only", "railway", "--yes"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("asks for a pause of 3600 s"), "{said}");
    team.railway.account().limit(100);
    team.apply();
    team.is_whole();
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn tokens_that_open_too_little_are_told_apart_and_never_shown() {
    let Some(team) = Team::new() else { return };
    team.apply();
    let project_token = "4f0e-token-of-one-project";
    team.by_hand(|world| {
        let environment = world.projects[0].environments[0].id.clone();
        world.projects[0].tokens.push(["1".into(), "ci".into(), environment, project_token.into()]);
    });
    for (token, says) in [(project_token, "token of one project"), ("hunter2-of-nobody", "wrong or expired")] {
        let mut command = team.machine.command(&team.project, &["plan", "--only", "railway"]);
        let output = command.env("RAILWAY_TOKEN", token).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(says) && said.contains("railway.com/account/tokens"), "{said}");
        assert!(!said.contains(token), "{said}");
    }
    // What a refusal repeats of a value is taken out of it.
    team.change("LEVEL = \"debug\"", "LEVEL = \"info\"");
    team.secret("TOKEN", "dev", "planted-another-Zx81kqW0");
    team.railway.account().complain_after(0, false, "TOKEN cannot be planted-another-Zx81kqW0");
    let (code, out, said) = team.runs(&["apply", "--only", "railway", "--yes"]);
    assert_eq!(code, 1);
    assert!(said.contains("TOKEN cannot be (secret)") && !format!("{out}{said}").contains("planted-another"), "{said}");
    team.apply();
    team.machine.kill_daemon();
    let home = team.machine.folder.path().join("home");
    for planted in [team.railway.token(), SECRET, "planted-another-Zx81kqW0"] {
        let found = std::process::Command::new("grep").args(["-rlaF", planted]).arg(&home).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file holds {planted}");
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn the_zone_is_told_what_railway_asks_for_in_the_same_apply() {
    let Some(document) = contract("cloudflare/openapi.json") else { return };
    let Some(team) = Team::new() else { return };
    let zone = Arc::new(team._runtime.block_on(Cloudflare::start("shop.example", &document)));
    team.change(
        "[providers.github]",
        &format!("[providers.cloudflare]\nzone = \"shop.example\"\nendpoint = \"{}\"\n[providers.github]", zone.base()),
    );
    let with_both = |arguments: &[&str]| {
        let mut command = team.machine.command(&team.project, arguments);
        command.env("RAILWAY_TOKEN", team.railway.token()).env("CLOUDFLARE_API_TOKEN", zone.token());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, out) = with_both(&["apply", "--only", "railway,dns", "--yes"]);
    assert_eq!(code, 0, "{out}");
    let lines = zone.lines();
    assert!(lines[0].starts_with("CNAME api.shop.example ") && lines[0].ends_with(".up.railway.app"), "{lines:?}");
    assert!(lines[1].starts_with("TXT _railway-verify.api.shop.example \"railway-verify="), "{lines:?}");
    let (code, out) = with_both(&["plan", "--only", "railway,dns"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("until it sees them"), "{out}");
    let seen = Arc::clone(&zone);
    team.railway.account().names(move |kind, name| {
        let records = seen.records();
        let found = records.iter().find(|r| r["type"] == kind && r["name"] == name)?;
        Some(found["content"].as_str()?.trim_matches('"').to_owned())
    });
    let (_, out) = with_both(&["plan", "--only", "railway,dns"]);
    assert!(!out.contains("until it sees them"), "{out}");
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn what_somebody_staged_is_not_committed_with_ours() {
    let Some(team) = Team::new() else { return };
    team.apply();
    team.by_hand(|world| {
        let environment = &mut world.projects[0].environments[0];
        let id = environment.instances.keys().next().unwrap().clone();
        environment.staged = Some(serde_json::json!({ "services": { id: { "deploy": { "numReplicas": 9 } } } }));
    });
    team.change("LEVEL = \"debug\"\n", "");
    let (code, _, said) = team.runs(&["apply", "--only", "railway", "--yes"]);
    assert_eq!(code, 1);
    assert!(said.contains("staged changes"), "{said}");
    team.by_hand(|world| world.projects[0].environments[0].staged = None);
    team.apply();
    assert_eq!(team.variable("api-dev", "LEVEL"), None);
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn kaias_own_declaration_is_the_seeds_three_projects_with_nine_services_within_a_free_plans_hour() {
    let Some(team) = Team::named("kaia") else { return };
    let text =
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia/ambit.toml")).unwrap();
    let endpoint = format!("[providers.railway]\nendpoint = \"{}\"", team.railway.base());
    std::fs::write(team.project.join("ambit.toml"), text.replace("[providers.railway]", &endpoint)).unwrap();
    team.machine.ok(&team.project, &["secret", "key", "--add"]);
    let (_, plan, _) = team.runs(&["plan", "--only", "railway"]);
    assert!(plan.contains("the secret JWT_SECRET is not set in prod"), "{plan}");
    let all = [
        "JWT_SECRET",
        "JWT_REFRESH_SECRET",
        "SENDGRID_API_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "GOOGLE_MAPS_API_KEY",
    ];
    for environment in ["dev", "test", "prod"] {
        for name in all.iter().chain((environment != "dev").then_some(&"SENTRY_DSN")) {
            team.secret(name, environment, &format!("{SECRET}-{name}-{environment}"));
        }
    }
    team.railway.account().limit(100);
    team.apply();
    let calls = team.railway.account().calls();
    assert!(calls < 80, "{calls} requests of the 100 that a free plan gives");
    let services = |after: &str| ["backend", "postgresql", "redis"].map(|name| format!("{name}{after}")).into();
    let wanted = [("kaia-dev", "-dev"), ("kaia-test", "-test"), ("kaia", "")];
    let wanted = wanted.map(|(project, after)| (project.to_owned(), services(after)));
    assert_eq!(team.shape(), (wanted.to_vec(), 6));
    team.railway.account().limit(1000);
    assert_eq!(team.changes(), Vec::<String>::new());
    team.by_hand(|world| {
        let prod = &world.projects[2];
        let id = |name: &str| prod.services.iter().find(|s| s.name == name).unwrap().id.clone();
        let environment = &prod.environments[0];
        let backend = &environment.instances[&id("backend")];
        let value = |name: &str| backend.variables[name].value.as_str();
        assert_eq!((value("NODE_ENV"), value("FRONTEND_URL")), ("production", "https://kaia.ai"));
        assert_eq!(
            (value("DATABASE_URL"), value("REDIS_URL")),
            ("${{postgresql.DATABASE_URL}}", "${{redis.REDIS_URL}}")
        );
        assert_eq!(value("CORS_ORIGIN"), "https://kaia.ai,https://admin.kaia.ai");
        assert!(!backend.variables.contains_key("RAILWAY_TOKEN"));
        assert_eq!((&backend.deploy["numReplicas"], backend.domains[0].host.as_str()), (&2.into(), "api.kaia.ai"));
        let backups = |name: &str| environment.volumes.iter().find(|v| v.service == id(name)).unwrap().schedule.clone();
        assert_eq!(
            (backups("postgresql"), backups("redis")),
            (vec!["DAILY".to_owned(), "WEEKLY".to_owned()], vec!["DAILY".to_owned(), "WEEKLY".to_owned()])
        );
        assert_eq!(environment.triggers, []);
        assert_eq!(
            world.projects[0].environments[0].instances.values().filter(|i| i.deployments.len() == 1).count(),
            3
        );
    });
}
