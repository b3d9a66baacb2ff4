//! Work that takes a while, asked for by somebody who does not wait: backups and restores. What it says is kept in memory,
//! bounded; what it did is in the audit log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ambit_app::{BackUp, Progress, RestoreRequest, RestoredCopy};
use ambit_domain::{Actor, EnvironmentId, Event, Failure, FailureKind, access::Operation, spec::ProjectName};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Face;

/// How many are remembered, and how much each said.
const KEPT: usize = 50;
const EVENTS: usize = 200;

/// What is done.
pub(crate) enum Long {
    BackUp(BackUp),
    Restore(RestoreRequest),
    PutInPlace(RestoredCopy),
}

/// How work stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub(crate) enum State {
    Running,
    Done { result: Value },
    Failed { failure: Failure },
}

/// One piece of work.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Work {
    pub(crate) id: u64,
    pub(crate) environment: EnvironmentId,
    /// The name of the operation.
    pub(crate) operation: &'static str,
    pub(crate) actor: Actor,
    /// When it began, in milliseconds since the Unix epoch.
    pub(crate) began: i64,
    #[serde(flatten)]
    pub(crate) state: State,
    /// What it said, the oldest first.
    pub(crate) events: VecDeque<Event>,
}

#[derive(Default)]
pub(crate) struct Works(Mutex<(u64, VecDeque<Work>)>);

impl Works {
    /// Begins work that goes on whatever becomes of the one who asked.
    pub(crate) fn begin(
        &self,
        face: &Arc<Face>,
        environment: &EnvironmentId,
        operation: Operation,
        actor: Actor,
        long: Long,
    ) -> Work {
        let work = {
            let mut held = self.held();
            held.0 += 1;
            let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let work = Work {
                id: held.0,
                environment: environment.clone(),
                operation: operation.name(),
                actor,
                began: i64::try_from(began).unwrap_or(i64::MAX),
                state: State::Running,
                events: VecDeque::new(),
            };
            held.1.push_front(work.clone());
            held.1.truncate(KEPT);
            work
        };
        tokio::spawn(carry_out(Arc::clone(face), work.id, long));
        work
    }

    /// The work of a project with an id.
    pub(crate) fn of(&self, project: &ProjectName, id: u64) -> Option<Work> {
        self.held().1.iter().find(|work| work.id == id && work.environment.project == *project).cloned()
    }

    /// The work on an environment, the newest first.
    pub(crate) fn on(&self, environment: &EnvironmentId) -> Vec<Work> {
        self.held().1.iter().filter(|work| work.environment == *environment).cloned().collect()
    }

    /// Tells one state of a project's work from another.
    pub(crate) fn mark(&self, project: &ProjectName) -> (u64, usize, usize) {
        let held = self.held();
        let mine = || held.1.iter().filter(|work| work.environment.project == *project);
        let running = mine().filter(|work| matches!(work.state, State::Running)).count();
        (held.0, running, mine().map(|work| work.events.len()).sum())
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Work)) {
        if let Some(work) = self.held().1.iter_mut().find(|work| work.id == id) {
            change(work);
        }
    }

    fn held(&self) -> MutexGuard<'_, (u64, VecDeque<Work>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For work whose steps nobody hears of.
pub(crate) fn unheard() -> Progress {
    Progress::new(mpsc::unbounded_channel().0, CancellationToken::new())
}

async fn carry_out(face: Arc<Face>, id: u64, long: Long) {
    let (events, mut said) = mpsc::unbounded_channel();
    let progress = Progress::new(events, CancellationToken::new());
    let work = async {
        let ambit = &face.ambit;
        let value = match &long {
            Long::BackUp(request) => serde_json::to_value(ambit.back_up(request, &progress).await?),
            Long::Restore(request) => serde_json::to_value(ambit.restore(request, &progress).await?),
            Long::PutInPlace(request) => {
                ambit.put_in_place(request, &progress).await?;
                serde_json::to_value(&request.name)
            }
        };
        value.map_err(|e| Failure::from_error(FailureKind::Internal, &e))
    };
    tokio::pin!(work);
    let result = loop {
        tokio::select! {
            Some(event) = said.recv() => face.works.change(id, |work| {
                if work.events.len() == EVENTS {
                    work.events.pop_front();
                }
                work.events.push_back(event);
            }),
            result = &mut work => break result,
        }
    };
    let state = match result {
        Ok(result) => State::Done { result },
        Err(failure) => State::Failed { failure },
    };
    face.works.change(id, |work| {
        while let Ok(event) = said.try_recv() {
            if work.events.len() < EVENTS {
                work.events.push_back(event);
            }
        }
        work.state = state;
    });
}
