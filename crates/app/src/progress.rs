//! Tells whoever asked for long work how it goes.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ambit_domain::{
    Event, Failure, FailureKind, Outcome,
    spec::{EnvironmentName, ServiceName},
};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::deployment_log::DeploymentLog;

/// Where events go, and the token by which the one who asked takes the request back. Cheap to clone; narrowed to an
/// environment and a service as work goes inward.
#[derive(Clone)]
pub struct Progress {
    events: UnboundedSender<Event>,
    cancel: CancellationToken,
    environment: Option<EnvironmentName>,
    service: Option<ServiceName>,
    log: Option<Arc<DeploymentLog>>,
}

impl Progress {
    /// Events go to `events`; a listener that has gone away is no error.
    #[must_use]
    pub fn new(events: UnboundedSender<Event>, cancel: CancellationToken) -> Self {
        Self { events, cancel, environment: None, service: None, log: None }
    }

    /// For work in the process of the one who asked, which ends with it.
    #[must_use]
    pub fn here(events: UnboundedSender<Event>) -> Self {
        Self::new(events, CancellationToken::new())
    }

    /// For work that is not worth telling of.
    pub(crate) fn unheard() -> Self {
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        Self::new(events, CancellationToken::new())
    }

    /// For work that nobody waits for: what is said goes into the log alone.
    pub(crate) fn to_log(log: Arc<DeploymentLog>, cancel: CancellationToken) -> Self {
        Self { cancel, log: Some(log), ..Self::unheard() }
    }

    /// Also into a log.
    pub(crate) fn logged(&self, log: Arc<DeploymentLog>) -> Self {
        Self { log: Some(log), ..self.clone() }
    }

    pub(crate) fn environment(&self, name: &EnvironmentName) -> Self {
        Self { environment: Some(name.clone()), service: None, ..self.clone() }
    }

    pub(crate) fn service(&self, name: &ServiceName) -> Self {
        Self { service: Some(name.clone()), ..self.clone() }
    }

    /// The same for what nobody can take back.
    pub(crate) fn beyond_recall(&self) -> Self {
        Self { cancel: CancellationToken::new(), ..self.clone() }
    }

    pub(crate) fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Fails once the request was taken back; called between steps, never within one.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::new(FailureKind::Interrupted, "interrupted; what was running still runs"));
        }
        Ok(())
    }

    pub(crate) fn say(&self, step: &str, outcome: Outcome) {
        let event = Event {
            environment: self.environment.clone(),
            service: self.service.clone(),
            step: step.to_owned(),
            outcome,
        };
        if let Some(log) = &self.log {
            log.write(&event);
        }
        // Nobody listens any more: the work itself goes on or is cancelled by its token.
        let _ = self.events.send(event);
    }

    pub(crate) fn notice(&self, step: &str, text: impl Into<String>) {
        self.say(step, Outcome::Notice { text: text.into() });
    }

    pub(crate) fn output(&self, step: &str, line: &str) {
        self.say(step, Outcome::Output { line: line.to_owned() });
    }

    /// Runs one step and tells its beginning and its end. The step returns what it came to and whether it changed
    /// anything.
    pub(crate) async fn step<T>(
        &self,
        step: &str,
        work: impl Future<Output = Result<(T, String, bool), Failure>>,
    ) -> Result<T, Failure> {
        self.go_on()?;
        self.say(step, Outcome::Started);
        let start = Instant::now();
        match work.await {
            Ok((value, detail, changed)) => {
                self.say(step, Outcome::Done { detail, changed, millis: millis(start.elapsed()) });
                Ok(value)
            }
            Err(failure) => {
                self.say(step, Outcome::Failed { failure: failure.clone() });
                Err(failure)
            }
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
