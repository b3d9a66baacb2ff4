//! What others do with a record: write what to hold, start a keeper, ask how it stands, stop it, read its log.

mod log;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::fs::{FlockOperation, flock};

pub use log::{LogPosition, follow, tail};

use crate::record::{self, Exit, Phase, RecordError, Spec, State, Wanted};

/// Makes the record where there is none, and says what to hold and that it should run. How a process that runs once ended
/// before is forgotten, so that it runs again; where it may still run, wait for it or stop it first.
pub fn write_spec(folder: &Path, spec: &Spec) -> Result<(), RecordError> {
    let at = |source| RecordError::Io { path: folder.to_path_buf(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at)?;
    if spec.once.is_some() && keeper(folder).is_none() && state(folder)?.is_some() {
        // In this order, so that nobody revives what ran before.
        record::write(folder, "wanted.json", &Wanted::Stopped)?;
        fs::remove_file(folder.join("state.json")).map_err(at)?;
    }
    record::write(folder, "spec.json", spec)?;
    record::write(folder, "wanted.json", &Wanted::Running)
}

/// What a record holds; `None` where there is none.
pub fn read_spec(folder: &Path) -> Result<Option<Spec>, RecordError> {
    record::read(folder, "spec.json")
}

/// Whether it should run.
#[must_use]
pub fn wanted(folder: &Path) -> Wanted {
    record::read(folder, "wanted.json").ok().flatten().unwrap_or(Wanted::Stopped)
}

/// How it stands; `None` before its first keeper wrote it.
pub fn state(folder: &Path) -> Result<Option<State>, RecordError> {
    record::read(folder, "state.json")
}

/// The process id of the record's keeper, if one lives. The lock decides, so that a number that was given to another
/// process is never taken for a keeper.
#[must_use]
pub fn keeper(folder: &Path) -> Option<u32> {
    // One that has just taken the lock has not written its number yet: there may be none, or that of one that was killed.
    for _ in 0..100 {
        let mut file = File::open(folder.join("lock")).ok()?;
        if flock(&file, FlockOperation::NonBlockingLockShared) != Err(rustix::io::Errno::WOULDBLOCK) {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        if let Some(pid) = text.trim().parse().ok().filter(|pid| is_keeper(*pid)) {
            return Some(pid);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

fn is_keeper(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.split(|b| *b == 0).nth(1) == Some(b"keeper"))
}

/// Starts a keeper (`PROGRAM keeper FOLDER`) that outlives its starter. Where one lives already, the new one ends by
/// itself.
pub fn spawn(program: &Path, folder: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    command.arg("keeper").arg(folder).env_clear();
    detach(command, &folder.join("keeper.log"))
}

/// Starts the program in the background with this process's environment, but for the variables that begin with one of
/// `without`: a session of its own, its messages in a log.
pub fn spawn_apart(program: &Path, arguments: &[&str], without: &[&str], log: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in env::vars_os() {
        if without.iter().any(|begin| name.as_encoded_bytes().starts_with(begin.as_bytes())) {
            command.env_remove(name);
        }
    }
    detach(command, log)
}

fn detach(mut command: Command, log: &Path) -> io::Result<()> {
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    apart(&mut command);
    let mut child = command.spawn()?;
    // It is its starter's child until the starter ends: somebody has to collect it, or it stays as a zombie.
    thread::Builder::new().stack_size(64 * 1024).spawn(move || child.wait())?;
    Ok(())
}

#[allow(unsafe_code)]
fn apart(command: &mut Command) {
    // SAFETY: the closure makes one async-signal-safe system call between fork and exec.
    unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
}

/// Starts the record's keeper where none lives, and waits until one has the record, or had it and is done.
pub fn ensure(program: &Path, folder: &Path) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    if keeper(folder).is_some() {
        return Ok(());
    }
    spawn(program, folder)?;
    while keeper(folder).is_none() && !matches!(settled(folder), Ok(Some(_))) {
        if Instant::now() > until {
            let said = fs::read_to_string(folder.join("keeper.log")).unwrap_or_default();
            let last = said.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(io::Error::other(format!("the keeper of {} does not start: {last}", folder.display())));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Lets the process go on until it ends by itself; it is not started again then, and its keeper ends too.
pub fn let_end(folder: &Path) -> Result<(), RecordError> {
    record::write(folder, "wanted.json", &Wanted::Finishing)
}

/// Takes [`let_end`] back, also where the process has ended since.
pub fn keep(program: &Path, folder: &Path) -> Result<(), RecordError> {
    record::write(folder, "wanted.json", &Wanted::Running)?;
    ensure(program, folder).map_err(|source| RecordError::Io { path: folder.to_path_buf(), source })
}

/// How a process that runs once ended; `None` while it has not, or while its keeper is not done with it.
pub fn ended(folder: &Path) -> Result<Option<Exit>, RecordError> {
    // First the keeper, then what it wrote.
    if keeper(folder).is_some() { Ok(None) } else { settled(folder) }
}

fn settled(folder: &Path) -> Result<Option<Exit>, RecordError> {
    let Some(state) = state(folder)? else { return Ok(None) };
    let over = match state.phase {
        Phase::Ended => true,
        Phase::Stopped => wanted(folder) == Wanted::Stopped,
        Phase::Running | Phase::Pausing | Phase::Starting => false,
    };
    Ok(over.then(|| state.last_exit.unwrap_or(Exit::Unknown)))
}

/// Waits until a process that runs once has ended, and tells how; `None` where there is no record. Blocks for as long as
/// that takes; a keeper that is killed meanwhile is followed by another.
pub fn wait(program: &Path, folder: &Path) -> Result<Option<Exit>, RecordError> {
    let mut pause = Duration::from_millis(1);
    loop {
        if keeper(folder).is_none() {
            if let Some(exit) = settled(folder)? {
                return Ok(Some(exit));
            }
            if read_spec(folder)?.is_none() {
                return Ok(None);
            }
            ensure(program, folder).map_err(|source| RecordError::Io { path: folder.to_path_buf(), source })?;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Stops the instance and waits until its keeper has ended. Where the keeper was killed and its process lives on, a keeper
/// is started to end it.
pub fn stop(program: &Path, folder: &Path) -> Result<(), RecordError> {
    let at = |source| RecordError::Io { path: folder.to_path_buf(), source };
    let Some(spec) = read_spec(folder)? else { return Ok(()) };
    record::write(folder, "wanted.json", &Wanted::Stopped)?;
    if keeper(folder).is_none() {
        if settled(folder)?.is_some() {
            return Ok(());
        }
        ensure(program, folder).map_err(at)?;
    }
    let until = Instant::now() + Duration::from_secs(spec.stop_seconds + 10);
    while let Some(pid) = keeper(folder) {
        if Instant::now() > until {
            return Err(at(io::Error::new(io::ErrorKind::TimedOut, "the keeper does not stop")));
        }
        // Again and again: a keeper that has just been started does not take signals yet.
        let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)), Signal::SIGTERM);
        let round = Instant::now() + Duration::from_millis(500);
        while keeper(folder) == Some(pid) && Instant::now() < round {
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// Whether the record's keeper is this very program, and not an older file of the same name.
#[must_use]
pub fn is_of(folder: &Path, program: &Path) -> bool {
    keeper(folder).is_some_and(|pid| executes(pid, program))
}

/// Whether the process that the record holds is this very program.
#[must_use]
pub fn holds(folder: &Path, program: &Path) -> bool {
    let state = state(folder).ok().flatten();
    state.and_then(|s| s.held).is_some_and(|held| executes(held.pid, program))
}

fn executes(pid: u32, program: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    let running = file(Path::new(&format!("/proc/{pid}/exe")));
    running.is_some() && running == file(program)
}

/// Makes the record's keeper execute a program in its own place; the process that it holds notices nothing. Returns when
/// that is done: `false` where no keeper lives, an error where the keeper could not and stays as it was.
pub fn renew(program: &Path, folder: &Path) -> Result<bool, RecordError> {
    let at = |source| RecordError::Io { path: folder.to_path_buf(), source };
    let renewals = |state: Option<State>| state.map_or(0, |s| s.renewals);
    let Some(pid) = keeper(folder) else { return Ok(false) };
    let before = renewals(state(folder)?);
    record::write(folder, "program.json", &program)?;
    match kill(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)), Signal::SIGHUP) {
        // It has ended since.
        Err(Errno::ESRCH) => return Ok(false),
        sent => sent.map_err(|e| at(e.into()))?,
    }
    let until = Instant::now() + Duration::from_secs(10);
    while keeper(folder) == Some(pid) {
        let now = state(folder)?;
        match now.as_ref().and_then(|s| s.renewal_failed.clone()) {
            _ if renewals(now) == before => {}
            Some(why) => return Err(at(io::Error::other(why))),
            None => return Ok(true),
        }
        if Instant::now() > until {
            return Err(at(io::Error::new(io::ErrorKind::TimedOut, "the keeper does not take on the program")));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(false)
}

/// Resident memory of the instance's processes, in bytes.
#[must_use]
pub fn memory(state: &State) -> u64 {
    state.held.map_or(0, |held| crate::tree::memory(held.pid))
}
