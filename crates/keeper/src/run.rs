//! The keeper's life: one loop that waits for a signal, for output, for the end of the process, or for a pause to pass.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FlockOperation, flock},
};

use crate::{
    cgroup::Cgroup,
    log::Log,
    memory,
    process::{self, Running},
    record::{self, Exit, FORMAT, LimitsState, Phase, RecordError, Spec, State, StopSignal, Wanted},
    renew::{self, Memory, Renewed},
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A process that ran this long is taken to be well: the next pause is the first again.
const WELL: Duration = Duration::from_secs(10);
/// When nothing changed for this long, memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// Why a keeper does not run.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Another keeper has the record.
    #[error("another keeper holds {folder}")]
    Held {
        /// The record.
        folder: PathBuf,
    },
    /// The record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is nothing to hold.
    #[error("{folder} has no spec.json")]
    NoSpec {
        /// The record.
        folder: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> KeeperError {
    move |source| KeeperError::System { what, source }
}

/// Holds the process of a record until a signal (SIGTERM or SIGINT) says to stop it, or until it has ended, where it runs
/// once. SIGHUP makes the keeper execute its program anew.
pub fn run(folder: &Path) -> Result<(), KeeperError> {
    let renewed = renew::take(folder);
    // Before the lock shows where to send them.
    let signals = signals()?;
    let (lock, pipe, memory) = match renewed {
        Some(Renewed { lock, pipe, memory }) => (lock, Some(pipe), Some(memory)),
        None => (lock(folder)?, None, None),
    };
    let spec: Spec =
        record::read(folder, "spec.json")?.ok_or_else(|| KeeperError::NoSpec { folder: folder.to_path_buf() })?;
    let before: Option<State> = record::read(folder, "state.json")?;
    // What the process starts and leaves behind comes to this keeper instead of to init.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|e| system("adopt orphans")(e.into()))?;
    let pipe = match pipe {
        Some(pipe) => pipe,
        None => process::output(folder).map_err(system("make the output pipe"))?,
    };
    let reader = process::reader(folder).map_err(system("read the output pipe"))?;
    let (cgroup, limits) = limits(&spec);
    let mut keeper = Keeper {
        folder,
        lock,
        log: Log::open(folder, &spec.secrets),
        pipe,
        reader,
        signals,
        cgroup,
        pause: FIRST_PAUSE,
        resume_at: None,
        deadline: None,
        quiet_at: None,
        over: false,
        running: None,
        state: State {
            format: FORMAT,
            phase: Phase::Pausing,
            held: None,
            restarts: before.as_ref().map_or(0, |s| s.restarts),
            last_exit: before.as_ref().and_then(|s| s.last_exit.clone()),
            limits,
            lines_lost: 0,
            renewals: before.as_ref().map_or(0, |s| s.renewals),
            renewal_failed: None,
        },
        spec,
    };
    match memory {
        Some(memory) => keeper.go_on(memory)?,
        None => keeper.take_over(before.as_ref())?,
    }
    keeper.live()
}

fn signals() -> Result<SignalFd, KeeperError> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|e| system("block signals")(e.into()))?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|e| system("receive signals")(e.into()))
}

fn lock(folder: &Path) -> Result<File, KeeperError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(system("open the lock"))?;
    let mut tries = 0;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            // Who only looks whether a keeper lives holds it for an instant.
            Err(rustix::io::Errno::WOULDBLOCK) if tries < 20 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(KeeperError::Held { folder: folder.to_path_buf() }),
            Err(error) => return Err(system("lock the record")(error.into())),
        }
    }
    // At once and over what a killed keeper has left, so that nobody reads half of a number.
    file.write_all(format!("{:<10}", std::process::id()).as_bytes()).map_err(system("write the lock"))?;
    Ok(file)
}

fn limits(spec: &Spec) -> (Option<Cgroup>, LimitsState) {
    if spec.limits.memory.is_none() && spec.limits.cpus.is_none() {
        return (None, LimitsState::None);
    }
    match Cgroup::make(&spec.marker, spec.limits) {
        Ok(cgroup) => (Some(cgroup), LimitsState::Enforced),
        Err(why) => (None, LimitsState::NotEnforced(why)),
    }
}

struct Keeper<'a> {
    folder: &'a Path,
    lock: File,
    spec: Spec,
    state: State,
    log: Log,
    pipe: File,
    reader: File,
    signals: SignalFd,
    cgroup: Option<Cgroup>,
    running: Option<Running>,
    pause: Duration,
    resume_at: Option<Instant>,
    /// When a process that runs once has had its time.
    deadline: Option<Instant>,
    quiet_at: Option<Instant>,
    /// It ran once and ended, or should not run: nothing is left to do.
    over: bool,
}

impl Keeper<'_> {
    /// Finds the process of an earlier keeper, or starts one.
    fn take_over(&mut self, before: Option<&State>) -> Result<(), KeeperError> {
        let earlier = before.filter(|s| s.phase == Phase::Running).and_then(|s| s.held);
        let once = self.spec.once.is_some();
        if once && let Some(State { phase: Phase::Ended, last_exit, .. }) = before {
            return self.finish(last_exit.clone().unwrap_or(Exit::Unknown));
        }
        let wanted = crate::client::wanted(self.folder);
        if let Some(running) = process::find(&self.spec, earlier) {
            self.log.note(&format!("found again: process {}", running.held.pid));
            self.run_it(running)?;
            return if wanted == Wanted::Stopped { self.stop() } else { Ok(()) };
        }
        if let Some(earlier) = earlier {
            self.log.note(&format!("process {} ended while nobody held it", earlier.pid));
            self.state.last_exit = Some(Exit::Unknown);
            self.state.restarts += 1;
        }
        let may_have_run = earlier.is_some() || before.is_some_and(|s| s.phase == Phase::Starting);
        if may_have_run {
            // Its children may still be there.
            process::end_everything(&self.spec.marker, None, self.cgroup.as_ref());
        }
        if wanted == Wanted::Stopped {
            return self.stop();
        }
        if (once && may_have_run) || wanted == Wanted::Finishing {
            return self.finish(Exit::Unknown);
        }
        self.start()
    }

    /// Goes on where this keeper, as the program before, has stopped.
    fn go_on(&mut self, memory: Memory) -> Result<(), KeeperError> {
        let Memory { state, pending, pause, resume_in } = memory;
        self.log.pending = pending;
        self.log.lines_lost = state.lines_lost;
        self.pause = pause;
        let renewals = state.renewals + 1;
        self.state = State { format: FORMAT, limits: self.state.limits.clone(), renewals, ..state };
        self.state.renewal_failed = None;
        match self.state.held.map(process::child).transpose().map_err(system("watch the process"))? {
            Some(running) => self.run_it(running),
            None => {
                self.resume_at = Some(Instant::now() + resume_in.unwrap_or_default());
                self.save()
            }
        }
    }

    /// Executes the program anew. Goes on as it was where that fails.
    fn renew(&mut self) -> Result<(), KeeperError> {
        let memory = Memory {
            state: State { lines_lost: self.log.lines_lost, ..self.state.clone() },
            pending: self.log.pending.clone(),
            pause: self.pause,
            resume_in: self.resume_at.map(|at| at.saturating_duration_since(Instant::now())),
        };
        let program: Option<PathBuf> = record::read(self.folder, "program.json").ok().flatten();
        let program = program.or_else(|| std::env::args_os().next().map(PathBuf::from)).unwrap_or_default();
        let error = renew::execute(&program, &self.lock, &self.pipe, memory);
        let why = format!("{}: {error}", program.display());
        self.log.note(&format!("the keeper stays the program that it is, since it cannot execute {why}"));
        self.state.renewals += 1;
        self.state.renewal_failed = Some(why);
        self.save()
    }

    fn run_it(&mut self, running: Running) -> Result<(), KeeperError> {
        self.state.phase = Phase::Running;
        self.state.held = Some(running.held);
        self.resume_at = None;
        self.deadline = self.spec.once.and_then(|once| once.seconds).and_then(|seconds| {
            let ran = Duration::from_millis(u64::try_from(process::now() - running.held.since).unwrap_or(0));
            Instant::now().checked_add(Duration::from_secs(seconds).saturating_sub(ran))
        });
        self.running = Some(running);
        self.save()
    }

    fn start(&mut self) -> Result<(), KeeperError> {
        if self.spec.once.is_some() {
            self.state.phase = Phase::Starting;
            if let Err(error) = record::write(self.folder, "state.json", &self.state) {
                // Without the note, a second keeper might run it a second time.
                self.log.note(&format!("not started: {error}"));
                return self.finish(Exit::NotStarted(error.to_string()));
            }
        }
        match process::start(&self.spec, &self.pipe, self.cgroup.as_ref()) {
            Ok(running) => self.run_it(running),
            Err(error) => {
                let why = format!("{}: {error}", self.spec.program.display());
                self.log.note(&format!("cannot start {why}"));
                self.ended(Exit::NotStarted(why), Duration::ZERO)
            }
        }
    }

    fn is_finishing(&self) -> bool {
        crate::client::wanted(self.folder) == Wanted::Finishing
    }

    /// Notes the end of a process that is not started again.
    ///
    /// First how it ended, then that nobody wants it any more: a keeper that follows one killed in between finds the former
    /// and does the latter.
    fn finish(&mut self, exit: Exit) -> Result<(), KeeperError> {
        self.over = true;
        self.resume_at = None;
        self.deadline = None;
        self.state.phase = Phase::Ended;
        self.state.held = None;
        self.state.last_exit = Some(exit);
        self.state.lines_lost = self.log.lines_lost;
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        loop {
            let noted = record::write(self.folder, "state.json", &self.state)
                .and_then(|()| record::write(self.folder, "wanted.json", &Wanted::Stopped));
            match noted {
                // How it ended is known to this keeper alone: it waits for room on the disk.
                Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                    std::thread::sleep(Duration::from_millis(500));
                }
                other => return Ok(other?),
            }
        }
    }

    fn ended(&mut self, exit: Exit, ran: Duration) -> Result<(), KeeperError> {
        if self.spec.once.is_some() || self.is_finishing() {
            return self.finish(exit);
        }
        if ran >= WELL {
            self.pause = FIRST_PAUSE;
        }
        self.state.phase = Phase::Pausing;
        self.state.held = None;
        self.state.last_exit = Some(exit);
        self.state.restarts += 1;
        self.resume_at = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.save()
    }

    fn save(&mut self) -> Result<(), KeeperError> {
        self.quiet_at = Some(Instant::now() + QUIET);
        self.state.lines_lost = self.log.lines_lost;
        match record::write(self.folder, "state.json", &self.state) {
            // A full disk must not cost the process: the state is written again at the next change.
            Err(RecordError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => Ok(()),
            other => Ok(other?),
        }
    }

    fn live(&mut self) -> Result<(), KeeperError> {
        while !self.over {
            let next = [self.resume_at, self.deadline, self.quiet_at].into_iter().flatten().min();
            self.wait(next.map(|at| at.saturating_duration_since(Instant::now())))?;
            self.log.take(&mut self.reader);
            let (mut stop, mut renew) = (false, false);
            while let Ok(Some(signal)) = self.signals.read_signal() {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                stop |= number == Signal::SIGTERM as i32 || number == Signal::SIGINT as i32;
                renew |= number == Signal::SIGHUP as i32;
            }
            // First its own end: what ended by itself was not stopped.
            self.notice_end()?;
            if stop && !self.over {
                return self.stop();
            }
            if renew && !self.over {
                self.renew()?;
            }
            let now = Instant::now();
            if self.resume_at.is_some_and(|at| at <= now) {
                if self.is_finishing() {
                    self.finish(self.state.last_exit.clone().unwrap_or(Exit::Unknown))?;
                } else {
                    self.start()?;
                }
            }
            if self.deadline.is_some_and(|at| at <= now) {
                self.end_late()?;
            }
            if self.quiet_at.is_some_and(|at| at <= now) {
                self.quiet_at = None;
                memory::give_back();
            }
        }
        Ok(())
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<(), KeeperError> {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN), PollFd::new(&self.reader, PollFlags::IN)];
        if let Some(running) = &self.running {
            fds.push(PollFd::new(&running.end, PollFlags::IN));
        }
        let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(system("wait")(error.into())),
        }
    }

    fn has_ended(&self) -> bool {
        self.running.as_ref().is_some_and(|running| {
            let mut fds = [PollFd::new(&running.end, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0)
        })
    }

    fn notice_end(&mut self) -> Result<(), KeeperError> {
        let exit = process::reap_for(self.running.as_ref().map(|r| r.held.pid));
        if exit.is_none() && !self.has_ended() {
            return Ok(());
        }
        let Some(running) = self.running.take() else { return Ok(()) };
        let mut exit = exit.or_else(|| process::reap_for(Some(running.held.pid))).unwrap_or(Exit::Unknown);
        if exit == Exit::Signal(Signal::SIGKILL as i32)
            && self.cgroup.as_ref().is_some_and(|c| c.killed_for_memory() > 0)
        {
            exit = Exit::OutOfMemory;
        }
        // What it left behind would hold its port.
        process::end_everything(&self.spec.marker, Some(running.held.pid), self.cgroup.as_ref());
        self.log.take(&mut self.reader);
        self.log.note(&exit.to_string());
        let ran = u64::try_from(process::now() - running.held.since).unwrap_or(0);
        self.ended(exit, Duration::from_millis(ran))
    }

    fn end_late(&mut self) -> Result<(), KeeperError> {
        let seconds = self.spec.once.and_then(|once| once.seconds).unwrap_or_default();
        self.end()?;
        let exit = Exit::TimeLimit(seconds);
        self.log.note(&exit.to_string());
        self.finish(exit)
    }

    fn stop(&mut self) -> Result<(), KeeperError> {
        let in_time = self.end()?;
        self.log.note(if in_time { "stopped" } else { "did not stop in time and was killed" });
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        self.over = true;
        self.state.phase = Phase::Stopped;
        self.state.held = None;
        if self.spec.once.is_some() {
            self.state.last_exit = Some(Exit::Stopped);
        }
        self.save()
    }

    /// Asks the process to stop and then ends it with everything that it started; whether it stopped when it was asked.
    fn end(&mut self) -> Result<bool, KeeperError> {
        let signal = match self.spec.stop_signal {
            StopSignal::Term => Signal::SIGTERM,
            StopSignal::Int => Signal::SIGINT,
        };
        let pid = self.running.as_ref().map(|r| r.held.pid);
        if let Some(pid) = pid {
            // PostgreSQL's own children take SIGINT as "cancel"; only its first process is asked.
            match self.spec.stop_signal {
                StopSignal::Term => process::signal_group(pid, signal),
                StopSignal::Int => {
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(0)), signal);
                }
            }
            let until = Instant::now() + Duration::from_secs(self.spec.stop_seconds);
            while !self.has_ended() && Instant::now() < until {
                self.wait(Some(until.saturating_duration_since(Instant::now())))?;
                self.log.take(&mut self.reader);
                while let Ok(Some(_)) = self.signals.read_signal() {}
            }
        }
        let in_time = self.has_ended() || pid.is_none();
        process::end_everything(&self.spec.marker, pid, self.cgroup.as_ref());
        self.log.take(&mut self.reader);
        self.running = None;
        Ok(in_time)
    }
}
