//! Commands that run to their end: migrations and seeds. Killed with everything that they started when nobody waits any
//! more.

use std::{collections::VecDeque, process::Stdio};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, Sink},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{Host, machine::failed};

/// Lines of the output that a failure shows.
const SHOWN: usize = 30;

impl Host {
    pub(crate) async fn task(&self, id: &EnvironmentId, task: &AppProcess, output: Sink<'_>) -> Result<(), Failure> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &task.command])
            .env_clear()
            .env("HOME", self.home.environment(id).join("home"))
            .envs(task.variables.iter().map(|(k, v)| (k, v)))
            .current_dir(&task.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(user) = self.user(id)? {
            command.uid(user.uid).gid(user.gid);
        }
        let what = || format!("`{}` cannot be started", task.command);
        let mut child = command.spawn().map_err(|e| failed(what(), &e))?;
        let _group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()));
        let last = tokio::sync::Mutex::new(VecDeque::new());
        let out = child.stdout.take().map(BufReader::new);
        let err = child.stderr.take().map(BufReader::new);
        let (_, _, status) = tokio::join!(read(out, output, &last), read(err, output, &last), child.wait());
        let status = status.map_err(|e| failed(what(), &e))?;
        if status.success() {
            return Ok(());
        }
        let lines: Vec<String> = last.into_inner().into();
        Err(Failure::new(FailureKind::App, format!("`{}` failed: {status}", task.command)).because(lines.join("\n")))
    }
}

async fn read<R: AsyncBufRead + Unpin>(from: Option<R>, output: Sink<'_>, last: &tokio::sync::Mutex<VecDeque<String>>) {
    let Some(mut from) = from else { return };
    let mut line = Vec::new();
    while let Ok(n) = from.read_until(b'\n', &mut line).await {
        if n == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        output(&text);
        let mut last = last.lock().await;
        last.push_back(text);
        if last.len() > SHOWN {
            last.pop_front();
        }
        line.clear();
    }
}

/// Ends a process group when it goes out of scope.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It has ended, as a rule; then there is nobody to signal.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
