//! Migrations rehearsed on a real PostgreSQL, with data as only production has it.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use ambit_data::rehearsal::{self, Report, Scratch, Size, Sizes, Surroundings};
use ambit_domain::{Failure, FailureKind};
use tokio_postgres::{Client, NoTls};

/// A cluster of its own; it ends and goes with the test.
struct Server {
    folder: tempfile::TempDir,
    process: Child,
    scratch: Scratch,
}

fn programs() -> PathBuf {
    let mut all: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.pop().unwrap().join("bin")
}

/// Root may not run a server; `nobody` may.
fn as_nobody(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command.current_dir("/");
    command
}

impl Server {
    /// With a table of many users and one of few orders.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if nix::unistd::geteuid().is_root() {
            for owned in [folder.path(), &data] {
                std::os::unix::fs::chown(owned, Some(65534), Some(65534)).unwrap();
            }
        }
        let made = as_nobody(&programs().join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = as_nobody(&programs().join("postgres"))
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "fsync=off",
                "-c",
                "unix_socket_directories=",
                "-c",
                "autovacuum=off",
            ])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let scratch = Scratch {
            port,
            database: "postgres".into(),
            role: "shop".into(),
            role_password: "x".into(),
            admin_password: "x".into(),
        };
        let server = Self { folder, process, scratch: Scratch { database: "scratch".into(), ..scratch } };
        let admin = server.client("postgres", "postgres").await;
        admin.batch_execute("CREATE ROLE shop LOGIN PASSWORD 'x'").await.unwrap();
        admin.batch_execute("CREATE DATABASE scratch OWNER shop").await.unwrap();
        let app = server.client("shop", "scratch").await;
        app.batch_execute(
            "CREATE TABLE users (id int PRIMARY KEY, email text, age text);
             INSERT INTO users SELECT n, 'user' || n || '@example.org', '30' FROM generate_series(1, 150000) n;
             INSERT INTO users VALUES (0, 'user1@example.org', 'forty');
             CREATE TABLE orders (id int PRIMARY KEY, user_id int, total int);
             INSERT INTO orders SELECT n, n, 5 FROM generate_series(1, 100) n;",
        )
        .await
        .unwrap();
        server
    }

    async fn client(&self, user: &str, database: &str) -> Client {
        let text = format!("host=127.0.0.1 port={} user={user} dbname={database} password=x", self.scratch.port);
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match tokio_postgres::connect(&text, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn files(&self, migrations: &[(&str, &str)], production: &Sizes, named: &[&str]) -> Report {
        let pending: Vec<_> = migrations.iter().map(|(n, s)| ((*n).to_owned(), (*s).to_owned())).collect();
        let names: BTreeSet<String> = named.iter().map(|n| (*n).to_owned()).collect();
        let named = move |name: &str| names.contains(name);
        rehearsal::files(&self.scratch, &pending, &Surroundings { production, named: &named }).await.unwrap()
    }

    /// Sends everything at once over one connection, as migration tools do.
    async fn command(&self, sql: &str) -> Report {
        let client = self.client("shop", "scratch").await;
        let run = async {
            client.batch_execute(sql).await.map_err(|e| {
                Failure::new(FailureKind::App, "`migrate` failed")
                    .because(e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned()))
            })
        };
        let named = |name: &str| name == "email";
        let surroundings = Surroundings { production: &Sizes::new(), named: &named };
        rehearsal::command(&self.scratch, "migrate", run, &surroundings).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = self.process.wait();
        let _ = self.folder.path();
    }
}

/// What a report warns of: the beginning of each.
fn told(report: &Report) -> Vec<&str> {
    report.dangers.iter().map(|danger| danger.what.as_str()).collect()
}

fn none() -> Sizes {
    Sizes::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_only_on_productions_data_fails_here_and_leaves_nothing() {
    let server = Server::start().await;
    let unique =
        ("2 unique", "ALTER TABLE orders ADD COLUMN note text;\nALTER TABLE users ADD CONSTRAINT one UNIQUE (email)");
    let report = server.files(&[unique, ("3 later", "CREATE TABLE later (id int)")], &none(), &[]).await;
    let failed = report.failed.clone().unwrap();
    assert_eq!(failed.migration, "2 unique");
    assert!(failed.statement.contains("UNIQUE (email)"), "{failed:?}");
    assert!(failed.error.contains("line 2") && failed.error.contains("23505"), "{failed:?}");
    assert!(!report.is_harmless());
    assert!(report.statements.iter().all(|s| s.migration != "3 later"), "what comes after it is not tried");
    let app = server.client("shop", "scratch").await;
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'";
    assert_eq!(app.query_one(columns, &[]).await.unwrap().get::<_, i64>(0), 0, "it is taken back whole");

    // A value that nobody thought of, and an app's own command.
    let report = server.files(&[("2 age", "ALTER TABLE users ALTER age TYPE int USING age::int")], &none(), &[]).await;
    assert!(report.failed.unwrap().error.contains("22P02"));
    let report = server.command("ALTER TABLE users ADD CONSTRAINT one UNIQUE (email)").await;
    let failed = report.failed.unwrap();
    assert!(failed.error.contains("could not create unique index"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_stop_production_is_named_with_the_safe_way_and_what_is_harmless_is_not() {
    let server = Server::start().await;
    let harmless = [
        ("2 column", "ALTER TABLE users ADD COLUMN nickname text, ADD COLUMN score int DEFAULT 7"),
        (
            "3 table",
            "CREATE TABLE tags (id int PRIMARY KEY, user_id int REFERENCES users); CREATE INDEX ON tags (user_id)",
        ),
        ("4 small", "CREATE INDEX ON orders (user_id); ALTER TABLE orders ALTER total SET NOT NULL"),
        ("5 fill", "UPDATE orders SET total = 6"),
    ];
    let report = server.files(&harmless, &none(), &["email"]).await;
    assert!(report.is_harmless(), "{report:#?}");
    let first = &report.statements[0];
    assert!(first.rewritten.is_empty());
    assert!(first.locks.iter().any(|l| l.table == "users" && l.mode == "AccessExclusiveLock"), "{first:?}");
    let fill = report.statements.last().unwrap();
    assert_eq!((fill.rows, fill.locks[0].table.as_str()), (100, "orders"), "{fill:?}");

    let dangerous = [
        ("6 index", "CREATE INDEX by_email ON users (email)"),
        ("7 rewrite", "ALTER TABLE users ALTER id TYPE bigint"),
        ("8 random", "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()"),
        ("9 not null", "ALTER TABLE users ALTER nickname DROP NOT NULL; ALTER TABLE users ALTER email SET NOT NULL"),
        ("10 check", "ALTER TABLE users ADD CONSTRAINT c CHECK (id >= 0)"),
        ("11 gone", "ALTER TABLE users DROP COLUMN email"),
    ];
    let report = server.files(&dangerous, &none(), &["email"]).await;
    assert!(report.failed.is_none(), "{:?}", report.failed);
    let of = |migration: &str| {
        let all: Vec<_> = report.dangers.iter().filter(|d| d.migration == migration).collect();
        assert_eq!(all.len(), 1, "{migration}: {all:#?}");
        format!("{} / {}", all[0].what, all[0].safe_way)
    };
    for (migration, what, safe) in [
        ("6 index", "nobody can write to users (150001 rows", "CONCURRENTLY"),
        ("7 rewrite", "writes users (150001 rows", "fill it from id in batches"),
        ("8 random", "writes users (150001 rows", "without a default that is computed"),
        ("9 not null", "checks every row", "NOT VALID"),
        ("10 check", "checks every row", "VALIDATE CONSTRAINT"),
        ("11 gone", "drops users.email", "in the one after"),
    ] {
        let said = of(migration);
        assert!(said.contains(what) && said.contains(safe), "{migration}: {said}");
    }
    let rewrite = report.statements.iter().find(|s| s.migration == "7 rewrite").unwrap();
    assert_eq!(rewrite.rewritten, ["users"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_apps_own_command_does_is_seen_as_well() {
    let server = Server::start().await;
    let report = server
        .command(
            "BEGIN; ALTER TABLE orders ADD COLUMN note text; CREATE INDEX by_email ON users (email);
             ALTER TABLE users ALTER id TYPE bigint; ALTER TABLE users DROP email; SELECT pg_sleep(0.7); COMMIT",
        )
        .await;
    assert!(report.failed.is_none(), "{:?}", report.failed);
    let all = told(&report).join("\n");
    for what in ["builds an index while nobody can write to users", "writes users (150001 rows", "drops users.email"] {
        assert!(all.contains(what), "{what}: {report:#?}");
    }
    assert!(all.contains("from reading orders for about"), "a lock that is kept counts until the end: {report:#?}");
    let left = "SELECT count(*) FROM pg_event_trigger";
    let admin = server.client("postgres", "scratch").await;
    assert_eq!(admin.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    // Another service's command runs on the same database.
    let next = server.command("ALTER TABLE orders ADD COLUMN more text").await;
    assert!(next.failed.is_none() && !next.statements.is_empty(), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_is_judged_by_productions_sizes() {
    let server = Server::start().await;
    let index = [("2 index", "CREATE INDEX ON orders (user_id)")];
    assert!(server.files(&index, &none(), &[]).await.is_harmless());
    let there = Sizes::from([("orders".to_owned(), Size { rows: 40_000_000, bytes: 9 << 30 })]);
    let report = server.files(&index, &there, &[]).await;
    assert!(told(&report)[0].contains("orders (40000000 rows, 9216 MB)"), "{report:#?}");
}
