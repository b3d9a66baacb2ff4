//! Carries out a journal: one step after the other, each beginning and end written down before the next.

use std::time::Instant;

use ambit_domain::{
    Deployment, EnvironmentRecord, Failure, FailureKind, Outcome,
    deployment::{StepState, Work},
};

use crate::{
    ambit::{now, store_failure},
    progress::millis,
    release::Built,
    scope::Scope,
};

use super::step;

/// A deployment while it is carried out.
pub(crate) struct Stand<'a> {
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) built: &'a [Built],
    pub(crate) deployment: Deployment,
    pub(crate) record: EnvironmentRecord,
}

impl Stand<'_> {
    /// What the steps work on.
    pub(crate) fn work(&self) -> Result<&Work, Failure> {
        self.deployment.work.as_ref().ok_or_else(unplanned)
    }

    pub(crate) fn work_mut(&mut self) -> Result<&mut Work, Failure> {
        self.deployment.work.as_mut().ok_or_else(unplanned)
    }

    pub(crate) fn save_deployment(&self) -> Result<(), Failure> {
        self.scope.ambit.store.set_deployment(&self.deployment).map_err(|e| store_failure(&e))
    }

    pub(crate) fn save_record(&self) -> Result<(), Failure> {
        self.scope.save(&self.record)
    }
}

fn unplanned() -> Failure {
    Failure::new(FailureKind::Internal, "the deployment has no plan")
}

/// Carries out what is left of the journal, except that the result is not watched here: watching holds nothing up.
pub(crate) async fn carry_out(stand: &mut Stand<'_>) -> Result<(), Failure> {
    for position in 0..stand.deployment.steps.len() {
        let Some(entry) = stand.deployment.steps.get(position) else { break };
        let (name, round) = (entry.name, entry.round);
        if entry.state == StepState::Done {
            continue;
        }
        // Watching is nobody's turn to wait for: it goes on when the rest is done.
        let Some(step) = step::of(name) else { continue };
        if !stand.deployment.has_switched() {
            stand.scope.progress.go_on()?;
        }
        crate::fault::point(&format!("before {} {round}", name.name()));
        begin(stand, position)?;
        crate::fault::point(&format!("in {} {round}", name.name()));
        let start = Instant::now();
        let result = step.run(stand, round).await;
        crate::fault::point(&format!("after {} {round}", name.name()));
        match result {
            Ok(detail) => {
                end(stand, position, StepState::Done, detail.clone())?;
                let outcome = Outcome::Done { detail, changed: true, millis: millis(start.elapsed()) };
                stand.scope.progress.say(name.name(), outcome);
            }
            Err(failure) => {
                end(stand, position, StepState::Failed, failure.message.clone())?;
                stand.scope.progress.say(name.name(), Outcome::Failed { failure: failure.clone() });
                return Err(failure);
            }
        }
    }
    Ok(())
}

fn begin(stand: &mut Stand<'_>, position: usize) -> Result<(), Failure> {
    if let Some(entry) = stand.deployment.steps.get_mut(position) {
        entry.state = StepState::Running;
        entry.started = Some(now());
        let name = entry.name.name();
        stand.save_deployment()?;
        stand.scope.progress.say(name, Outcome::Started);
    }
    Ok(())
}

fn end(stand: &mut Stand<'_>, position: usize, state: StepState, detail: String) -> Result<(), Failure> {
    if let Some(entry) = stand.deployment.steps.get_mut(position) {
        entry.state = state;
        entry.finished = Some(now());
        entry.detail = detail;
    }
    stand.save_deployment()
}
