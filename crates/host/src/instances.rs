//! What runs, read from the keepers' records.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ambit_domain::{
    EnvironmentId,
    provider::{InstanceHealth, InstanceStatus},
};
use ambit_keeper::{LimitsState, Phase, State, Wanted, client};

use crate::Host;

/// How an instance stands by its record.
pub(crate) fn health(folder: &Path, state: Option<&State>) -> InstanceHealth {
    match state {
        _ if client::wanted(folder) == Wanted::Stopped => InstanceHealth::Stopped,
        Some(state) if state.phase == Phase::Running => InstanceHealth::Running,
        Some(state) => InstanceHealth::Restarting {
            exit: state.last_exit.as_ref().map_or_else(|| "not started yet".to_owned(), ToString::to_string),
        },
        None => InstanceHealth::Restarting { exit: "not started yet".to_owned() },
    }
}

impl Host {
    /// Records of an environment: service, number, folder.
    pub(crate) fn records(&self, id: &EnvironmentId) -> Vec<(String, u32, PathBuf)> {
        let Ok(entries) = fs::read_dir(self.home.keepers(id)) else { return Vec::new() };
        let mut all: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let (service, number) = name.rsplit_once('.')?;
                Some((service.to_owned(), number.parse().ok()?, entry.path()))
            })
            .collect();
        all.sort();
        all
    }

    pub(crate) fn statuses(&self, id: &EnvironmentId) -> Vec<InstanceStatus> {
        self.records(id)
            .into_iter()
            .map(|(service, number, folder)| {
                let state = client::state(&folder).ok().flatten();
                let health = health(&folder, state.as_ref());
                InstanceStatus {
                    service,
                    number,
                    health,
                    pid: state.as_ref().and_then(|s| s.held).map(|h| h.pid),
                    since: state.as_ref().and_then(|s| s.held).map(|h| h.since),
                    memory: state.as_ref().map_or(0, client::memory),
                    restarts: state.as_ref().map_or(0, |s| s.restarts),
                    limits_note: state.and_then(|s| match s.limits {
                        LimitsState::NotEnforced(why) => Some(why),
                        LimitsState::None | LimitsState::Enforced => None,
                    }),
                }
            })
            .collect()
    }

    /// Records of all environments of all projects, those of their tasks included.
    pub(crate) fn all_records(&self) -> Vec<PathBuf> {
        let below = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.filter_map(|e| e.ok().map(|e| e.path())).collect::<Vec<_>>()
        };
        let roots = ["keepers", "tasks", "beside"].map(|name| self.home.root().join(name));
        roots.into_iter().flat_map(below).flat_map(below).flat_map(below).collect()
    }

    /// Starts the keeper of every record that should have one and has none.
    pub(crate) fn revive_all(&self) -> Vec<String> {
        let mut records = self.all_records();
        // While the proxy changes, its records are about to say something else.
        if let Ok(_unchanged) = self.proxy.try_lock() {
            records.extend(self.proxy_records().into_iter().map(|record| record.folder));
        }
        records
            .into_iter()
            .filter(|folder| client::wanted(folder) != Wanted::Stopped && client::keeper(folder).is_none())
            .map(|folder| match client::spawn(&self.program, &folder) {
                Ok(()) => format!("the keeper of {} was gone and is started again", folder.display()),
                Err(error) => format!("the keeper of {} is gone and cannot be started: {error}", folder.display()),
            })
            .collect()
    }
}
