//! Processes that a killed daemon left behind in the middle of something that is about to be done anew.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long killed processes may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Ends every process that was given a folder as an argument or in its environment, and waits until they have gone.
pub(crate) fn end_those_at(folder: &Path) {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let found = those_at(folder);
        if found.is_empty() || Instant::now() > until {
            return;
        }
        for pid in found {
            // It may have ended by itself meanwhile.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn those_at(folder: &Path) -> Vec<i32> {
    let folder = folder.as_os_str().as_bytes();
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let names = |pid: i32| {
        let of = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (arguments, environment) = (of("cmdline"), of("environ"));
        let value = |variable: &[u8]| variable.splitn(2, |b| *b == b'=').nth(1).is_some_and(|v| v == folder);
        arguments.split(|b| *b == 0).any(|a| a == folder) || environment.split(|b| *b == 0).any(value)
    };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != me && names(*pid))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_works_at_a_folder_is_ended_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("making");
        let start = |variable: &Path, argument: &Path| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "read x"]).arg(argument).env("PGDATA", variable).stdin(Stdio::piped());
            command.spawn().unwrap()
        };
        let elsewhere = folder.path();
        let mut by_argument = start(elsewhere, &at);
        let mut by_variable = start(&at, elsewhere);
        let mut other = start(elsewhere, elsewhere);
        let collect = thread::spawn(move || (by_argument.wait().unwrap(), by_variable.wait().unwrap()));
        end_those_at(&at);
        let (a, b) = collect.join().unwrap();
        assert!(!a.success() && !b.success());
        assert!(other.try_wait().unwrap().is_none());
        drop(other.stdin.take());
        other.wait().unwrap();
    }
}
