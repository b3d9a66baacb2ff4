//! Environments on this machine, with real servers: made, stopped, killed, changed and removed.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ambit_domain::{
    EnvironmentId, Home, InstanceId, Provider,
    provider::{AppProcess, InstanceHealth, PostgresServer, Readiness, RedisServer},
    spec::{Health, Kind, Persistence},
};
use ambit_host::Host;

/// A host of its own in a temporary folder; everything is stopped and removed at the end, also of a failed test.
struct Fixture {
    host: Host,
    id: EnvironmentId,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(environment: &str) -> Self {
        // The users of environments pass through it.
        let folder = tempfile::tempdir().unwrap();
        open_to_others(folder.path());
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        open_to_others(&home);
        let mut program = std::env::current_exe().unwrap();
        program.pop();
        program.pop();
        let host = Host::new(Home::new(&home), program.join("examples/holder"));
        let id = EnvironmentId { project: "kaia".parse().unwrap(), environment: environment.parse().unwrap() };
        Self { host, id, folder }
    }

    fn postgres(&self, kind: Kind) -> PostgresServer {
        PostgresServer {
            kind,
            version: None,
            port: self.host.choose_port(&format!("{}/postgres", self.folder.path().display()), &[]).unwrap(),
            database: "kaia-dev".into(),
            role: "kaia".into(),
            role_password: "secret1".into(),
            admin_password: "secret2".into(),
            memory: None,
            settings: Default::default(),
            backup: None,
        }
    }

    fn redis(&self, persist: Persistence) -> RedisServer {
        RedisServer {
            port: self.host.choose_port(&format!("{}/redis", self.folder.path().display()), &[]).unwrap(),
            password: "secret3".into(),
            admin_password: "secret4".into(),
            persist,
            memory: None,
        }
    }

    fn app(&self, command: &str, port: u16) -> AppProcess {
        AppProcess {
            command: command.into(),
            directory: "/tmp".into(),
            variables: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()), ("PORT".into(), port.to_string())],
            memory: None,
            cpus: None,
            secrets: Vec::new(),
        }
    }

    fn instance(&self, service: &str) -> InstanceId {
        InstanceId { environment: self.id.clone(), service: service.parse().unwrap(), number: 1 }
    }

    fn keeper_of(&self, service: &str) -> Option<u32> {
        ambit_keeper::client::keeper(&self.record(service))
    }

    fn record(&self, service: &str) -> PathBuf {
        Home::new(self.folder.path().join("home")).keeper(&self.instance(service))
    }

    fn pid_of(&self, service: &str) -> Option<u32> {
        self.host.instances(&self.id).iter().find(|i| i.service == service).and_then(|i| i.pid)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    self.host.stop_environment(&self.id).await.unwrap();
                    self.host.remove_environment(&self.id).await.unwrap();
                });
            });
        });
    }
}

fn open_to_others(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < end, "{what}: waited for 30 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn sql(server: &PostgresServer, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::Config::new()
        .host("127.0.0.1")
        .port(server.port)
        .user(&server.role)
        .password(&server.role_password)
        .dbname(&server.database)
        .connect(tokio_postgres::NoTls)
        .await?;
    tokio::spawn(connection);
    let rows = client.simple_query(statement).await?;
    Ok(rows
        .into_iter()
        .filter_map(|m| match m {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        })
        .collect())
}

fn redis(server: &RedisServer, words: &[&str]) -> String {
    let output = std::process::Command::new("redis-cli")
        .env("REDISCLI_AUTH", &server.password)
        .args(["-p", &server.port.to_string()])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_its_data_and_is_left_alone_by_a_second_start() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let server = at.postgres(Kind::Development);
    let first = at.host.start_postgres(&at.id, &server).await.unwrap();
    assert!(first.created && first.changed);
    sql(&server, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await.unwrap();

    let second = at.host.start_postgres(&at.id, &server).await.unwrap();
    assert!(!second.changed && !second.created, "{}", second.detail);

    at.host.stop_environment(&at.id).await.unwrap();
    assert!(sql(&server, "SELECT 1").await.is_err());
    let third = at.host.start_postgres(&at.id, &server).await.unwrap();
    assert!(third.changed && !third.created);
    assert_eq!(sql(&server, "SELECT n FROM t").await.unwrap(), ["7"]);
    assert_eq!(at.host.holds_data(&at.id, Some(&server), None).await, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_setting_that_needs_a_restart_restarts_the_server() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let mut server = at.postgres(Kind::Development);
    at.host.start_postgres(&at.id, &server).await.unwrap();
    let before = at.pid_of("postgres");

    server.settings.insert("work_mem".into(), "7MB".into());
    let reloaded = at.host.start_postgres(&at.id, &server).await.unwrap();
    assert_eq!(reloaded.detail, "settings reloaded");
    assert_eq!(at.pid_of("postgres"), before);
    assert_eq!(sql(&server, "SHOW work_mem").await.unwrap(), ["7MB"]);

    server.settings.insert("max_connections".into(), "33".into());
    let restarted = at.host.start_postgres(&at.id, &server).await.unwrap();
    assert_eq!(restarted.detail, "restarted for max_connections");
    assert_eq!(sql(&server, "SHOW max_connections").await.unwrap(), ["33"]);

    server.settings.insert("work_mem".into(), "a lot".into());
    let refused = at.host.start_postgres(&at.id, &server).await.unwrap_err();
    assert!(refused.causes.iter().any(|c| c.contains("work_mem")), "{refused:?}");
    assert_eq!(sql(&server, "SHOW work_mem").await.unwrap(), ["7MB"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_major_version_is_not_touched() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let server = at.postgres(Kind::Development);
    at.host.start_postgres(&at.id, &server).await.unwrap();
    at.host.stop_environment(&at.id).await.unwrap();
    let version = Home::new(at.folder.path().join("home")).environment(&at.id).join("postgres/data/PG_VERSION");
    std::fs::write(&version, "9\n").unwrap();
    let refused = at.host.start_postgres(&at.id, &server).await.unwrap_err();
    assert!(refused.message.contains("PostgreSQL 9"), "{refused:?}");
    assert!(at.keeper_of("postgres").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_with_who_has_it() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    // Another test may take the port first; then the next one is chosen.
    let (server, _somebody) = std::iter::repeat_with(|| at.redis(Persistence::None))
        .find_map(|server| Some((server.clone(), std::net::TcpListener::bind(("127.0.0.1", server.port)).ok()?)))
        .unwrap();
    let refused = at.host.start_redis(&at.id, &server).await.unwrap_err();
    assert!(refused.message.contains(&server.port.to_string()));
    assert!(refused.causes[0].contains(&std::process::id().to_string()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_persistence_of_redis_changes() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let mut server = at.redis(Persistence::None);
    at.host.start_redis(&at.id, &server).await.unwrap();
    assert_eq!(redis(&server, &["SET", "k", "v"]), "OK");
    for persist in [Persistence::AppendOnly, Persistence::Snapshot, Persistence::AppendOnly] {
        server.persist = persist;
        let adjusted = at.host.start_redis(&at.id, &server).await.unwrap();
        assert!(adjusted.changed);
        assert_eq!(redis(&server, &["GET", "k"]), "v");
        at.host.stop_environment(&at.id).await.unwrap();
        at.host.start_redis(&at.id, &server).await.unwrap();
        assert_eq!(redis(&server, &["GET", "k"]), "v", "after a restart with {persist:?}");
    }
    assert!(!at.host.start_redis(&at.id, &server).await.unwrap().changed);
    assert!(redis(&server, &["SHUTDOWN"]).contains("NOPERM"));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_keepers_that_are_killed_come_back_with_their_data() {
    let at = Fixture::new("prod");
    at.host.prepare(&at.id).await.unwrap();
    let (server, cache) = (at.postgres(Kind::Production), at.redis(Persistence::AppendOnly));
    at.host.start_postgres(&at.id, &server).await.unwrap();
    at.host.start_redis(&at.id, &cache).await.unwrap();
    sql(&server, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await.unwrap();

    let kill = |pid: u32| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    };
    kill(at.pid_of("postgres").unwrap());
    until("postgres is back", || async { sql(&server, "SELECT n FROM t").await.is_ok_and(|r| r == ["7"]) }).await;

    let (held, keeper) = (at.pid_of("redis").unwrap(), at.keeper_of("redis").unwrap());
    kill(keeper);
    until("the keeper is gone", || async { at.keeper_of("redis") != Some(keeper) }).await;
    assert_eq!(redis(&cache, &["PING"]), "PONG", "its Redis goes on without it");
    assert_eq!(at.host.revive().len(), 1);
    until("another keeper has it", || async { at.keeper_of("redis").is_some() }).await;
    until("it found the same process", || async { at.pid_of("redis") == Some(held) }).await;
    assert_eq!(redis(&cache, &["PING"]), "PONG");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_environments_user_can_neither_read_nor_connect() {
    let at = Fixture::new("prod");
    if !at.host.separates_users() {
        eprintln!("skipped: only root gives each environment a user of its own");
        return;
    }
    let other = EnvironmentId { environment: "dev".parse().unwrap(), ..at.id.clone() };
    at.host.prepare(&at.id).await.unwrap();
    at.host.prepare(&other).await.unwrap();
    let server = at.redis(Persistence::None);
    at.host.start_redis(&at.id, &server).await.unwrap();
    let home = Home::new(at.folder.path().join("home"));
    let user = std::fs::metadata(home.environment(&other)).unwrap();
    let as_dev = |program: &str, arguments: &[&str]| {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        std::process::Command::new(program)
            .args(arguments)
            .current_dir("/")
            .uid(user.uid())
            .gid(user.gid())
            .output()
            .unwrap()
    };
    for folder in [home.environment(&at.id), home.keepers(&at.id)] {
        let listed = as_dev("ls", &[&folder.to_string_lossy()]);
        assert!(!listed.status.success(), "{} can be listed", folder.display());
    }
    let answer = as_dev("redis-cli", &["-p", &server.port.to_string(), "GET", "k"]);
    assert!(String::from_utf8_lossy(&answer.stdout).contains("NOAUTH"));
    at.host.remove_environment(&other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_ready_when_it_answers_and_leaves_no_orphan_when_it_stops() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let port = at.host.choose_port("an_app_is_ready", &[]).unwrap();
    let id = at.instance("backend");
    let command = "setsid sleep 1000 & sleep 1000 & exec python3 -m http.server --bind 127.0.0.1 $PORT";
    at.host.start_app(&id, &at.app(command, port)).await.unwrap();
    let health = Health { path: "/".into(), status: 200, successes: 1, deadline: Duration::from_secs(30) };
    let readiness =
        Readiness { port: Some(port), health: Some(health), host: "x".into(), deadline: Duration::from_secs(30) };
    at.host.wait_ready(&id, &readiness).await.unwrap();
    assert_eq!(at.host.instances(&at.id)[0].health, InstanceHealth::Running);
    let marker = format!("AMBIT_INSTANCE={}:{id}", at.folder.path().join("home").display());
    assert!(marked(&marker) >= 3);
    at.host.stop_instance(&id).await.unwrap();
    assert_eq!(marked(&marker), 0);
    assert!(at.host.instances(&at.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_exits_at_once_is_told_with_its_last_words() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let id = at.instance("backend");
    at.host.start_app(&id, &at.app("echo DATABASE_URL is missing; exit 3", 1)).await.unwrap();
    let readiness = Readiness { port: Some(1), health: None, host: "x".into(), deadline: Duration::from_secs(30) };
    let failure = at.host.wait_ready(&id, &readiness).await.unwrap_err();
    assert_eq!(failure.message, "backend does not stay up: it exited with status 3");
    assert!(failure.causes[0].contains("DATABASE_URL is missing"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_listens_elsewhere_is_told_where() {
    let at = Fixture::new("dev");
    at.host.prepare(&at.id).await.unwrap();
    let wanted = at.host.choose_port("listens elsewhere", &[]).unwrap();
    let other = at.host.choose_port("listens elsewhere", &[wanted]).unwrap();
    let id = at.instance("backend");
    let command = format!("exec python3 -m http.server --bind 127.0.0.1 {other}");
    at.host.start_app(&id, &at.app(&command, wanted)).await.unwrap();
    let readiness = Readiness { port: Some(wanted), health: None, host: "x".into(), deadline: Duration::from_secs(4) };
    let failure = at.host.wait_ready(&id, &readiness).await.unwrap_err();
    assert!(failure.hints[0].contains(&format!("it listens on port {other}")), "{failure:?}");
}

fn marked(marker: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|e| std::fs::read(e.ok()?.path().join("environ")).ok())
        .filter(|environ| environ.split(|b| *b == 0).any(|v| v == marker.as_bytes()))
        .count()
}
