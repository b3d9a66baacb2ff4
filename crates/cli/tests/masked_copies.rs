//! Production's data in test, every personal value replaced: for the person at the keyboard, under load, and killed at any moment.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
mod support;

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use load::Load;
use serde_json::Value;
use support::{Machine, git, until};

/// Answers with the number of rows and keeps its connection: a dead one is a failed request.
const APP: &str = r"
import http.server, os, subprocess, threading
LOCK = threading.Lock()
PSQL = subprocess.Popen(['psql', '-XqAt', os.environ['DATABASE_URL']], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True, bufsize=1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        with LOCK:
            PSQL.stdin.write('SELECT count(*) FROM people;\n')
            PSQL.stdin.flush()
            body = PSQL.stdout.readline().strip()
        self.send_response(200 if body else 500)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
Server(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

const TOML: &str = r#"
project = "shop"
[environments.test]
branch = "main"
[environments.prod]
branch = "main"
gates = []
soak = "1s"
[services.postgres]
[services.app]
build = "true"
run = "exec /usr/bin/python3 -IS app.py"
migrations = "migrations"
health = { path = "/", successes = 1, deadline = "15s" }
url = { test = "test.@", prod = "@" }
"#;

const PEOPLE: &str = "INSERT INTO people (email, full_name, telefono, notes)
    SELECT 'persona' || i || '@empresa.example', 'Fulana' || i || ' Mengana' || i, '+34 6' || lpad((i * 7919)::text, 8, '0'),
           'le gusta el campo y la playa ' || i
    FROM generate_series(1, 20000) i";

struct Shop {
    machine: Machine,
    project: PathBuf,
}

impl Shop {
    /// Both environments up, production with twenty thousand people, test with none.
    fn up() -> Self {
        Self::on(Machine::new())
    }

    fn on(mut machine: Machine) -> Self {
        let project = machine.project("shop", &["test", "prod"]);
        git(&project, &["init", "-q", "-b", "main"]);
        git(&project, &["config", "user.email", "ana@example.org"]);
        let shop = Self { machine, project };
        shop.write("ambit.toml", TOML);
        shop.write("app.py", APP);
        let people = "CREATE TABLE people (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, full_name text, telefono text, notes text)";
        shop.write("migrations/0001_people.sql", people);
        shop.commit();
        shop.machine.up(&shop.project);
        shop.sql("prod", PEOPLE);
        shop
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit(&self) {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "-m", "more"]);
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output: Output = self.machine.ambit(&self.project, arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "ambit {arguments:?} did not fail: {text}");
        text
    }

    fn sql(&self, environment: &str, sql: &str) -> String {
        self.ok(&["psql", "-e", environment, "--", "-XqAtc", sql]).trim().to_owned()
    }

    fn databases(&self) -> String {
        self.sql("test", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'shop%'")
    }

    /// A copy that takes some seconds, in the background.
    fn copying(&self) -> std::process::Child {
        let mut copy = self.machine.command(&self.project, &["data", "copy", "prod", "test", "--rate", "1"]);
        copy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

#[test]
fn test_gets_productions_data_masked_and_no_request_fails_meanwhile() {
    let shop = Shop::up();
    let said = shop.refused(&["data", "copy", "prod", "test"]);
    assert!(said.contains("masking.toml") && said.contains("ambit data classify"), "{said}");
    shop.ok(&["data", "classify", "--spanish"]);
    let file = std::fs::read_to_string(shop.project.join("masking.toml")).unwrap();
    for line in ["-> email", "-> name", "-> phone", "-> text"] {
        assert!(file.contains(line), "{line} is not proposed: {file}");
    }
    assert!(shop.ok(&["data", "classify"]).contains("says what becomes of each"), "a second look finds nothing new");

    let load = Load::on(&shop.machine, "test.shop.localhost", &["0", "20000"]);
    let copied = shop.ok(&["data", "copy", "prod", "test", "--json"]);
    load.is_well("while the copy took the place of the old data");
    load.end();
    let copied: Value = serde_json::from_str(&copied).unwrap();
    assert_eq!(copied["swapped_in"], true);
    let masked = "SELECT count(*), count(DISTINCT email), count(*) FILTER (WHERE email LIKE 'persona%' OR full_name LIKE 'Fulana%' \
                  OR telefono IN (SELECT '+34 6' || lpad((i * 7919)::text, 8, '0') FROM generate_series(1, 100) i)) FROM people";
    assert!(shop.sql("test", masked).starts_with("20000|20000|"));
    let untouched = "SELECT count(*) FROM people WHERE email LIKE 'persona%@empresa.example'";
    assert_eq!((shop.sql("test", untouched), shop.sql("prod", untouched)), ("0".to_owned(), "20000".to_owned()));
    assert!(shop.ok(&["data", "copies", "-e", "test"]).contains("✓ served"));
    assert!(shop.ok(&["log", "-e", "test"]).contains("data.copied"));

    shop.ok(&["data", "restore", "-e", "test", "before-copy"]);
    assert_eq!(shop.sql("test", "SELECT count(*) FROM people"), "0", "what test had before is one command away");
}

#[test]
fn a_leak_a_new_column_and_a_wrong_direction_change_nothing() {
    let shop = Shop::up();
    shop.ok(&["data", "classify"]);
    for (from, to, why) in [
        ("test", "prod", "nothing ever writes to it"),
        ("prod", "prod", "onto itself"),
        ("prod", "tset", "no environment"),
    ] {
        let said = shop.refused(&["data", "copy", from, to]);
        assert!(said.contains(why), "{from} to {to}: {said}");
    }
    let file = std::fs::read_to_string(shop.project.join("masking.toml")).unwrap();
    shop.write("masking.toml", &file.replace("kind = ", "").replace("text -> text", "text -> keep"));
    shop.sql("prod", "UPDATE people SET notes = 'hablar con persona77@empresa.example' WHERE id = 5");
    let said = shop.refused(&["data", "copy", "prod", "test"]);
    assert!(said.contains("public.people.notes") && !said.contains("persona77"), "{said}");
    assert!(shop.ok(&["data", "copies", "-e", "test"]).contains("leaked in public.people.notes"));

    shop.sql("prod", "ALTER TABLE people ADD dni text");
    let said = shop.refused(&["data", "copy", "prod", "test"]);
    assert!(said.contains("public.people.dni"), "{said}");
    shop.write("masking.toml", "[public.people]\nid = \"bigint keep\"\n");
    let said = shop.refused(&["data", "copy", "prod", "test"]);
    assert!(said.contains("masking.toml:2:") && said.contains('^'), "{said}");
    assert_eq!(shop.databases(), "shop-test");
    assert_eq!(shop.sql("test", "SELECT count(*) FROM people"), "0");
}

#[test]
fn a_disk_that_is_full_ends_a_copy_and_costs_nothing_that_is_there() {
    let mut machine = Machine::new();
    if !machine.mount_disk(600) {
        return eprintln!("skipped: this machine mounts no disk for a test");
    }
    let shop = Shop::on(machine);
    shop.ok(&["data", "classify"]);
    shop.sql("test", "INSERT INTO people (email) VALUES ('probadora@example.org')");
    let disk = shop.machine.disk.as_ref().unwrap();
    let mut copy = shop.machine.command(&shop.project, &["data", "copy", "prod", "test", "--rate", "1"]);
    let copy = copy.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the database beside is there", || shop.databases() != "shop-test");
    disk.fill();
    let output = copy.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && (said.contains("No space left") || said.contains("full")), "{said}");
    assert_eq!(shop.sql("prod", "SELECT count(*) FROM people"), "20000");

    disk.free();
    let asks = |environment: &str, sql: &str| {
        let output = shop.machine.ambit(&shop.project, &["psql", "-e", environment, "--", "-XqAtc", sql]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    until("test is as it was", || asks("test", "SELECT count(*) FROM people").as_deref() == Some("1"));
    until("nothing is left", || shop.databases() == "shop-test");
    shop.ok(&["data", "copy", "prod", "test"]);
    assert_eq!(shop.sql("test", "SELECT count(*) FROM people"), "20000");
}

#[test]
fn whatever_is_killed_whenever_test_is_as_it_was_and_nothing_is_left() {
    let shop = Shop::up();
    shop.ok(&["data", "classify"]);
    let server = |environment: &str| {
        let mark = format!("shop/{environment}/postgres");
        let pid = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).find_map(|entry| {
            let environ = std::fs::read(entry.path().join("environ")).ok()?;
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let mine = String::from_utf8_lossy(&environ).contains(&shop.machine.folder.path().display().to_string());
            let postmaster = String::from_utf8_lossy(&command).contains("-D");
            (mine && postmaster && String::from_utf8_lossy(&environ).contains(&mark))
                .then(|| entry.file_name().to_string_lossy().parse::<i32>().ok())?
        });
        pid.unwrap()
    };
    let kill =
        |pid: i32| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    // Moments spread over a copy of some seconds, for each that can die.
    for round in 0..9_u32 {
        let mut copy = shop.copying();
        std::thread::sleep(Duration::from_millis(u64::from(150 + round * 331)));
        match round % 3 {
            0 => shop.machine.kill_daemon(),
            1 => kill(server("prod")),
            _ => kill(server("test")),
        }
        let begin = Instant::now();
        while copy.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60), "round {round}: the command does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        if round % 3 == 0 {
            shop.machine.start_daemon(&shop.project);
        }
        let ready = |environment: &str| {
            shop.machine.ambit(&shop.project, &["psql", "-e", environment, "--", "-XqAtc", "SELECT 1"]).status.success()
        };
        until(&format!("round {round}: both servers are back"), || ready("test") && ready("prod"));
        until(&format!("round {round}: nothing is left"), || {
            let left = shop.databases();
            left == "shop-test" || left == "shop-test shop-test-snapshot-before-copy"
        });
        let rows = shop.sql("test", "SELECT count(*) FROM people");
        assert!(rows == "0" || rows == "20000", "round {round}: {rows}");
        assert_eq!(shop.sql("test", "SELECT count(*) FROM people WHERE email LIKE 'persona%'"), "0");
        assert_eq!(shop.sql("prod", "SELECT count(*) FROM people WHERE email LIKE 'persona%'"), "20000");
    }
    shop.ok(&["data", "copy", "prod", "test"]);
    assert_eq!(shop.sql("test", "SELECT count(*) FROM people"), "20000");
}
