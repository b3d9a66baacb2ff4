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

#[test]
fn a_disk_that_is_full_at_any_step_costs_nothing_that_serves_and_the_deployment_goes_on_once_there_is_room() {
    let mut shop = Shop::new(&["prod"], &format!("{PROD}[services.postgres]\n"));
    if !shop.machine.mount_disk(400) {
        return eprintln!("skipped: this machine mounts no disk for a test");
    }
    let disk = shop.machine.disk.as_ref().unwrap();
    let migrate = |n: usize| {
        let change = "ALTER TABLE events ADD COLUMN IF NOT EXISTS x int";
        shop.write(&format!("migrations/{:04}_events.sql", n + 2), change);
    };
    shop.with_service_keys("migrations = \"migrations\"\n");
    shop.write("migrations/0001_events.sql", "CREATE TABLE events (id int); INSERT INTO events VALUES (1)");
    shop.version("one");
    shop.up();
    migrate(0);
    shop.version("two");
    shop.ok(&["deploy", "-e", "prod"]);
    // Before a step is what is after the one before.
    let points: Vec<String> =
        points(&shop.show(shop.newest("prod"))).into_iter().filter(|point| !point.starts_with("before")).collect();
    for known in ["in restore point 0", "after migrate 0", "between record and routes 0", "after stop 0"] {
        assert!(points.iter().any(|p| p == known), "{known} is not among {points:?}");
    }
    let load = Load::on(&shop.machine, "shop.localhost", &["one", "two"]);
    let said = shop.machine.folder.path().join("daemon.err");
    let mut held_up = 0;
    for (n, point) in points.iter().enumerate() {
        let version = ["one", "two"][n % 2];
        migrate(n + 1);
        shop.version(version);
        shop.machine.kill_daemon();
        let mut daemon = shop.machine.command(&shop.project, &["daemon"]);
        daemon.env("AMBIT_HOLD_AT", point).stderr(std::fs::File::create(&said).unwrap());
        let mut daemon = daemon.stdin(std::process::Stdio::null()).spawn().unwrap();
        until("the daemon runs", || shop.machine.daemon_lives());
        let number = shop.queue(&["deploy", "-e", "prod"]);
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", daemon.id())).unwrap();
        until(&format!("the daemon is held {point}"), || stat().contains(") T "));
        disk.fill();
        kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), Signal::SIGCONT).unwrap();
        // Where the files that are there have room for all of it, it goes on.
        let is = |states: &[&str]| states.contains(&shop.state(number).as_str());
        let found_full =
            || std::fs::read_to_string(&said).unwrap().contains(&format!("deployment {number} cannot go on"));
        until(&format!("it finds the disk full {point}"), || found_full() || !is(&["running"]));
        let status = text(&shop.ambit(&["status"]));
        assert!(status.contains("home is full: nothing can be recorded"), "{point}: {status}");
        if is(&["running"]) {
            held_up += 1;
            let shown = text(&shop.ambit(&["deployment", "show", &number.to_string()]));
            assert!(shown.contains("home is full: nothing can be recorded"), "{point}: {shown}");
        }
        load.is_well(&format!("full {point}"));
        disk.free();
        until(&format!("it goes on, full {point}"), || is(&["watching", "succeeded"]));
        assert_eq!(shop.body("shop.localhost"), version, "full {point}");
        shop.nothing_is_left_over("prod");
        load.is_well(&format!("full {point}"));
        shop.machine.kill_daemon();
        daemon.wait().unwrap();
    }
    assert!(held_up > points.len() / 2, "{held_up} of {} were held up", points.len());
    shop.machine.start_daemon(&shop.project);
    let sound = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    let serves = shop.body("shop.localhost");

    // A build that takes the last of the disk gives it back.
    let greedy = "build = \"head -c 500000000 /dev/zero > large\"";
    shop.write("ambit.toml", &sound.replace("build = \"true\"", greedy));
    shop.commit("greedy");
    let deployed = shop.ambit(&["deploy", "-e", "prod"]);
    assert!(
        !deployed.status.success() && text(&deployed).contains("the disk is full: free some space"),
        "{}",
        text(&deployed)
    );
    assert_eq!(shop.body("shop.localhost"), serves);

    // And one that is not even queued changes nothing.
    shop.write("ambit.toml", &sound);
    shop.version("two");
    disk.fill();
    let deployed = shop.ambit(&["deploy", "-e", "prod"]);
    assert!(!deployed.status.success() && text(&deployed).contains("disk is full"), "{}", text(&deployed));
    disk.free();
    shop.ok(&["deploy", "-e", "prod"]);
    assert_eq!(shop.body("shop.localhost"), "two");
    load.end();
    assert_eq!(shop.ok(&["psql", "-e", "prod", "--", "-Atc", "SELECT count(*) FROM events"]), "1\n");
    let checked: String = shop.database().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
    shop.ok(&["log", "--verify"]);
}

#[test]
fn an_app_that_crashes_once_it_serves_is_taken_back_while_it_is_watched_and_started_again_and_again_afterwards() {
    let shop = Shop::new(&["prod"], &PROD.replace("1s", "2s"));
    let signals = Signals::new(&shop.machine);
    let (crash, starts) = (signals.0.join("crash"), signals.0.join("starts"));
    // It notes each start, and ends as soon as it is told to.
    let fragile = |version: &str| {
        let begin = format!(
            "open('{}', 'a').write(f'{{time.time()}}\\n')\n\
             def end():\n    while not os.path.exists('{}'): time.sleep(0.02)\n    os._exit(3)\n\
             threading.Thread(target=end, daemon=True).start()",
            starts.display(),
            crash.display()
        );
        shop.write("app.py", &app(version, &begin, ""));
        shop.commit(version);
        shop.queue(&["deploy", "-e", "prod"])
    };
    shop.version("one");
    shop.up();

    let watched = fragile("watched");
    until("it is watched", || shop.state(watched) == "watching");
    std::fs::write(&crash, "").unwrap();
    until("it is taken back", || shop.state(watched) == "rolled-back");
    let back = shop.newest("prod");
    until("its way back is certain", || shop.state(back) == "succeeded");
    assert_eq!(shop.body("shop.localhost"), "one");
    let shown = text(&shop.ambit(&["deployment", "show", &watched.to_string()]));
    assert!(shown.contains("ended 3 times") && shown.contains("status 3"), "{shown}");

    std::fs::remove_file(&crash).unwrap();
    let certain = fragile("certain");
    until("it is certain", || shop.state(certain) == "succeeded");
    std::fs::remove_file(&starts).unwrap();
    std::fs::write(&crash, "").unwrap();
    let times = || -> Vec<f64> {
        let text = std::fs::read_to_string(&starts).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    until("it was started again four times", || times().len() >= 4);
    let pauses: Vec<f64> = times().windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.windows(2).all(|two| two[1] > two[0]), "each pause is longer: {pauses:?}");
    let service = || {
        let status = shop.json(&["status"]);
        let all = status["status"]["environments"][0]["services"].clone();
        all.as_array().unwrap().iter().find(|s| s["service"] == "app").unwrap().clone()
    };
    until("status says so", || {
        service()["healthy"] == false && service()["trouble"].as_str().unwrap().contains("status 3")
    });
    assert_eq!((shop.state(certain).as_str(), shop.newest("prod")), ("succeeded", certain));

    std::fs::remove_file(&crash).unwrap();
    until("it serves again by itself", || shop.body("shop.localhost") == "certain");
    until("status says so", || service()["healthy"] == true);
    shop.nothing_is_left_over("prod");
}

#[test]
fn a_gigabyte_of_output_is_kept_within_bounds_and_no_terminal_obeys_it() {
    let shop = Shop::new(&["prod"], PROD);
    let signals = Signals::new(&shop.machine);
    let printed = signals.0.join("printed");
    let begin = format!(
        "def loud():\n    line = '\\x1b[2J\\x1b]0;owned\\x07\\u009b31m' + 'x' * 20000 + '\\n'\n\
         \x20   for _ in range(50000): sys.stdout.write(line)\n\
         \x20   sys.stdout.flush()\n    open('{}', 'w').close()\n\
         threading.Thread(target=loud, daemon=True).start()",
        printed.display()
    );
    shop.write("app.py", &app("loud", &begin, ""));
    shop.commit("loud");
    shop.up();
    until("a gigabyte is printed", || printed.exists());
    assert_eq!(shop.body("shop.localhost"), "loud", "it serves all the while");
    let keepers = shop.machine.folder.path().join("home/keepers/shop/prod");
    let folder = std::fs::read_dir(keepers).unwrap().next().unwrap().unwrap().path();
    let kept: u64 = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!((20 << 20..60 << 20).contains(&kept), "{kept} bytes are kept");
    let keeper = processes(&folder.display().to_string());
    let status = std::fs::read_to_string(format!("/proc/{}/status", keeper.first().unwrap())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    assert!(peak.is_some_and(|kilobytes: u64| kilobytes < 60_000), "the keeper took {peak:?} kB");
    let shown = text(&shop.ambit(&["logs", "-e", "prod", "-n", "5"]));
    assert!(shown.contains("owned") && !shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{:?}", shown.get(..200));
}
