//! What goes wrong while something is deployed, with real servers: what served goes on serving, and what to do is told.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use load::Load;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use shop::{Shop, Signals, app, code, points, text};
use support::until;

const PROD: &str = "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"1s\"\n";

#[test]
fn a_daemon_killed_at_any_step_of_a_rollback_loses_no_request_and_it_is_completed_after_the_next_start() {
    let shop = Shop::new(&["prod"], PROD);
    shop.with_service_keys("instances = 2\n");
    shop.version("one");
    shop.up();
    let one = shop.newest("prod");
    shop.version("two");
    let two = shop.queue(&["deploy", "-e", "prod"]);
    until("two is certain", || shop.state(two) == "succeeded");
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two"]);
    shop.ok(&["rollback", "prod"]);
    let points = points(&shop.show(shop.newest("prod")));
    for known in ["before start 0", "between record and routes 1", "after stop 1"] {
        assert!(points.iter().any(|p| p == known), "{known} is not among {points:?}");
    }
    for (n, point) in points.iter().enumerate() {
        let (version, number) = [("two", two), ("one", one)][n % 2];
        let back = ["rollback", "prod", "--to", &number.to_string()];
        let number = shop.completed_though_killed(&back, point, version);
        assert_eq!(shop.show(number)["trigger"]["kind"], "rollback");
        load.is_well(&format!("killed {point}"));
    }
    load.end();
    shop.ok(&["down"]);
    until("every process ends", || shop.machine.processes() == 0 && shop.machine.instances().is_empty());
}

#[test]
fn a_daemon_killed_between_a_failure_and_its_recovery_and_again_at_any_step_of_that_recovers_all_the_same() {
    let toml = PROD.replace("soak = \"1s\"", "soak = \"60s\"\nmax-error-rate = 0");
    let shop = Shop::new(&["prod"], &toml);
    shop.write("app.py", &app("one", "", ""));
    shop.commit("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "bad"]);
    // Nobody but this test asks for what fails.
    shop.write("app.py", &app("bad", "", "if self.path == '/broken': status = 500"));
    shop.commit("bad");
    let fails = || {
        shop.machine.kill_daemon();
        let mut deploy = shop.machine.command(&shop.project, &["deploy", "-e", "prod", "--detach"]);
        deploy.env("AMBIT_KILL_AT", "between failure and recovery").output().unwrap();
        let number = shop.newest("prod");
        until("it is judged and the daemon is killed", || {
            shop.machine.get("shop.localhost", "/broken");
            !shop.machine.daemon_lives()
        });
        assert_eq!(shop.state(number), "failed");
        assert_eq!(shop.body("shop.localhost"), "bad");
        number
    };
    let recovers = |number: u64, when: &str| {
        shop.machine.start_daemon(&shop.project);
        until(&format!("it recovers, {when}"), || shop.state(number) == "rolled-back");
        let back = shop.newest("prod");
        until(&format!("it is done, {when}"), || ["watching", "succeeded"].contains(&shop.state(back).as_str()));
        assert_eq!(shop.show(back)["trigger"]["kind"], "recovery", "{when}");
        assert_eq!(shop.body("shop.localhost"), "one", "{when}");
        shop.nothing_is_left_over("prod");
        load.is_well(when);
        back
    };
    let back = recovers(fails(), "killed once");
    let points = points(&shop.show(back));
    assert!(points.iter().any(|p| p == "in health 0"), "{points:?}");
    for point in points {
        let number = fails();
        shop.machine.start_daemon_to_be_killed(&shop.project, &point);
        let back = recovers(number, &format!("killed {point}"));
        let recoveries = shop.json(&["deployments", "-e", "prod", "-n", "1000"]);
        let of_it = |d: &&serde_json::Value| d["trigger"]["from"] == number;
        assert_eq!(recoveries.as_array().unwrap().iter().filter(of_it).count(), 1, "one way back, {back}");
    }
    load.end();
}

/// Processes whose command line or environment holds a text.
fn processes(text: &str) -> Vec<i32> {
    let holds = |path: std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|all| all.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|process| holds(process.join("cmdline")) || holds(process.join("environ")))
        .filter_map(|process| process.file_name()?.to_str()?.parse().ok())
        .collect()
}

fn kill_all(text: &str) {
    for pid in processes(text) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[test]
fn the_apps_own_migration_runs_once_whatever_is_killed_meanwhile_or_is_reported_with_what_to_do() {
    let shop = Shop::new(&["prod"], PROD);
    let signals = Signals::new(&shop.machine);
    let ran = signals.0.join("ran");
    let runs = || std::fs::read_to_string(&ran).unwrap_or_default().lines().count();
    shop.version("one");
    shop.up();
    let versions = ["one", "before", "in", "after", "two", "three", "five"];
    let load = Load::on(&shop.machine, "shop.localhost", &versions);
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    // The migration of a version waits to be told to go on.
    let begins = |version: &str| {
        let _ = std::fs::remove_file(&ran);
        let command = format!("echo {version} >> {}; {}", ran.display(), signals.waits(version));
        shop.write("ambit.toml", &format!("{sound}migrate = \"{command}\"\n"));
        shop.version(version);
        let number = shop.queue(&["deploy", "-e", "prod"]);
        signals.until_waiting(version);
        number
    };

    // Between its end and the record of that, too.
    for when in ["before", "in", "after"] {
        let _ = std::fs::remove_file(&ran);
        shop.write("ambit.toml", &format!("{sound}migrate = \"echo {when} >> {}\"\n", ran.display()));
        shop.version(when);
        shop.completed_though_killed(&["deploy", "-e", "prod"], &format!("{when} migrate 0"), when);
        assert_eq!(runs(), 1, "{when}");
    }

    let two = begins("two");
    shop.machine.kill_daemon();
    shop.machine.start_daemon(&shop.project);
    until("it is resumed", || {
        text(&shop.ambit(&["deployment", "log", &two.to_string()])).contains("was interrupted and is resumed")
    });
    assert_eq!((signals.shells(), shop.body("shop.localhost").as_str()), (1, "after"));
    signals.go("two");
    until("it serves", || shop.state(two) == "succeeded");
    assert_eq!((runs(), shop.body("shop.localhost").as_str()), (1, "two"));
    shop.nothing_is_left_over("prod");

    // It ends while no daemon lives.
    let three = begins("three");
    shop.machine.kill_daemon();
    signals.go("three");
    until("it ends", || signals.shells() == 0);
    shop.machine.start_daemon(&shop.project);
    until("it serves", || shop.state(three) == "succeeded");
    assert_eq!((runs(), shop.body("shop.localhost").as_str()), (1, "three"));

    // Its keeper is killed as well, and then the command, too: nobody knows how far it came.
    for (version, of_command) in [("four", false), ("five", true)] {
        let number = begins(version);
        shop.machine.kill_daemon();
        let keeper = format!("{}/home/tasks/shop/prod/migrate-app-{number}", shop.machine.folder.path().display());
        until(&format!("the keeper is killed: {keeper}"), || {
            kill_all(&keeper);
            processes(&keeper).is_empty()
        });
        if of_command {
            kill_all(&format!("{}/go-{version}", signals.0.display()));
        }
        shop.machine.start_daemon(&shop.project);
        if !of_command {
            signals.go(version);
        }
        until("it is over", || shop.state(number) == "failed");
        let shown = text(&shop.ambit(&["deployment", "show", &number.to_string()]));
        for said in ["nobody saw how", "the version before still serves"] {
            assert!(shown.contains(said), "`{said}` is missing in {shown}");
        }
        assert_eq!((runs(), shop.body("shop.localhost").as_str()), (1, "three"), "{version}");
        shop.nothing_is_left_over("prod");
        assert_eq!(signals.shells(), 0);
    }
    load.is_well("killed in a migration");

    shop.write("ambit.toml", &format!("{sound}migrate = \"true\"\n"));
    shop.commit("five once more");
    shop.ok(&["deploy", "-e", "prod"]);
    assert_eq!(shop.body("shop.localhost"), "five");
    load.end();
}

#[test]
fn a_postgres_that_dies_in_a_migration_stops_the_deployment_and_a_retry_goes_through() {
    let shop = Shop::new(&["prod"], &format!("{PROD}[services.postgres]\n"));
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    shop.write("ambit.toml", &format!("{sound}migrations = \"migrations\"\n"));
    shop.write("migrations/0001_events.sql", "CREATE TABLE events (id int); INSERT INTO events VALUES (1)");
    shop.version("one");
    shop.up();
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two", "three"]);
    let sql = |sql: &str| shop.ok(&["psql", "-e", "prod", "--", "-Atqc", sql]);
    let dies_in = |version: &str| {
        // The migration waits for a lock that goes with the server.
        let holding = ["psql", "-e", "prod", "--", "-qc", "SELECT pg_advisory_lock(7)", "-c", "SELECT pg_sleep(600)"];
        let mut holder = shop
            .machine
            .command(&shop.project, &holding)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let locks = |granted: bool| {
            sql(&format!(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND granted = {granted}"
            ))
        };
        until("the lock is held", || locks(true) == "1\n");
        shop.version(version);
        let number = shop.queue(&["deploy", "-e", "prod"]);
        until("the migration waits", || locks(false) == "1\n");
        let data = shop.machine.folder.path().join("home/environments/shop/prod/postgres/data/postmaster.pid");
        let pid = std::fs::read_to_string(data).unwrap().lines().next().unwrap().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        until("the deployment is over", || shop.state(number) == "failed");
        holder.wait().unwrap();
        let shown = text(&shop.ambit(&["deployment", "show", &number.to_string()]));
        let wanted = [
            "PostgreSQL ended meanwhile",
            "the version before still serves",
            "ambit logs -e prod postgres",
            "then deploy again",
        ];
        for said in wanted {
            assert!(shown.contains(said), "`{said}` is missing in {shown}");
        }
        until("PostgreSQL is back", || shop.ambit(&["psql", "-e", "prod", "--", "-c", "SELECT 1"]).status.success());
        assert_eq!((sql("SELECT count(*) FROM events").as_str(), shop.body("shop.localhost").as_str()), ("1\n", "one"));
        assert_eq!(sql("SELECT count(*) FROM pg_tables WHERE tablename = 'visits'"), "0\n");
        shop.nothing_is_left_over("prod");
        load.is_well("PostgreSQL died");
        shown
    };
    let change = "SELECT pg_advisory_xact_lock(7); CREATE TABLE visits (id int);";
    shop.write("migrations/0002_visits.sql", change);
    let shown = dies_in("two");
    assert!(shown.contains("0 ran before it, 1 are left"), "{shown}");
    shop.write(
        "ambit.toml",
        &format!("{sound}migrate = '''psql -v ON_ERROR_STOP=1 -1 $DATABASE_URL -c \"{change}\"'''\n"),
    );
    dies_in("three");
    assert_eq!(code(&shop.ambit(&["deploy", "-e", "prod"])), Some(0));
    assert_eq!((sql("SELECT count(*) FROM visits").as_str(), shop.body("shop.localhost").as_str()), ("0\n", "three"));
    load.end();
}
