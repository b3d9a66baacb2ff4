//! A PostgreSQL and a Redis for the tests alone. Tests that run side by side share them, each with a database of its own; the
//! last one stops them.

use std::{
    fs,
    io::Write,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{free_port, until};

pub struct Servers {
    folder: PathBuf,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    pub postgres_port: u16,
    pub redis_port: u16,
    postgres: Mutex<Option<Child>>,
    redis: Mutex<Option<Child>>,
    databases: AtomicU32,
}

static SHARED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
static FOLDERS: AtomicU32 = AtomicU32::new(0);

impl Servers {
    /// Those that other tests use too. `None`, said aloud, where they are not installed.
    pub fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let servers = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&servers);
        Some(servers)
    }

    /// Some of this test's own, to be stopped and started.
    pub fn start() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let number = |p: &Path| p.file_name()?.to_str()?.parse::<u32>().ok();
        let mut found: Vec<_> = versions.filter_map(|v| Some((number(&v.path())?, v.path().join("bin")))).collect();
        found.retain(|(version, path)| *version >= 14 && path.join("initdb").exists());
        found.sort();
        let redis = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        let (Some((_, binaries)), Ok(_)) = (found.pop(), redis) else {
            // Not by a macro: what those print is shown for failed tests only.
            let _ = std::io::stderr().write_all(b"\nSKIPPED: PostgreSQL 14 or later, or Redis, is not installed\n");
            return None;
        };
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kaia-tests-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
        // PostgreSQL refuses to run as root.
        let user = is_root().then(|| account("postgres").or_else(|| account("nobody")).expect("an account"));
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).expect("its owner");
        }
        let servers = Self {
            folder,
            binaries,
            user,
            postgres_port: free_port(),
            redis_port: free_port(),
            postgres: Mutex::default(),
            redis: Mutex::default(),
            databases: AtomicU32::new(0),
        };
        let made = servers
            .command("initdb")
            .args(["-U", "kaia", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D"])
            .arg(servers.folder.join("data"))
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb runs").success());
        servers.start_postgres();
        servers.start_redis();
        Some(servers)
    }

    fn command(&self, program: &str) -> Command {
        let path = self.binaries.join(program);
        let mut command = Command::new(if path.exists() { path } else { program.into() });
        command.current_dir(&self.folder).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn log(&self, name: &str) -> Stdio {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.folder.join(name)).expect("a log");
        file.into()
    }

    pub fn start_postgres(&self) {
        let child = self
            .command("postgres")
            .args([
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
                "-h",
                "127.0.0.1",
                "-p",
                &self.postgres_port.to_string(),
            ])
            .arg("-k")
            .arg(&self.folder)
            .arg("-D")
            .arg(self.folder.join("data"))
            .stdout(self.log("postgres.log"))
            .stderr(self.log("postgres.log"))
            .spawn()
            .expect("postgres starts");
        *self.postgres.lock().expect("it is ours") = Some(child);
        until("PostgreSQL answers", || self.try_sql("postgres", "SELECT 1"));
    }

    /// At once, as if its machine were gone.
    pub fn kill_postgres(&self) {
        stop(&self.postgres, "-QUIT");
    }

    pub fn start_redis(&self) {
        let child = self
            .command("redis-server")
            .args(["--save", "", "--databases", "1000", "--bind", "127.0.0.1", "--port", &self.redis_port.to_string()])
            .stdout(self.log("redis.log"))
            .stderr(self.log("redis.log"))
            .spawn()
            .expect("redis-server starts");
        *self.redis.lock().expect("it is ours") = Some(child);
        until("Redis answers", || std::net::TcpStream::connect(("127.0.0.1", self.redis_port)).ok());
    }

    pub fn kill_redis(&self) {
        stop(&self.redis, "-KILL");
    }

    /// A new database, and its number, which is also one of Redis.
    pub fn database(&self) -> (String, u32) {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("kaia_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        (name, number)
    }

    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|| panic!("it does not run: {sql}"))
    }

    pub fn try_sql(&self, database: &str, sql: &str) -> Option<String> {
        let port = self.postgres_port.to_string();
        let out = self
            .command("psql")
            .args([
                "-qAtX",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "kaia",
                "-d",
                database,
                "-c",
                sql,
            ])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        stop(&self.postgres, "-QUIT");
        stop(&self.redis, "-KILL");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn stop(server: &Mutex<Option<Child>>, signal: &str) {
    if let Some(mut child) = server.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let _ = child.wait();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let fields: Vec<_> = accounts.lines().map(|l| l.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}
