//! Starting a process, finding it again, and ending it with everything that it started.

use std::{
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::{fs::fchown, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{
    cgroup::{self, Cgroup},
    record::{Held, Spec},
    tree,
};

/// A process that is held, with a descriptor that tells its end.
pub(crate) struct Running {
    pub(crate) held: Held,
    pub(crate) end: OwnedFd,
}

/// Starts the process.
///
/// A keeper that is killed before the state names the new process leaves one that carries the marker, and the next keeper
/// finds it by that. It cannot look too early: the lock of the record is shared with the forked process until that has
/// become the program (the descriptor is closed on exec), so the next keeper does not get the lock before.
pub(crate) fn start(spec: &Spec, output: &File, cgroup: Option<&Cgroup>) -> io::Result<Running> {
    let (out, err) = (output.try_clone()?, output.try_clone()?);
    if let Some((uid, gid)) = spec.user {
        // So that the program may open /dev/stdout by name.
        fchown(output, Some(uid), Some(gid))?;
    }
    let doors = cgroup.map(Cgroup::doors).transpose()?.unwrap_or_default();
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.arguments)
        .env_clear()
        .envs(spec.variables.iter().map(|(k, v)| (k, v)))
        .env(tree::MARKER, &spec.marker)
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    if let Some((uid, gid)) = spec.user {
        // As root, setting a user id also drops every supplementary group (std::os::unix::process::CommandExt::uid).
        command.uid(uid).gid(gid);
    }
    cgroup::enter(&mut command, doors);
    detach(&mut command);
    let child = command.spawn()?;
    let pid = child.id();
    let held = Held { pid, start_time: tree::process(pid).map_or(0, |p| p.start_time), since: now() };
    Ok(Running { held, end: open(pid)? })
}

#[allow(unsafe_code)]
fn detach(command: &mut Command) {
    let nomask = SigSet::empty();
    let first = move || {
        rustix::process::setsid()?;
        // The keeper reads its signals from a descriptor and blocks them; a blocked signal would stay so across exec.
        nomask.thread_set_mask()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only the system calls setsid, sigprocmask and umask, which are
    // async-signal-safe; it allocates nothing.
    unsafe { command.pre_exec(first) };
}

/// A child of this very process that has not been collected, whether it has ended or not.
pub(crate) fn child(held: Held) -> io::Result<Running> {
    Ok(Running { held, end: open(held.pid)? })
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The process that an earlier keeper started: the one that its state names, or the oldest that carries the marker and leads
/// a session. Anything else with the marker is left to [`end_everything`].
pub(crate) fn find(spec: &Spec, recorded: Option<Held>) -> Option<Running> {
    let living = recorded.filter(|h| tree::process(h.pid).is_some_and(|p| p.start_time == h.start_time));
    let held = match living {
        Some(held) => held,
        // It was started a single time: what else carries the marker is what it left behind.
        None if recorded.is_some() && spec.once.is_some() => return None,
        None => tree::marked(&spec.marker)
            .into_iter()
            .filter_map(|pid| {
                let process = tree::process(pid).filter(|p| p.session == pid)?;
                Some(Held { pid, start_time: process.start_time, since: now() })
            })
            .min_by_key(|held| held.start_time)?,
    };
    let end = open(held.pid).ok()?;
    // The number may have been given to another process between the look and the opening.
    tree::process(held.pid).filter(|p| p.start_time == held.start_time)?;
    Some(Running { held, end })
}

/// Asks the process group to stop.
pub(crate) fn signal_group(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended already.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// Kills whatever is left of an instance: its group, whatever carries its marker, is in its control group or descends from
/// this keeper. Repeats until a look finds nothing, for at most five seconds.
pub(crate) fn end_everything(marker: &str, group: Option<u32>, cgroup: Option<&Cgroup>) {
    if let Some(pid) = group {
        signal_group(pid, Signal::SIGKILL);
    }
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        reap();
        let mut left = tree::marked(marker);
        left.extend(tree::descendants(std::process::id()));
        left.extend(cgroup.map(Cgroup::processes).unwrap_or_default());
        left.retain(|pid| tree::process(*pid).is_some() && *pid != std::process::id());
        if left.is_empty() {
            return;
        }
        for pid in left.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Collects every child that has ended; the exit of `wanted`, if it is among them.
pub(crate) fn reap_for(wanted: Option<u32>) -> Option<crate::record::Exit> {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let mut found = None;
    loop {
        let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, crate::record::Exit::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, crate::record::Exit::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(_) => return found,
            Ok(_) => continue,
        };
        if wanted.and_then(|w| i32::try_from(w).ok()) == Some(pid.as_raw()) {
            found = Some(exit);
        }
    }
}

fn reap() {
    reap_for(None);
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Makes the pipe where there is none and opens it for both directions, without waiting for a writer.
pub(crate) fn output(folder: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
    let path = folder.join("output");
    match mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let pipe = open(&path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // Room for what is written while no keeper reads; a smaller pipe works too.
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1024 * 1024);
    Ok(File::from(pipe))
}

/// The keeper's own, non-blocking view of the pipe. `O_NONBLOCK` belongs to an open file, so the process's view, opened
/// apart, still blocks.
pub(crate) fn reader(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(open(folder.join("output"), flags, Mode::empty())?))
}
