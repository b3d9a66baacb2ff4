//! A PostgreSQL of a test's own, on a free port, gone when the test is.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ambit_data::{
    Choice, CopyOrder, CopyReport, Database,
    masking::{MaskKey, MaskingFile},
};
use ambit_domain::Failure;
use tokio_util::sync::CancellationToken;

pub(crate) const PASSWORD: &str = "of-a-test";

pub(crate) struct Cluster {
    pub(crate) port: u16,
    pub(crate) programs: PathBuf,
    folder: tempfile::TempDir,
    process: Child,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let programs = (14..=18)
            .rev()
            .map(|v| PathBuf::from(format!("/usr/lib/postgresql/{v}/bin")))
            .find(|p| p.join("initdb").exists())
            .expect("PostgreSQL is installed");
        let folder = tempfile::Builder::new().prefix("ambit-data-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        fs::create_dir(&data).unwrap();
        fs::write(&password, PASSWORD).unwrap();
        let user = nobody();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&data, Some(uid), Some(gid)).unwrap();
        }
        let made = as_user(user, Command::new(programs.join("initdb")).arg("-D").arg(&data))
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = as_user(user, Command::new(programs.join("postgres")).arg("-D").arg(&data))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-c", &format!("port={port}"), "-c", "max_connections=40", "-c", "shared_buffers=32MB"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let cluster = Self { port, programs, folder, process };
        let begin = Instant::now();
        while cluster.try_sql("postgres", "SELECT 1").is_err() {
            assert!(begin.elapsed() < Duration::from_secs(60), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(30));
        }
        cluster
    }

    pub(crate) fn database(&self, name: &str) -> Database {
        Database { port: self.port, user: "postgres".into(), password: PASSWORD.into(), name: name.into() }
    }

    /// A program of PostgreSQL, told how the database is reached.
    pub(crate) fn program(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", database)
            .env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }

    pub(crate) fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.program("psql", database);
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || {
            use std::io::Write;
            let _ = stdin.write_all(text.as_bytes());
        });
        let out = child.wait_with_output().unwrap();
        writer.join().unwrap();
        if out.status.success() {
            return Ok(String::from_utf8(out.stdout).unwrap().trim_end().to_owned());
        }
        Err(String::from_utf8_lossy(&out.stderr).into_owned())
    }

    /// Runs statements as a person would by `psql`; the rows of what they select, `|` between columns.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|e| panic!("{e}\n{sql}"))
    }

    pub(crate) fn has_database(&self, name: &str) -> bool {
        !self.sql("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).is_empty()
    }

    /// What `pg_dump` says of a database.
    pub(crate) fn dump(&self, database: &str, options: &[&str]) -> String {
        let out = self.program("pg_dump", database).args(options).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        // Each run makes up a key of its own (\restrict).
        text.lines()
            .filter(|l| !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub(crate) fn order(&self, source: &str, beside: &str, masking: &str) -> CopyOrder {
        CopyOrder {
            source: self.database(source),
            server: self.database("postgres"),
            beside: beside.into(),
            owner: "postgres".into(),
            masking: MaskingFile::parse(masking).unwrap_or_else(|problems| {
                panic!("{}", problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("\n"))
            }),
            key: MaskKey::new([9; 32]),
            programs: self.programs.clone(),
            folder: self.scratch(),
            choice: None,
            rate: None,
        }
    }

    fn scratch(&self) -> PathBuf {
        tempfile::Builder::new().tempdir_in(self.folder.path()).unwrap().keep()
    }

    pub(crate) async fn copy(&self, source: &str, beside: &str, masking: &str) -> Result<CopyReport, Failure> {
        ambit_data::copy(self.order(source, beside, masking), CancellationToken::new(), &|_| {}).await
    }

    pub(crate) async fn copy_some(
        &self,
        source: &str,
        beside: &str,
        masking: &str,
        choice: Choice,
    ) -> Result<CopyReport, Failure> {
        let order = CopyOrder { choice: Some(choice), ..self.order(source, beside, masking) };
        ambit_data::copy(order, CancellationToken::new(), &|_| {}).await
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown, which waits for nobody (manual, 19.5).
        let _ = Command::new("kill").arg("-INT").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// PostgreSQL refuses to run as root.
fn nobody() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    root.then_some((65_534, 65_534))
}

fn as_user(user: Option<(u32, u32)>, command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}
