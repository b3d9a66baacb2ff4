//! Instances of apps.

use ambit_domain::{
    Failure, FailureKind, InstanceId,
    provider::{AppProcess, RELEASE_VARIABLE},
};
use ambit_keeper::{FORMAT, Limits, Spec, StopSignal, Wanted, archive::archive, client};

use crate::{
    Host,
    machine::{blocking, cannot, failed, record_failure},
};

/// How long an app may take to stop when it is asked.
const STOP_SECONDS: u64 = 15;

impl Host {
    pub(crate) fn spec_of(&self, id: &InstanceId, app: &AppProcess) -> Result<Spec, Failure> {
        let user = self.user(&id.environment)?;
        let mut variables =
            vec![("HOME".to_owned(), self.home.environment(&id.environment).join("home").display().to_string())];
        variables.extend(app.variables.iter().cloned());
        Ok(Spec {
            format: FORMAT,
            marker: format!("{}:{id}", self.home.root().display()),
            program: "/bin/sh".into(),
            // `exec` only where the line is one command; a shell that stays is stopped with its group.
            arguments: vec!["-c".to_owned(), app.command.clone()],
            variables,
            directory: app.directory.clone(),
            user: user.map(|u| (u.uid, u.gid)),
            stop_signal: StopSignal::Term,
            stop_seconds: STOP_SECONDS,
            limits: Limits { memory: app.memory, cpus: app.cpus },
            once: None,
            secrets: app.secrets.clone(),
        })
    }

    pub(crate) async fn start(&self, id: &InstanceId, app: &AppProcess) -> Result<(), Failure> {
        let spec = self.spec_of(id, app)?;
        let record = self.home.keeper(id);
        let program = self.program.clone();
        let service = id.service.to_string();
        blocking(move || {
            client::write_spec(&record, &spec).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
            client::ensure(&program, &record).map_err(|e| failed(format!("{service} cannot be started"), &e))
        })
        .await
    }

    /// Starts the process of an instance that was stopped and not forgotten, as it was.
    pub(crate) async fn start_recorded(&self, id: &InstanceId) -> Result<(), Failure> {
        let (record, program, service) = (self.home.keeper(id), self.program.clone(), id.service.to_string());
        blocking(move || {
            if let Some(spec) = client::read_spec(&record).map_err(record_failure)?
                && client::wanted(&record) == Wanted::Stopped
            {
                client::write_spec(&record, &spec).map_err(record_failure)?;
            }
            client::ensure(&program, &record).map_err(|e| failed(format!("{service} cannot be started"), &e))
        })
        .await
    }

    pub(crate) async fn stop_one(&self, id: &InstanceId, forget: bool) -> Result<(), Failure> {
        let (record, logs) = (self.home.keeper(id), self.home.old_logs(&id.environment));
        let program = self.program.clone();
        blocking(move || {
            client::stop(&program, &record).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
            if forget && record.exists() {
                let spec = client::read_spec(&record).ok().flatten();
                let release =
                    spec.as_ref().and_then(|spec| spec.variables.iter().find(|(name, _)| name == RELEASE_VARIABLE));
                archive(&record, &logs, release.map(|(_, value)| value.as_str()))
                    .map_err(cannot("keep the log of", &record))?;
                std::fs::remove_dir_all(&record).map_err(cannot("delete", &record))?;
            }
            Ok(())
        })
        .await
    }
}
