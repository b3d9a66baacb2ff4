//! Data of environments that are not production's: seeded, reset, taken back and forth, out and in, under an app that keeps a
//! connection to its database, and with somebody who asks it for pages all the while.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
mod support;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use load::Load;
use serde_json::Value;
use support::{Machine, git, until};

/// An app that answers with what its table holds, over one connection that it keeps: a dead one is a failed request.
const APP: &str = r"
import http.server, os, subprocess, threading
LOCK = threading.Lock()
PSQL = subprocess.Popen(['psql', '-XqAt', os.environ['DATABASE_URL']], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True, bufsize=1)
def ask(sql):
    with LOCK:
        PSQL.stdin.write(sql + ';\n')
        PSQL.stdin.flush()
        return PSQL.stdout.readline().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def do_GET(self):
        body = ''
        try:
            body = ask('SELECT coalesce((SELECT name FROM things ORDER BY name LIMIT 1), $$nothing$$)')
        except OSError:
            pass
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

struct Shop {
    machine: Machine,
    project: PathBuf,
}

impl Shop {
    /// A project of one environment with an app, a database, a migration and a seed, up. `toml` declares the environment.
    fn up(environment: &'static str, toml: &str) -> Self {
        let mut machine = Machine::new();
        let project = machine.project("shop", &[environment]);
        git(&project, &["init", "-q"]);
        git(&project, &["config", "user.email", "ana@example.org"]);
        let shop = Self { machine, project };
        shop.write(
            "ambit.toml",
            &format!(
                "project = \"shop\"\n{toml}\n[services.postgres]\n[services.app]\nbuild = \"true\"\n\
                 run = \"exec /usr/bin/python3 -IS app.py\"\nmigrations = \"migrations\"\nseed = \"seeds/dev.sql\"\n\
                 health = {{ path = \"/\", successes = 1, deadline = \"15s\" }}\nurl = {{ {environment} = \"@\" }}\n"
            ),
        );
        shop.write("app.py", APP);
        shop.write("migrations/0001_things.sql", "CREATE TABLE things (name text PRIMARY KEY)");
        shop.write("seeds/dev.sql", "INSERT INTO things VALUES ('seeded') ON CONFLICT DO NOTHING");
        git(&shop.project, &["add", "-A"]);
        git(&shop.project, &["commit", "-q", "-m", "one"]);
        shop.machine.up(&shop.project);
        shop
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    fn ambit(&self, arguments: &[&str]) -> Output {
        self.machine.ambit(&self.project, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("ambit {arguments:?}: {e}: {text}"))
    }

    /// What a command says that has to fail.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.ambit(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "ambit {arguments:?} did not fail: {text}");
        text
    }

    /// What the app answers.
    fn body(&self) -> String {
        load::ask(&mut None, self.machine.port, "shop.localhost", false)
            .map_or_else(|e| e.to_string(), |(_, body)| body)
    }

    fn sql(&self, environment: &str, sql: &str) -> String {
        self.ok(&["psql", "-e", environment, "--", "-XqAtc", sql]).trim().to_owned()
    }

    fn databases(&self, environment: &str) -> Vec<String> {
        let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'shop%' ORDER BY 1";
        self.sql(environment, sql).lines().map(str::to_owned).collect()
    }

    fn snapshots(&self, environment: &str) -> Vec<String> {
        let all = self.json(&["data", "snapshots", "-e", environment]);
        let mut names: Vec<String> =
            all.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    fn file(&self, name: &str) -> String {
        self.machine.folder.path().join(name).display().to_string()
    }
}

const DEV: &str = "[environments.dev]\nseed = true";

#[test]
fn a_developer_goes_back_and_forth_and_no_request_fails() {
    let shop = Shop::up("dev", DEV);
    assert_eq!(shop.body(), "seeded", "a new database is filled by the file");
    let seeds = shop.json(&["seed", "-e", "dev"]);
    assert_eq!(seeds["seeded"][0], "seeds/dev.sql");
    assert_eq!(shop.sql("dev", "SELECT count(*) FROM things"), "1", "a seed that bears it may run again");

    let load = Load::on(&shop.machine, "shop.localhost", &["seeded", "mine"]);
    shop.sql("dev", "UPDATE things SET name = 'mine'");
    shop.ok(&["data", "snapshot", "-e", "dev", "with-mine"]);
    load.is_well("after a snapshot");
    assert_eq!(shop.body(), "mine");

    shop.ok(&["reset", "-e", "dev", "--confirm", "dev"]);
    load.is_well("after a reset");
    assert_eq!(shop.body(), "seeded");
    assert_eq!(shop.databases("dev"), ["shop-dev", "shop-dev-snapshot-with-mine"], "the old database is gone");

    shop.ok(&["data", "restore", "-e", "dev", "with-mine"]);
    load.is_well("forth");
    assert_eq!(shop.body(), "mine");
    assert_eq!(shop.snapshots("dev"), ["before-restore", "with-mine"]);
    shop.ok(&["data", "restore", "-e", "dev", "before-restore"]);
    load.is_well("back");
    assert_eq!(shop.body(), "seeded");

    let file = shop.file("dev.dump");
    shop.ok(&["data", "export", "-e", "dev", &file]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(shop.refused(&["data", "export", "-e", "dev", &file]).contains("is there already"));
    shop.sql("dev", "UPDATE things SET name = 'mine'");
    shop.ok(&["data", "import", "-e", "dev", &file]);
    load.is_well("after an import");
    assert_eq!(shop.body(), "seeded");
    let owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(shop.sql("dev", owners), "shop", "everything belongs to the application's role");
    assert_eq!(shop.sql("dev", "SELECT count(*) FROM pg_roles WHERE rolname = 'ambit-import'"), "0");
    load.end();

    for name in ["before-restore", "before-import", "with-mine"] {
        shop.ok(&["data", "delete", "-e", "dev", name]);
    }
    assert_eq!(shop.databases("dev"), ["shop-dev"]);
    for left in ["exchange/export.dump", "exchange/import.dump"] {
        let path = shop.machine.folder.path().join("home/environments/shop/dev").join(left);
        assert!(!path.exists(), "{left} is left behind");
    }
}

#[test]
fn what_cannot_be_used_leaves_everything_as_it_was() {
    let shop = Shop::up("dev", DEV);
    let load = Load::on(&shop.machine, "shop.localhost", &["seeded"]);
    let file = shop.file("dev.dump");
    shop.ok(&["data", "export", "-e", "dev", &file]);
    let whole = std::fs::read(&file).unwrap();

    // Broken: cut, not an archive, nothing.
    for (name, bytes) in [("cut", &whole[..whole.len() * 2 / 3]), ("text", &b"DROP TABLE things"[..]), ("empty", &[])] {
        let path = shop.file(name);
        std::fs::write(&path, bytes).unwrap();
        let said = shop.refused(&["data", "import", "-e", "dev", &path]);
        assert!(said.contains("was not touched"), "{name}: {said}");
    }
    assert!(shop.refused(&["data", "import", "-e", "dev", "/nowhere"]).contains("/nowhere"));
    let folder = shop.project.display().to_string();
    assert!(shop.refused(&["data", "import", "-e", "dev", &folder]).contains("is not a file"));

    // Hostile: an archive of a database whose index runs code that wants more than it may.
    let hostile = shop.file("hostile.dump");
    for (statement, why) in [
        ("COPY (SELECT 1) TO PROGRAM ''touch /tmp/ambit-import-got-out''", "pg_execute_server_program"),
        ("ALTER DATABASE \"shop-dev\" RENAME TO gone", "must be owner of database"),
        ("CREATE ROLE intruder SUPERUSER", "must be superuser"),
        ("DROP DATABASE \"shop-dev\" WITH (FORCE)", "DROP DATABASE cannot"),
    ] {
        shop.sql(
            "dev",
            &format!(
                "CREATE FUNCTION deed() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN EXECUTE '{statement}'; END $f$;
                 CREATE FUNCTION evil(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN
                   IF current_database() <> 'shop-dev' THEN PERFORM public.deed(); END IF; RETURN $1; END $f$;
                 CREATE INDEX evil ON things (evil(name))"
            ),
        );
        let _ = std::fs::remove_file(&hostile);
        shop.ok(&["data", "export", "-e", "dev", &hostile]);
        shop.sql("dev", "DROP INDEX evil; DROP FUNCTION evil; DROP FUNCTION deed");
        let said = shop.refused(&["data", "import", "-e", "dev", &hostile]);
        assert!(said.contains("was not touched") && said.contains(why), "{statement}: {said}");
    }
    assert!(!Path::new("/tmp/ambit-import-got-out").exists());
    assert_eq!(shop.sql("dev", "SELECT count(*) FROM pg_roles WHERE rolname IN ('intruder', 'ambit-import')"), "0");

    // A snapshot that the release cannot serve with.
    shop.ok(&["data", "snapshot", "-e", "dev", "good"]);
    shop.sql("dev", "ALTER DATABASE \"shop-dev-snapshot-good\" OWNER TO shop");
    let within = shop.json(&["env", "dev", "--here", "--format", "json", "--reveal"]);
    let url = within["DATABASE_URL"].as_str().map(str::to_owned);
    let url =
        url.unwrap_or_else(|| shop.ok(&["run", "-e", "dev", "--", "sh", "-c", "echo $DATABASE_URL"]).trim().into());
    let dropped = std::process::Command::new("psql")
        .args(["-XqAtc", "DROP TABLE things", &format!("{url}-snapshot-good")])
        .output()
        .unwrap();
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));
    let said = shop.refused(&["data", "restore", "-e", "dev", "good"]);
    assert!(said.contains("the database from before serves"), "{said}");
    load.is_well("after a restore that was taken back");
    assert_eq!(shop.body(), "seeded");

    // A migration or a seed that fails: nothing is reset.
    assert!(shop.refused(&["reset", "-e", "dev"]).contains("--confirm"));
    shop.write("seeds/dev.sql", "INSERT INTO things VALUES ('half'); INSERT INTO nowhere VALUES (1)");
    git(&shop.project, &["add", "-A"]);
    git(&shop.project, &["commit", "-q", "-m", "a seed that fails"]);
    shop.ok(&["up", "dev"]);
    let said = shop.refused(&["reset", "-e", "dev", "--confirm", "dev"]);
    assert!(said.contains("nowhere"), "{said}");
    assert_eq!(shop.body(), "seeded");
    assert!(shop.refused(&["seed", "-e", "dev"]).contains("taken back whole"));
    assert_eq!(shop.sql("dev", "SELECT count(*) FROM things WHERE name = 'half'"), "0");
    load.end();
    assert_eq!(shop.databases("dev"), ["shop-dev", "shop-dev-snapshot-good"], "nothing is left beside");

    for bad in ["", "A", "a b", "x\"; drop database shop", "../x"] {
        assert!(shop.refused(&["data", "snapshot", "-e", "dev", bad]).contains("not a name"), "{bad}");
    }
    assert!(shop.refused(&["data", "snapshot", "-e", "dev", "good"]).contains("already"));
    assert!(shop.refused(&["data", "restore", "-e", "dev", "god"]).contains("did you mean `good`"));
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_leaves_one_database_and_an_app_that_serves() {
    let shop = Shop::up("dev", DEV);
    shop.sql("dev", "UPDATE things SET name = 'mine'");
    let load = Load::on(&shop.machine, "shop.localhost", &["seeded", "mine"]);
    for (point, after) in [("apps are set aside", "mine"), ("databases are exchanged", "seeded")] {
        shop.machine.kill_daemon();
        let mut reset = shop.machine.command(&shop.project, &["reset", "-e", "dev", "--confirm", "dev"]);
        let said = reset.env("AMBIT_KILL_AT", point).output().unwrap();
        assert!(!said.status.success());
        until(&format!("the daemon is killed when {point}"), || !shop.machine.daemon_lives());
        shop.machine.start_daemon(&shop.project);
        until(&format!("the app serves, killed when {point}"), || shop.body() == after);
        load.is_well(&format!("killed when {point}"));
    }
    shop.sql("dev", "UPDATE things SET name = 'mine'");
    shop.ok(&["reset", "-e", "dev", "--confirm", "dev"]);
    assert_eq!(shop.body(), "seeded", "what was left does not stand in the way");
    assert_eq!(shop.databases("dev"), ["shop-dev"]);
    load.end();
}

#[test]
fn an_environment_is_cleaned_when_it_is_due_and_by_whatever_daemon_runs() {
    let shop = Shop::up("dev", "[environments.dev]\nseed = true\nclean = \"weekly\"");
    shop.sql("dev", "UPDATE things SET name = 'mine'");
    let database = rusqlite::Connection::open(shop.machine.folder.path().join("home/state.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let read = || {
        let read = "SELECT value FROM setting WHERE name = 'cleaned shop/dev'";
        database.query_row(read, [], |row| row.get::<_, String>(0)).ok().and_then(|t| t.parse::<i64>().ok())
    };
    until("it is remembered when the week began", || read().is_some());
    let began = read().unwrap();
    assert_eq!(shop.body(), "mine", "the week has only begun");

    shop.machine.kill_daemon();
    let a_week_ago = (began - 7 * 24 * 3_600_000).to_string();
    database.execute("UPDATE setting SET value = ?1 WHERE name = 'cleaned shop/dev'", [a_week_ago]).unwrap();
    let load = Load::on(&shop.machine, "shop.localhost", &["seeded", "mine"]);
    shop.machine.start_daemon(&shop.project);
    until("it is cleaned", || shop.body() == "seeded");
    until("the next week begins", || read().is_some_and(|at| at >= began));
    load.end();
    let log = shop.ok(&["log", "-e", "dev"]);
    assert!(log.contains("environment.reset"), "{log}");
}

#[test]
fn nothing_resets_seeds_or_overwrites_production_nor_takes_its_data_out() {
    let shop = Shop::up("prod", "[environments.prod]\nbranch = \"main\"\ngates = []\nsoak = \"1s\"");
    assert_eq!(shop.body(), "nothing", "production is not seeded");
    shop.sql("prod", "INSERT INTO things VALUES ('real')");
    let (out, anything) = (shop.file("out.dump"), shop.file("anything.dump"));
    std::fs::write(&anything, "").unwrap();
    let attempts: [&[&str]; 6] = [
        &["reset", "-e", "prod", "--confirm", "prod"],
        &["seed", "-e", "prod"],
        &["data", "snapshot", "-e", "prod", "x"],
        &["data", "restore", "-e", "prod", "x"],
        &["data", "import", "-e", "prod", &anything],
        &["data", "export", "-e", "prod", &out],
    ];
    let refuse = |when: &str| {
        for attempt in attempts {
            let said = shop.refused(attempt);
            assert!(said.contains("production environment and is never"), "{when}: ambit {attempt:?}: {said}");
        }
    };
    refuse("as it is");
    assert!(!Path::new(&out).exists());

    // A file that says that it was development all along changes nothing.
    let toml = std::fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    shop.write(
        "ambit.toml",
        &toml.replace(
            "[environments.prod]\n",
            "[environments.prod]\nkind = \"development\"\nseed = true\nclean = \"1s\"\n",
        ),
    );
    refuse("with another file");
    assert_eq!(shop.body(), "real");
    shop.sql("prod", "DELETE FROM things");

    // And a file that asks for it is refused before anything is done.
    shop.write(
        "ambit.toml",
        &toml.replace("[environments.prod]\n", "[environments.prod]\nseed = true\nclean = \"weekly\"\n"),
    );
    let said = shop.refused(&["check"]);
    assert!(said.contains("production is never seeded") && said.contains("production is never reset"), "{said}");
    shop.write("ambit.toml", &toml);
}
