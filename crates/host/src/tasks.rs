//! Commands that run to their end: migrations, seeds, jobs. A keeper holds each, so that one runs once whatever happens to
//! whoever waits for it.

use std::{path::Path, time::Duration};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{Sink, Task, TaskStatus},
};
use ambit_keeper::{Exit, FORMAT, Limits, Once, Spec, StopSignal, client};

use crate::{
    Host,
    machine::{blocking, cannot, failed, record_failure},
};

/// Lines of the output that a failure shows.
const SHOWN: usize = 30;
/// How long a task may take to stop when it is asked.
const STOP_SECONDS: u64 = 10;

impl Host {
    /// Runs a task, or waits for the one of that name that runs already; one that has ended is told as it ended.
    pub(crate) async fn task(
        &self,
        id: &EnvironmentId,
        name: &str,
        task: &Task,
        output: Sink<'_>,
    ) -> Result<(), Failure> {
        let record = self.home.task(id, name);
        let app = &task.process;
        let mut variables = vec![("HOME".to_owned(), self.home.environment(id).join("home").display().to_string())];
        variables.extend(app.variables.iter().cloned());
        let spec = Spec {
            format: FORMAT,
            marker: format!("{}:{id}/task/{name}", self.home.root().display()),
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), app.command.clone()],
            variables,
            directory: app.directory.clone(),
            user: self.user(id)?.map(|u| (u.uid, u.gid)),
            stop_signal: StopSignal::Term,
            stop_seconds: STOP_SECONDS,
            limits: Limits { memory: app.memory, cpus: app.cpus },
            once: Some(Once { seconds: Some(task.longest.as_secs()) }),
            secrets: app.secrets.clone(),
        };
        let program = self.program.clone();
        let (folder, what) = (record.clone(), format!("`{}` cannot be started", app.command));
        blocking(move || {
            if client::read_spec(&folder).map_err(record_failure)?.is_none() {
                client::write_spec(&folder, &spec).map_err(record_failure)?;
            }
            if client::ended(&folder).map_err(record_failure)?.is_none() {
                client::ensure(&program, &folder).map_err(|e| failed(what, &e))?;
            }
            Ok(())
        })
        .await?;
        let exit = self.follow(&record, output).await?;
        let failure = match exit {
            Exit::Code(0) => return Ok(()),
            Exit::Unknown => Failure::new(
                FailureKind::App,
                format!("nobody saw how `{}` ended, since its keeper was killed with it", app.command),
            )
            .hint("repeat the command: what is done already is not done again by tools that remember it"),
            exit => Failure::new(FailureKind::App, format!("`{}` failed: it {exit}", app.command)),
        };
        let (lines, _) = client::tail(&record, SHOWN);
        let text: Vec<&str> = lines.iter().map(|(_, t)| t.as_str()).filter(|t| !t.starts_with("[ambit]")).collect();
        Err(if text.is_empty() { failure.because("it printed nothing") } else { failure.because(text.join("\n")) })
    }

    /// Passes on what the task prints until it has ended.
    async fn follow(&self, record: &Path, output: Sink<'_>) -> Result<Exit, Failure> {
        let say = |lines: Vec<(String, String)>| {
            for (_, text) in lines.iter().filter(|(_, text)| !text.starts_with("[ambit]")) {
                output(text);
            }
        };
        let (lines, mut position) = client::tail(record, usize::MAX);
        say(lines);
        let mut pause = Duration::from_millis(2);
        loop {
            let ended = {
                let (folder, program) = (record.to_path_buf(), self.program.clone());
                blocking(move || {
                    let ended = client::ended(&folder).map_err(record_failure)?;
                    if ended.is_none() && client::keeper(&folder).is_none() {
                        client::ensure(&program, &folder)
                            .map_err(|e| failed("a task's keeper cannot be started", &e))?;
                    }
                    Ok(ended)
                })
                .await?
            };
            let (lines, end) = client::follow(record, &position);
            position = end;
            say(lines);
            if let Some(exit) = ended {
                return Ok(exit);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    pub(crate) fn task_statuses(&self, id: &EnvironmentId) -> Vec<TaskStatus> {
        let entries = std::fs::read_dir(self.home.tasks(id)).into_iter().flatten();
        let mut all: Vec<TaskStatus> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let exit = client::ended(&entry.path()).ok().flatten();
                Some(TaskStatus {
                    name,
                    running: exit.is_none(),
                    well: exit.as_ref().map(|exit| *exit == Exit::Code(0)),
                    exit: exit.map_or_else(String::new, |exit| exit.to_string()),
                })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(crate) async fn end_task(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        let (record, program) = (self.home.task(id, name), self.program.clone());
        blocking(move || {
            client::stop(&program, &record).map_err(record_failure)?;
            match std::fs::remove_dir_all(&record) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot("delete", &record)(error)),
                _ => Ok(()),
            }
        })
        .await
    }
}
