//! Deployments as people see them, with real servers, real git, and somebody who asks the app for pages all the while.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use std::{collections::BTreeSet, process::Output};

use load::Load;
use serde_json::Value;
use shop::{Shop, Signals, app, code, points, services, text};
use support::{Machine, git, until};

#[test]
fn a_daemon_killed_at_any_step_loses_no_request_and_its_deployment_is_completed_after_the_next_start() {
    let half = |which: usize| {
        let toml = "[environments.prod]\nbranch = \"main\"\ngates = [\"variables\"]\nsoak = \"1s\"\n\
                    [services.postgres]\n";
        let shop = Shop::new(&["prod"], toml);
        let services = "migrations = \"migrations\"\ninstances = 2\n";
        let file = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
        shop.write("ambit.toml", &format!("{file}{services}"));
        shop.write("migrations/0001_events.sql", "CREATE TABLE events (id int)");
        let one = shop.version("one");
        shop.up();
        let two = shop.version("two");
        let number = shop.queue(&["deploy", "-e", "prod"]);
        shop.ok(&["deployment", "log", &number.to_string(), "-f"]);
        let points = points(&shop.show(number));
        for known in ["before gates 0", "in restore point 0", "after migrate 0", "in start 1", "after stop 1"] {
            assert!(points.iter().any(|p| p == known), "{known} is not among {points:?}");
        }
        let mine: Vec<String> = points.into_iter().skip(which).step_by(2).collect();
        let load = Load::on(&shop.machine, "shop.localhost", &["one", "two"]);
        let versions = [("one", one), ("two", two)];
        for (n, point) in mine.iter().enumerate() {
            let (version, commit) = &versions[n % 2];
            let number = shop.completed_though_killed(&["deploy", "-e", "prod", "--ref", commit], point, version);
            assert_eq!(shop.show(number)["commit"]["id"], **commit);
            load.is_well(&format!("killed {point}"));
        }
        load.end();
        shop.ok(&["down"]);
        until("every process ends", || shop.machine.processes() == 0 && shop.machine.instances().is_empty());
    };
    std::thread::scope(|scope| {
        scope.spawn(|| half(0));
        scope.spawn(|| half(1));
    });
}

fn builds(shop: &Shop) -> BTreeSet<String> {
    let folder = shop.machine.folder.path().join("home/builds/shop");
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_daemon_killed_while_it_tests_builds_or_watches_goes_on_after_the_next_start() {
    let shop = Shop::new(&["prod"], "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"2s\"\n");
    let signals = Signals::new(&shop.machine);
    let one = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    shop.commit("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two"]);
    let waiting = one.replace("build = \"true\"", &format!("build = \"{}\"", signals.waits("building")));
    shop.write("ambit.toml", &format!("{waiting}test = \"{}\"\n", signals.waits("testing")));
    shop.version("two");
    let number = shop.queue(&["deploy", "-e", "prod"]);
    for stage in ["building", "testing"] {
        signals.until_waiting(stage);
        shop.machine.kill_daemon();
        assert_eq!(shop.body("shop.localhost"), "one");
        signals.forget(stage);
        shop.machine.start_daemon(&shop.project);
        signals.until_waiting(stage);
        until("what the killed daemon had begun is ended", || signals.shells() == 1);
        signals.go(stage);
    }
    until("it serves", || shop.state(number) == "watching");
    shop.machine.kill_daemon();
    let log = text(&shop.ambit(&["deployment", "log", &number.to_string(), "-f"]));
    assert_eq!(shop.state(number), "succeeded", "{log}");
    assert_eq!(shop.body("shop.localhost"), "two");
    shop.nothing_is_left_over("prod");
    let left: Vec<String> =
        builds(&shop).into_iter().filter(|n| n.starts_with(".export") || n.starts_with(".test")).collect();
    assert!(left.is_empty(), "an interrupted build left {left:?}");
    load.end();
}

#[test]
fn versions_that_cannot_run_get_no_traffic_and_say_why_in_one_screen() {
    let toml = "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"1s\"\n[services.postgres]\n";
    let shop = Shop::new(&["prod"], toml);
    shop.with_service_keys("migrations = \"migrations\"\n");
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    shop.write("migrations/0001_events.sql", "CREATE TABLE events (id int); INSERT INTO events VALUES (1)");
    shop.commit("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one"]);
    let fails = |what: &str, wanted: &[&str]| {
        let commit = shop.commit(what);
        let deployed = shop.ambit(&["deploy", "-e", "prod", "--reason", what]);
        assert_eq!(code(&deployed), Some(5), "{what}: {}", text(&deployed));
        let number = shop.newest("prod");
        let shown = shop.machine.ambit(&shop.project, &["deployment", "show", &number.to_string()]);
        let shown = text(&shown);
        assert!(shown.lines().count() <= 40, "{what} takes more than a screen:\n{shown}");
        for word in wanted.iter().chain(&["failed", &commit[..7]]) {
            assert!(shown.contains(word), "{what}: `{word}` is missing in\n{shown}");
        }
        assert_eq!(shop.state(number), "failed");
        assert_eq!(shop.body("shop.localhost"), "one");
        shop.nothing_is_left_over("prod");
        load.is_well(what);
        shop.write("ambit.toml", &sound);
        number
    };

    shop.write("ambit.toml", &sound.replace("deadline = \"20s\"", "deadline = \"3s\""));
    shop.write("app.py", &app("sick", "", "status = 503"));
    fails("never healthy", &["503 instead of 200", "the old version still runs", "compare `health`"]);

    shop.write("app.py", &app("gone", "sys.exit('SMTP_HOST is missing')", ""));
    fails("ends at once", &["does not stay up", "SMTP_HOST is missing", "ambit run -e prod"]);

    shop.write("app.py", &app("two", "", ""));
    shop.write("migrations/0002_users.sql", "ALTER TABLE users ADD name text");
    let number = fails(
        "migration fails",
        &[
            "SQLSTATE 42P01",
            "\"users\" does not exist",
            "V2__users",
            "the version before still serves",
            "restore point",
        ],
    );
    let point = number.to_string();
    assert!(shop.ok(&["restore-point", "list", "-e", "prod"]).contains(&point), "the restore point {point} is kept");
    let rows = shop.ok(&["psql", "-e", "prod", "--", "-Atc", "SELECT count(*) FROM events"]);
    assert_eq!(rows, "1\n");
    std::fs::remove_file(shop.project.join("migrations/0002_users.sql")).unwrap();

    shop.with_service_keys("test = \"echo 41 is not 42; exit 1\"\n");
    fails("tests fail", &["41 is not 42", "tests"]);

    shop.write("ambit.toml", &sound.replace("build = \"true\"", "build = \"echo no such crate; exit 101\""));
    fails("build fails", &["no such crate", "101"]);

    shop.version("two");
    shop.ok(&["deploy", "-e", "prod"]);
    assert_eq!(shop.body("shop.localhost"), "two");
    assert_eq!(shop.ambit(&["deployment", "show", "1"]).status.code(), Some(0));
}

#[test]
fn a_version_that_breaks_once_it_serves_is_taken_back_by_itself() {
    let shop = Shop::new(&["prod"], "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"20s\"\n");
    shop.with_service_keys("instances = 2\n");
    let signals = Signals::new(&shop.machine);
    shop.commit("one");
    shop.up();
    let to_people = "if self.headers['User-Agent'] != 'ambit': status = 500";
    let started = signals.0.join("started");
    let second =
        format!("if os.path.exists('{0}'): sys.exit('a second one')\nopen('{0}', 'w').close()", started.display());
    let broken = [
        ("fails", app("fails", "", to_people), "% of the requests", None),
        ("dies", app("dies", "threading.Timer(0.7, lambda: os._exit(3)).start()", ""), "ended 3 times", None),
        ("lenient", app("lenient", "", to_people), "% of the requests", None),
        // The first of two instances serves already.
        ("half", app("half", &second, ""), "a second one", None),
        ("killed", app("killed", "", to_people), "% of the requests", Some("between failure and recovery")),
        ("half", app("half", &second, ""), "a second one", Some("between failure and recovery")),
    ];
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    for (name, code, why, kill) in &broken {
        shop.write("app.py", code);
        // A change is not judged by the rules that it brings along.
        let rules = if *name == "lenient" { "gates = []\nmax-error-rate = 100" } else { "gates = []" };
        shop.write("ambit.toml", &sound.replace("gates = []", rules));
        let _ = std::fs::remove_file(&started);
        shop.commit(name);
        if let Some(point) = kill {
            shop.machine.kill_daemon();
            let mut deploy = shop.machine.command(&shop.project, &["deploy", "-e", "prod", "--detach"]);
            let deployed = deploy.env("AMBIT_KILL_AT", point).output().unwrap();
            until(&format!("the daemon is killed: {}", text(&deployed)), || {
                (0..10).for_each(|_| drop(shop.body("shop.localhost")));
                !shop.machine.daemon_lives()
            });
            shop.machine.start_daemon(&shop.project);
        } else {
            shop.queue(&["deploy", "-e", "prod"]);
        }
        let all = shop.json(&["deployments", "-e", "prod", "-n", "5"]);
        let number =
            all.as_array().unwrap().iter().find(|d| d["trigger"]["kind"] == "command").unwrap()["number"].as_u64();
        let number = number.unwrap();
        until(&format!("{name} is taken back"), || {
            // That it ends shows without anybody who asks it for something.
            if *name != "dies" {
                (0..10).for_each(|_| drop(shop.body("shop.localhost")));
            }
            shop.state(number) == "rolled-back"
        });
        let shown = shop.machine.ambit(&shop.project, &["deployment", "show", &number.to_string()]);
        let shown = text(&shown);
        assert!(shown.contains("rolled back") && shown.contains(why), "{name}: {shown}");
        until("its way back serves", || ["watching", "succeeded"].contains(&shop.state(shop.newest("prod")).as_str()));
        let back = shop.show(shop.newest("prod"));
        assert_eq!(back["trigger"]["kind"], "recovery");
        assert_eq!(back["actor"]["from"], "daemon");
        for _ in 0..10 {
            assert_eq!(shop.body("shop.localhost"), "one", "after {name}");
        }
        shop.nothing_is_left_over("prod");
        assert_eq!(shop.serving("prod").len(), 2);
    }
}

/// An output of a command as somebody.
fn by(shop: &Shop, who: &str, arguments: &[&str]) -> Output {
    shop.machine.command(&shop.project, arguments).env("AMBIT_USER", who).output().unwrap()
}

/// Processor time of the daemon, in hundredths of a second (proc(5), utime and stime).
fn daemon_ticks(shop: &Shop) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", shop.machine.daemon().unwrap())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn refused(output: &Output, why: &str) {
    let said = text(output);
    assert!(code(output) == Some(1) && said.contains(why), "{:?}: `{why}` is missing in {said}", code(output));
}

#[test]
fn production_gets_the_builds_that_test_ran_and_only_after_the_yes_of_somebody_named_who_did_not_write_them() {
    let toml = |expires: &str| {
        format!(
            "project = \"shop\"\n[environments.test]\nbranch = \"staging\"\n\
             [environments.prod]\nbranch = \"main\"\nsoak = \"1s\"\ngates = [\"tests\", \"qa\"]\n\
             approvers = [\"lead@example.org\", \"ana@example.org\"]\napproval-expires = \"{expires}\"\n{}\
             test = \"echo 3 passed\"\n",
            services(&["test", "prod"])
        )
    };
    let shop = Shop::new(&["test", "prod"], "");
    shop.write("ambit.toml", &toml("1h"));
    shop.commit("one");
    git(&shop.project, &["branch", "staging"]);
    shop.up();
    git(&shop.project, &["checkout", "-q", "staging"]);
    let stage = |version: &str| {
        let commit = shop.version(version);
        shop.ok(&["deploy", "-e", "test", "--wait"]);
        commit
    };
    let approve = |who: &str, number: u64| by(&shop, who, &["approve", &number.to_string(), "--reason", "tried"]);

    let two = stage("two");
    let made = |shop: &Shop| -> Vec<(String, std::time::SystemTime)> {
        let folder = shop.machine.folder.path().join("home/builds/shop");
        builds(shop)
            .into_iter()
            .filter(|name| !name.starts_with('.'))
            .map(|name| (name.clone(), std::fs::metadata(folder.join(name)).unwrap().modified().unwrap()))
            .collect()
    };
    let before = made(&shop);
    let promoted = shop.ambit(&["promote", "test", "prod"]);
    assert!(text(&promoted).contains("waits for a yes"), "{}", text(&promoted));
    let number = shop.newest("prod");
    refused(&approve("eve@example.org", number), "may not approve");
    refused(&approve("ana@example.org", number), "wrote a part");
    refused(&approve("lead@example.org", number), "qa: ");
    assert_eq!(shop.state(number), "waiting");
    let idle = daemon_ticks(&shop);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let used = daemon_ticks(&shop) - idle;
    assert!(used < 60, "the daemon is busy while it only waits: {used} of 200 ticks");
    shop.ok(&["qa", "approve", "-e", "test", "tried on three phones"]);
    let approved = approve("Lead@example.org", number);
    assert!(approved.status.success(), "{}", text(&approved));
    assert_eq!(shop.body("shop.localhost"), "two");
    assert_eq!(made(&shop), before, "nothing was built");
    let deployment = shop.show(number);
    assert_eq!(deployment["release"], shop.show(shop.newest("test"))["release"]);
    assert_eq!(deployment["commit"]["id"], *two);
    refused(&approve("lead@example.org", number), "cannot be approved");

    // A deployment that a later one took the place of.
    stage("three");
    let older = shop.queue(&["promote", "test", "prod"]);
    until("it waits", || shop.state(older) == "waiting");
    // A commit that makes its author an approver is judged by the rules in force.
    let file = toml("1h").replace("\"lead@example.org\"", "\"lead@example.org\", \"eve@example.org\"");
    shop.write("ambit.toml", &file.replace("gates = [\"tests\", \"qa\"]", "gates = []"));
    stage("four");
    let newer = shop.queue(&["promote", "test", "prod"]);
    until("the older is superseded", || shop.state(older) == "superseded");
    refused(&approve("lead@example.org", older), "superseded");
    until("it waits", || shop.state(newer) == "waiting");
    refused(&approve("eve@example.org", newer), "may not approve");
    refused(&approve("lead@example.org", newer), "qa: ");
    let rejected = by(&shop, "lead@example.org", &["reject", &newer.to_string(), "--reason", "not like this"]);
    assert!(rejected.status.success(), "{}", text(&rejected));
    assert_eq!(shop.state(newer), "rejected");

    // The rules of the production branch, put in force by `up`: a yes that comes too late.
    git(&shop.project, &["checkout", "-q", "main"]);
    shop.write("ambit.toml", &toml("1s").replace("gates = [\"tests\", \"qa\"]", "gates = []"));
    shop.commit("short");
    shop.ok(&["up", "prod"]);
    let late = shop.queue(&["promote", "test", "prod"]);
    until("it waits", || shop.state(late) != "queued" && shop.state(late) != "building");
    let asked = shop.show(late)["created"].as_i64().unwrap();
    until("a second passes", || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(now.as_millis()).unwrap() > asked + 1000
    });
    refused(&approve("lead@example.org", late), "expired");
    until("it counts as expired", || shop.state(late) == "expired");
    assert_eq!(shop.body("shop.localhost"), "two");
}

#[test]
fn the_release_before_serves_again_without_a_build_and_with_its_data_where_that_is_wanted() {
    let toml = "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"1s\"\n[services.postgres]\n";
    let shop = Shop::new(&["prod"], toml);
    shop.with_service_keys("migrations = \"migrations\"\n");
    shop.write("migrations/0001_events.sql", "CREATE TABLE events (id int); INSERT INTO events VALUES (1)");
    shop.commit("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two"]);
    shop.write("migrations/0002_drop.sql", "DROP TABLE events; CREATE TABLE visits (id int)");
    shop.version("two");
    shop.ok(&["deploy", "-e", "prod"]);
    let deployed = shop.newest("prod");
    let before = builds(&shop);

    let asked = shop.ambit(&["rollback", "prod"]);
    assert!(!asked.status.success(), "{}", text(&asked));
    assert!(text(&asked).contains("0002_drop.sql: drops the table events"), "{}", text(&asked));
    assert!(text(&asked).contains(&format!("restore point {deployed}")), "{}", text(&asked));
    assert_eq!(shop.newest("prod"), deployed, "nothing was changed");

    shop.ok(&["psql", "-e", "prod", "--", "-qc", "INSERT INTO visits VALUES (7)"]);
    let back = shop.ambit(&["rollback", "prod", "--restore", "--yes", "--reason", "events are missed"]);
    assert!(back.status.success(), "{}", text(&back));
    assert_eq!(shop.body("shop.localhost"), "one");
    assert_eq!(builds(&shop), before, "nothing was built");
    let shown = shop.show(shop.newest("prod"));
    let steps: Vec<&str> = shown["steps"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(!steps.contains(&"migrate") && !steps.contains(&"restore-point"), "{steps:?}");
    assert_eq!(shop.ok(&["psql", "-e", "prod", "--", "-Atc", "SELECT id FROM events"]), "1\n");
    let kept = format!("\\connect \"shop-prod-before-{deployed}\"");
    let visits = shop.ok(&["psql", "-e", "prod", "--", "-qAt", "-c", &kept, "-c", "SELECT id FROM visits"]);
    assert_eq!(visits, "7\n", "what was written since is kept beside");
    shop.nothing_is_left_over("prod");
    load.end();
}

/// Whether every instance that the routes name takes connections, and how many there are.
fn serving_ports(machine: &Machine) -> Option<usize> {
    let routes = || -> Vec<u16> {
        let text = std::fs::read_to_string(machine.folder.path().join("home/proxy/routes.json")).unwrap_or_default();
        let table: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut ports = Vec::new();
        collect_upstreams(&table, &mut ports);
        ports
    };
    let ports = routes();
    let refused = ports.iter().find(|port| std::net::TcpStream::connect(("127.0.0.1", **port)).is_err());
    match refused {
        // It may have been replaced since the routes were read.
        Some(port) if !routes().contains(port) => None,
        Some(port) => panic!("nothing listens on {port}, which is in the routes"),
        None => Some(ports.len()),
    }
}

fn collect_upstreams(table: &Value, ports: &mut Vec<u16>) {
    match table {
        Value::Object(all) => {
            for (key, value) in all {
                match value.as_array().filter(|_| key == "upstreams") {
                    Some(all) => {
                        ports.extend(all.iter().filter_map(|a| a.as_str()?.rsplit_once(':')?.1.parse::<u16>().ok()))
                    }
                    None => collect_upstreams(value, ports),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| collect_upstreams(value, ports)),
        _ => {}
    }
}

#[test]
fn three_instances_roll_one_by_one_and_workers_are_replaced() {
    let shop = Shop::new(&["prod"], "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"1s\"\n");
    shop.with_service_keys(
        "instances = { prod = 3 }\n[services.mailer]\nkind = \"worker\"\nbuild = \"true\"\n\
         run = \"echo mailer of $(cat app.py | grep ^VERSION); exec sleep 100000\"\n",
    );
    shop.commit("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two", "three"]);
    let before = shop.serving("prod");
    assert_eq!(before.len(), 4);
    shop.version("two");
    let number = shop.queue(&["deploy", "-e", "prod"]);
    until("it serves", || {
        if let Some(serving) = serving_ports(&shop.machine) {
            assert!(serving >= 3, "{serving} instances serve");
        }
        shop.state(number) == "watching" || shop.state(number) == "succeeded"
    });
    let after = shop.serving("prod");
    assert!(after.len() == 4 && after.is_disjoint(&before), "{before:?} → {after:?}");
    shop.nothing_is_left_over("prod");
    assert!(shop.ok(&["logs", "-e", "prod", "mailer"]).contains("mailer of VERSION = 'two'"));

    // A worker that is started when the daemon is killed is no second worker afterwards.
    shop.machine.kill_daemon();
    shop.version("three");
    let mut deploy = shop.machine.command(&shop.project, &["deploy", "-e", "prod", "--detach"]);
    deploy.env("AMBIT_KILL_AT", "in health 0").output().unwrap();
    until("the daemon is killed", || !shop.machine.daemon_lives());
    shop.ok(&["deployment", "log", &shop.newest("prod").to_string(), "-f"]);
    assert_eq!(shop.state(shop.newest("prod")), "succeeded");
    shop.nothing_is_left_over("prod");
    assert_eq!(shop.serving("prod").len(), 4);
    load.end();
}

#[test]
fn a_freeze_holds_back_what_is_no_hotfix_and_what_waits_or_is_built_can_be_taken_back() {
    let week = "freeze = [\"Mon 00:00 - Sun 23:00\", \"Sun 22:00 - Mon 01:00\"]";
    let toml = format!(
        "[environments.dev]\nbranch = \"develop\"\n\
         [environments.prod]\nbranch = \"main\"\ngates = [\"qa\"]\nhotfix = \"hotfix/*\"\nhotfix-gates = []\nsoak = \"1s\"\n{week}\n"
    );
    let shop = Shop::new(&["dev", "prod"], &toml);
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    let signals = Signals::new(&shop.machine);
    shop.commit("one");
    git(&shop.project, &["branch", "develop"]);
    shop.up();

    shop.version("two");
    let held = shop.ambit(&["deploy", "-e", "prod"]);
    assert!(held.status.success() && text(&held).contains("is frozen (Mon 00:00"), "{}", text(&held));
    let held = shop.newest("prod");
    assert_eq!(shop.state(held), "approved");
    assert!(shop.ok(&["deployment", "show", &held.to_string()]).contains("it starts after that"));
    git(&shop.project, &["checkout", "-q", "-b", "hotfix/login", "main~1"]);
    shop.version("mended");
    git(&shop.project, &["branch", "feature"]);
    refused(&shop.ambit(&["deploy", "-e", "prod", "--ref", "feature"]), "is not on `main`");
    shop.ok(&["deploy", "-e", "prod", "--ref", "hotfix/login", "--reason", "login fails", "--wait"]);
    assert_eq!(shop.body("shop.localhost"), "mended");

    // What waits for the end of the freeze is taken back.
    git(&shop.project, &["checkout", "-q", "main"]);
    let waits = shop.newest("prod");
    let waits = if shop.state(held) == "approved" { held } else { waits + 1 };
    if waits != held {
        shop.ok(&["deploy", "-e", "prod"]);
    }
    shop.ok(&["deployment", "cancel", &waits.to_string()]);
    assert_eq!(shop.state(waits), "cancelled");

    // And what is built.
    git(&shop.project, &["checkout", "-q", "develop"]);
    shop.write("ambit.toml", &sound.replace("build = \"true\"", &format!("build = \"{}\"", signals.waits("build"))));
    shop.version("slow");
    let building = shop.queue(&["deploy", "-e", "dev"]);
    signals.until_waiting("build");
    shop.ok(&["deployment", "cancel", &building.to_string()]);
    until("it is taken back", || shop.state(building) == "cancelled");
    until("its build has ended", || signals.shells() == 0);
    assert_eq!(shop.body("dev.shop.localhost"), "one");

    // And what has begun and does not serve yet.
    shop.write("ambit.toml", &sound);
    shop.write("app.py", &app("sick", "", "status = 503"));
    shop.commit("sick");
    let sick = shop.queue(&["deploy", "-e", "dev"]);
    until("it is asked for its health", || {
        let steps = shop.show(sick)["steps"].clone();
        steps.as_array().unwrap().iter().any(|s| s["name"] == "health" && s["state"] == "running")
    });
    shop.ok(&["deployment", "cancel", &sick.to_string()]);
    until("it is taken back", || shop.state(sick) == "cancelled");
    assert_eq!(shop.body("dev.shop.localhost"), "one");
    shop.nothing_is_left_over("dev");

    // An environment that is down stays down.
    shop.version("three");
    shop.ok(&["down", "dev"]);
    let down = shop.ambit(&["deploy", "-e", "dev"]);
    assert!(!down.status.success(), "{}", text(&down));
    assert!(text(&down).contains("dev is down") && text(&down).contains("ambit up dev"), "{}", text(&down));
    shop.ok(&["up", "dev"]);
    assert_eq!(shop.body("dev.shop.localhost"), "three");
}

#[test]
fn hostile_trees_and_builds_do_no_harm() {
    let shop = Shop::new(&["dev"], "[environments.dev]\nbranch = \"main\"\n");
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    shop.commit("one");
    shop.up();
    let deploy = |build: &str| {
        shop.write("ambit.toml", &sound.replace("build = \"true\"", &format!("build = '''{build}'''")));
        shop.commit(build.get(..20).unwrap_or(build));
        shop.ambit(&["deploy", "-e", "dev"])
    };

    std::os::unix::fs::symlink("/etc/passwd", shop.project.join("passwords")).unwrap();
    let linked = deploy("true");
    assert!(!linked.status.success() && text(&linked).contains("passwords"), "{}", text(&linked));
    std::fs::remove_file(shop.project.join("passwords")).unwrap();

    let head = String::from_utf8(shop.run("git", &["rev-parse", "HEAD"]).stdout).unwrap();
    git(&shop.project, &["update-index", "--add", "--cacheinfo", &format!("160000,{},library", head.trim())]);
    git(&shop.project, &["commit", "-q", "-m", "submodule"]);
    let submodule = shop.ambit(&["deploy", "-e", "dev"]);
    assert!(!submodule.status.success() && text(&submodule).contains("submodule"), "{}", text(&submodule));
    git(&shop.project, &["rm", "-q", "--cached", "library"]);

    let lingering = "setsid sleep 987654 >/dev/null 2>&1 & (sleep 987654 &) ; true";
    let deployed = deploy(lingering);
    assert!(deployed.status.success(), "{}", text(&deployed));
    let lingers = || {
        let cmdlines = std::fs::read_dir("/proc").unwrap().filter_map(|e| {
            let folder = e.ok()?.path();
            let ours = std::fs::read(folder.join("environ")).ok()?;
            let home = shop.machine.folder.path().to_string_lossy().into_owned();
            String::from_utf8_lossy(&ours).contains(&home).then(|| std::fs::read(folder.join("cmdline")).ok())?
        });
        cmdlines.filter(|c| c.starts_with(b"sleep\x00987654")).count()
    };
    assert_eq!(lingers(), 0, "what the build left behind has ended");

    let hungry = "build = \"head -c 300000000 /dev/zero | tail -n 1\"\nbuild-memory = \"64MB\"";
    shop.write("ambit.toml", &sound.replace("build = \"true\"", hungry));
    shop.commit("hungry");
    let hungry = shop.ambit(&["deploy", "-e", "dev"]);
    assert_eq!(code(&hungry), Some(5), "{}", text(&hungry));
    for said in ["64 MB is its limit", "build-memory = \"128MB\"", "[services.app]"] {
        assert!(text(&hungry).contains(said), "`{said}` is missing in {}", text(&hungry));
    }
    assert_eq!(shop.body("dev.shop.localhost"), "one");

    let escapes = deploy("printf '\\033[2J\\033]0;owned\\007 done'; exit 3");
    assert_eq!(code(&escapes), Some(5));
    let number = shop.newest("dev").to_string();
    for said in [
        text(&escapes),
        text(&shop.ambit(&["deployment", "show", &number])),
        text(&shop.ambit(&["deployment", "log", &number])),
    ] {
        assert!(said.contains("owned") && !said.contains(['\u{1b}', '\u{7}']), "{said:?}");
    }

    // Endless lines first, then one line without an end.
    for build in [
        "yes $(head -c 8000 /dev/zero | tr '\\\\0' x) | head -c 200000000; exit 4",
        "head -c 200000000 /dev/zero | tr '\\\\0' x; exit 4",
    ] {
        shop.write("ambit.toml", &sound.replace("build = \"true\"", &format!("build = \"{build}\"")));
        shop.commit("loud");
        let number = shop.queue(&["deploy", "-e", "dev"]);
        until("the loud build is over", || shop.state(number) == "failed");
        let daemon = std::fs::read_to_string(format!("/proc/{}/status", shop.machine.daemon().unwrap())).unwrap();
        let peak: u64 = daemon
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
            .unwrap();
        assert!(peak < 150_000, "the daemon took {peak} kB for `{build}`");
        let logs = shop.machine.folder.path().join("home/logs");
        let log = std::fs::metadata(logs.join(format!("deployments/{number}.jsonl"))).unwrap().len();
        assert!(log < 80 << 20, "a log of {log} bytes");
    }

    shop.write("ambit.toml", &sound);
    let versions = ["left", "right"].map(|version| shop.version(version));
    std::thread::scope(|scope| {
        let both = versions.each_ref().map(|commit| {
            let shop = &shop;
            scope.spawn(move || shop.ambit(&["deploy", "-e", "dev", "--ref", commit]))
        });
        let outputs = both.map(|one| one.join().unwrap());
        let good = outputs.iter().filter(|o| o.status.success()).count();
        assert!(good >= 1, "{}\n{}", text(&outputs[0]), text(&outputs[1]));
    });
    let live = shop.record("dev")["live"].as_u64().unwrap();
    until("it is certain", || ["succeeded", "watching"].contains(&shop.state(live).as_str()));
    let which = versions.iter().position(|v| shop.show(live)["commit"]["id"] == **v).unwrap();
    assert_eq!(shop.body("dev.shop.localhost"), ["left", "right"][which]);
    shop.nothing_is_left_over("dev");
}
