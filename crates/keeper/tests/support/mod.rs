//! A record in a temporary folder, and real keepers for it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ambit_keeper::{FORMAT, Limits, Once, Spec, State, StopSignal, client};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Ends with the test, with everything that it holds.
pub struct Record {
    folder: tempfile::TempDir,
}

impl Record {
    /// A record that holds a line of shell, and the keeper that does it.
    pub fn start(line: &str, once: Option<Once>) -> Self {
        let record = Self::write(line, once);
        client::ensure(&program(), record.path()).unwrap();
        record
    }

    pub fn write(line: &str, once: Option<Once>) -> Self {
        let record = Self { folder: tempfile::tempdir().unwrap() };
        client::write_spec(record.path(), &record.spec(line, once)).unwrap();
        record
    }

    pub fn spec(&self, line: &str, once: Option<Once>) -> Spec {
        Spec {
            format: FORMAT,
            marker: self.marker(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), line.into()],
            variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
            directory: self.path().to_owned(),
            user: None,
            stop_signal: StopSignal::Term,
            stop_seconds: 1,
            limits: Limits::default(),
            once,
            secrets: Vec::new(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn marker(&self) -> String {
        self.path().display().to_string()
    }

    /// Processes of the instance, whatever started them.
    pub fn processes(&self) -> usize {
        let marker = format!("AMBIT_INSTANCE={}", self.marker());
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| fs::read(entry.ok()?.path().join("environ")).ok())
            .filter(|environ| environ.split(|b| *b == 0).any(|v| v == marker.as_bytes()))
            .count()
    }

    pub fn state(&self) -> Option<State> {
        client::state(self.path()).unwrap()
    }

    /// The process that is held, once there is one.
    pub fn held(&self) -> u32 {
        until("a process is held", || self.state().is_some_and(|s| s.held.is_some()));
        self.state().unwrap().held.unwrap().pid
    }

    pub fn keeper(&self) -> u32 {
        client::keeper(self.path()).unwrap()
    }

    /// Kills the keeper alone.
    pub fn kill_keeper(&self) {
        signal(self.keeper(), Signal::SIGKILL);
        until("the keeper is gone", || client::keeper(self.path()).is_none());
    }

    pub fn log(&self) -> Vec<String> {
        client::tail(self.path(), 1_000_000).0.into_iter().map(|(_, text)| text).collect()
    }

    pub fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path().join(name)).ok()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let stopped = client::stop(&program(), self.path());
        assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
    }
}

/// The keeper as a program of its own.
pub fn program() -> PathBuf {
    let mut binary = std::env::current_exe().unwrap();
    binary.pop();
    binary.pop();
    binary.join("examples/keeper")
}

pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "{what}: waited for 30 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}
