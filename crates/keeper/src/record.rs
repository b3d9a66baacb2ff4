//! The files of a record. Each is replaced as a whole (write, sync, rename), so that a reader never sees half of one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The format of the files; later programs read it, this one refuses later ones.
///
/// Format 2 added processes that run once: a keeper that knows only format 1 would start them again and again.
pub const FORMAT: u32 = 2;

/// What to hold.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// [`FORMAT`].
    pub format: u32,
    /// Names the instance on the whole machine; every process started for it carries it as `AMBIT_INSTANCE`.
    pub marker: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment: nothing is inherited.
    pub variables: Vec<(String, String)>,
    /// Where it starts.
    pub directory: PathBuf,
    /// User and group that it runs as; `None` keeps the keeper's.
    pub user: Option<(u32, u32)>,
    /// The signal that asks it to stop.
    pub stop_signal: StopSignal,
    /// How long it may take, in seconds.
    pub stop_seconds: u64,
    /// Its limits.
    pub limits: Limits,
    /// Set for a process that ends by itself, as a migration does: it is not started again. Format 1 does not know it.
    #[serde(default)]
    pub once: Option<Once>,
    /// Values that are never written to the log.
    #[serde(default)]
    pub secrets: Vec<String>,
}

/// How a process runs that runs once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// How long it may take, in seconds; then it is ended with everything that it started.
    pub seconds: Option<u64>,
}

/// The signal that asks a process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
}

/// Limits of a process with everything that it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processor time in cores.
    pub cpus: Option<f64>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`FORMAT`].
    pub format: u32,
    /// What the keeper does now.
    pub phase: Phase,
    /// The process, while there is one.
    pub held: Option<Held>,
    /// Starts after the first.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_exit: Option<Exit>,
    /// Whether its limits hold.
    pub limits: LimitsState,
    /// Lines of output that could not be written, because the disk was full.
    pub lines_lost: u64,
    /// How often the keeper was asked to take on a newer program, and was done with that.
    #[serde(default)]
    pub renewals: u32,
    /// Why the last of them failed.
    #[serde(default)]
    pub renewal_failed: Option<String>,
}

/// What the keeper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The process is there.
    Running,
    /// It ended; it is started again after a pause.
    Pausing,
    /// It was stopped.
    Stopped,
    /// It runs once and is about to. Written before it starts, so that a keeper which finds neither process nor result
    /// knows that it may have run, and does not run it again.
    Starting,
    /// It ran once and ended; how, the last exit tells.
    Ended,
}

/// A process, told from a later one with the same number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot (proc(5)).
    pub start_time: u64,
    /// When it was started, in milliseconds since the Unix epoch.
    pub since: i64,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With a status.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By the kernel, because it was over its memory limit.
    OutOfMemory,
    /// It could not be started at all.
    NotStarted(String),
    /// It was asked to, or made to, because it ran longer than the seconds that it had.
    TimeLimit(u64),
    /// It ran once, and was stopped before it ended by itself.
    Stopped,
    /// Nobody saw: its keeper had been replaced.
    Unknown,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(signal) => write!(f, "ended by {signal}"),
                Err(_) => write!(f, "ended by signal {signal}"),
            },
            Self::OutOfMemory => write!(f, "went over its memory limit and was killed"),
            Self::NotStarted(why) => write!(f, "could not be started: {why}"),
            Self::TimeLimit(seconds) => write!(f, "took longer than {seconds} s and was ended"),
            Self::Stopped => write!(f, "was stopped"),
            Self::Unknown => write!(f, "ended"),
        }
    }
}

/// Whether limits hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitsState {
    /// None are declared.
    None,
    /// The kernel enforces them.
    Enforced,
    /// They are declared and not enforced, because.
    NotEnforced(String),
}

/// Whether an instance should run; outlives its keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// A keeper that dies is started again.
    Running,
    /// As long as it runs it is held, but when it ends it is not started again: another does its work.
    Finishing,
    /// Stopped by a person.
    Stopped,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what a keeper writes.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A later program wrote it.
    #[error("{path} has format {found}, this program knows formats up to {FORMAT}; nothing was touched")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

pub(crate) fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<(), RecordError> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let path = folder.join(name);
    // Of each writer its own: a keeper and who asks it to stop may both write the same file.
    let new = folder.join(format!("{name}.{}.{}", std::process::id(), WRITTEN.fetch_add(1, Relaxed)));
    let at = |source| RecordError::Io { path: new.clone(), source };
    let text = serde_json::to_vec(value).map_err(|source| RecordError::Damaged { path: path.clone(), source })?;
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&new, &path)
    };
    // What cannot be written in full must not take the last room of a full disk.
    write().inspect_err(|_| drop(fs::remove_file(&new))).map_err(at)
}

/// `None` where the file is not there.
pub(crate) fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, RecordError> {
    #[derive(Deserialize)]
    struct Formatted {
        format: Option<u32>,
    }
    let path = folder.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RecordError::Io { path, source }),
    };
    if let Ok(Formatted { format: Some(found) }) = serde_json::from_slice(&text)
        && found > FORMAT
    {
        return Err(RecordError::Newer { path, found });
    }
    serde_json::from_slice(&text).map(Some).map_err(|source| RecordError::Damaged { path, source })
}
