//! The processes that keepers hold: whether they stay up, and what they take.

use std::collections::HashMap;

use ambit_domain::{
    EnvironmentId,
    monitoring::{ProcessState, ProcessUse},
};
use ambit_keeper::client;

use crate::{Host, instances::health};

impl Host {
    /// How the processes of an environment stand. Reads a file for each and measures nothing.
    #[must_use]
    pub fn process_states(&self, id: &EnvironmentId) -> Vec<ProcessState> {
        let all = self.records(id).into_iter();
        all.map(|(service, number, folder)| state_of(service, number, &folder)).collect()
    }

    /// How the present proxy's process stands; `None` where there never was one. A proxy that takes over has another number.
    #[must_use]
    pub fn proxy_state(&self) -> Option<ProcessState> {
        let present = self.proxy_records().pop()?;
        Some(state_of("proxy".to_owned(), present.number, &present.folder))
    }

    /// What processes take, each with everything that it started.
    #[must_use]
    pub fn uses(&self, processes: &[u32]) -> HashMap<u32, ProcessUse> {
        ambit_keeper::uses(processes)
            .into_iter()
            .map(|(pid, used)| (pid, ProcessUse { cpu_seconds: used.cpu_seconds, memory: used.memory }))
            .collect()
    }
}

fn state_of(service: String, number: u32, folder: &std::path::Path) -> ProcessState {
    let state = client::state(folder).ok().flatten();
    let held = state.as_ref().and_then(|s| s.held);
    let last_exit = state.as_ref().and_then(|s| s.last_exit.as_ref()).map(ToString::to_string).unwrap_or_default();
    ProcessState {
        service,
        number,
        health: health(folder, state.as_ref()),
        pid: held.map(|h| h.pid),
        since: held.map(|h| h.since),
        restarts: state.as_ref().map_or(0, |s| s.restarts),
        last_exit,
    }
}
