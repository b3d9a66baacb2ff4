//! A machine for the program to be used on.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod deliveries;
pub mod runner;

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A machine of its own: a state folder and a port. Everything is stopped and removed at the end, also of a failed test.
pub struct Machine {
    /// Goes before the folder that it lies in.
    pub disk: Option<Disk>,
    pub folder: tempfile::TempDir,
    pub port: u16,
    /// For TLS.
    pub tls: u16,
    projects: Vec<(PathBuf, &'static str)>,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        Self { disk: None, folder, port: free_port(), tls: free_port(), projects: Vec::new() }
    }

    pub fn command(&self, project: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ambit"));
        command
            .args(arguments)
            .current_dir(project)
            .env("AMBIT_HOME", self.folder.path().join("home"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env_remove("AMBIT_KEY");
        command
    }

    pub fn ambit(&self, project: &Path, arguments: &[&str]) -> Output {
        self.command(project, arguments).output().unwrap()
    }

    pub fn ok(&self, project: &Path, arguments: &[&str]) -> String {
        let output = self.ambit(project, arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "ambit {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    pub fn up(&self, project: &Path) -> String {
        self.ok(project, &["up", "--listen", &format!("127.0.0.1:{}", self.port)])
    }

    /// Puts a project's files on the machine; `environments` are removed at the end.
    pub fn project(&mut self, name: &str, environments: &[&'static str]) -> PathBuf {
        let project = self.folder.path().join(name);
        std::fs::create_dir(&project).unwrap();
        self.projects.extend(environments.iter().map(|e| (project.clone(), *e)));
        project
    }

    pub fn get(&self, host: &str, path: &str) -> String {
        self.get_with(host, path, "")
    }

    /// The same with lines of the head, each with its end.
    pub fn get_with(&self, host: &str, path: &str, head: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}:{}\r\n{head}Connection: close\r\n\r\n", self.port).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn daemon(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.folder.path().join("home/run/daemon.lock")).ok()?;
        text.trim().parse().ok()
    }

    /// Ends the daemon as the kernel does when memory is short.
    pub fn kill_daemon(&self) {
        let Some(daemon) = self.daemon() else { return };
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon), nix::sys::signal::Signal::SIGKILL);
        until("the daemon ends", || !self.daemon_lives());
    }

    /// Starts the daemon as a service unit does.
    pub fn start_daemon(&self, project: &Path) {
        self.spawn_daemon(project, None);
        until("the daemon runs", || self.daemon_lives());
    }

    /// Starts a daemon that is killed at a point, and waits for that.
    pub fn start_daemon_to_be_killed(&self, project: &Path, point: &str) {
        let daemon = self.spawn_daemon(project, Some(point));
        until(&format!("the daemon is killed {point}"), || daemon.is_finished());
    }

    fn spawn_daemon(&self, project: &Path, kill_at: Option<&str>) -> std::thread::JoinHandle<()> {
        let null = std::process::Stdio::null;
        let mut command = self.command(project, &["daemon"]);
        command.envs(kill_at.map(|point| ("AMBIT_KILL_AT", point)));
        let mut daemon = command.stdin(null()).stderr(null()).spawn().unwrap();
        std::thread::spawn(move || drop(daemon.wait()))
    }

    /// Whether somebody holds the daemon's lock.
    pub fn daemon_lives(&self) -> bool {
        let Ok(lock) = std::fs::File::open(self.folder.path().join("home/run/daemon.lock")) else { return false };
        nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockSharedNonblock).is_err()
    }

    /// Which instances have a process, as their keepers mark them: `shop/prod/app.1`.
    pub fn instances(&self) -> BTreeSet<String> {
        let mark = format!("AMBIT_INSTANCE={}:", self.folder.path().join("home").display());
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|e| std::fs::read(e.ok()?.path().join("environ")).ok())
            .filter_map(|environ| {
                let marked = environ.split(|b| *b == 0).find_map(|v| v.strip_prefix(mark.as_bytes()))?;
                Some(String::from_utf8_lossy(marked).into_owned())
            })
            .collect()
    }

    /// Puts the state folder on a small disk of its own; whether that could be done.
    pub fn mount_disk(&mut self, megabytes: u32) -> bool {
        self.disk = Disk::at(self.folder.path().join("home"), megabytes);
        self.disk.is_some()
    }

    /// Processes that were started for this machine.
    pub fn processes(&self) -> usize {
        let home = self.folder.path().join("home").to_string_lossy().into_owned();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok())
            .filter(|c| String::from_utf8_lossy(c).contains(&home))
            .count()
    }
}

/// A small disk of the state folder's own, as only root can make one.
pub struct Disk(PathBuf);

impl Disk {
    fn at(folder: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(&folder).unwrap();
        let size = format!("size={megabytes}m,mode=0711");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    /// Takes every byte that is left.
    pub fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        let chunk = vec![1; 1 << 16];
        while ballast.write_all(&chunk).is_ok() {}
        while ballast.write_all(&[1]).is_ok() {}
    }

    pub fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A port that nobody is given by chance: below those that the kernel hands out, and below those that ambit chooses from.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(number % 5_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let home = self.folder.path().join("home");
        // Production that holds data is not destroyed: its user is found by its folder.
        let owners: Vec<u32> = [home.join("proxy"), home.join("cache"), home.join("environments")]
            .into_iter()
            .flat_map(|f| {
                let below = std::fs::read_dir(&f).into_iter().flatten().filter_map(|e| e.ok().map(|e| e.path()));
                let deeper = below.flat_map(|p| {
                    std::fs::read_dir(p)
                        .into_iter()
                        .flatten()
                        .filter_map(|e| e.ok().map(|e| e.path()))
                        .collect::<Vec<_>>()
                });
                std::iter::once(f.clone()).chain(deeper).collect::<Vec<_>>()
            })
            .filter_map(|f| std::fs::metadata(f).ok().map(|m| m.uid()))
            .filter(|uid| *uid != 0)
            .collect();
        for (project, environment) in &self.projects {
            self.ambit(project, &["destroy", environment, "--confirm", environment]);
        }
        for (project, _) in &self.projects {
            self.ambit(project, &["down"]);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        for line in passwd.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let ours = fields.first().is_some_and(|n| n.starts_with("ambit-"));
            if ours && fields.get(2).and_then(|u| u.parse().ok()).is_some_and(|uid: u32| owners.contains(&uid)) {
                let _ = Command::new("userdel").arg(fields[0]).output();
            }
        }
    }
}

pub fn git(project: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(project).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    // Long, since a busy machine builds and starts servers slowly; it passes as soon as the condition holds.
    let end = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < end, "{what}: waited for 120 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
