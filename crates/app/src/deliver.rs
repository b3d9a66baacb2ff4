//! What the daemon does with the outbox. Each place is told at least once: an attempt is written down after it was made,
//! so that a daemon that dies in the middle of one makes it again. No place waits for another.

mod github;

use std::{collections::HashSet, sync::Arc, time::Duration};

use ambit_cloud::SendError;
use ambit_domain::{
    Announcement, Channel, Delivery, DeliveryState, DeploymentId, Failure, FailureKind, Outgoing,
    delivery::next_attempt,
    sentry,
    spec::{Occasion, ProjectName},
};
use futures_util::{StreamExt, stream::FuturesUnordered};

use crate::{
    address::Address,
    ambit::{Ambit, now, store_failure},
    declaration::Declaration,
    telling::{Place, Words, later, places_of, tell},
};

/// How many attempts are made side by side.
const AT_ONCE: usize = 16;
/// How often the outbox is looked at when nothing is known to be due.
const LOOK: Duration = Duration::from_secs(15);
/// How long to wait before a result that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

impl Ambit {
    /// Tells what was announced, for as long as it is polled.
    pub async fn deliver(self: Arc<Self>) {
        let mut running = FuturesUnordered::new();
        let mut at_work: HashSet<i64> = HashSet::new();
        loop {
            let pause = match self.due() {
                Ok(due) => {
                    for (outgoing, delivery) in due {
                        if running.len() < AT_ONCE && at_work.insert(delivery.number) {
                            running.push(self.attempt(outgoing, delivery));
                        }
                    }
                    self.until_next()
                }
                Err(failure) => {
                    tracing::error!(causes = ?failure.causes, "the outbox cannot be read: {failure}");
                    LOOK
                }
            };
            tokio::select! {
                Some(number) = running.next(), if !running.is_empty() => drop(at_work.remove(&number)),
                () = self.announced.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn due(&self) -> Result<Vec<(Outgoing, Delivery)>, Failure> {
        // Twice as many as are at work: those are among them.
        let limit = u32::try_from(AT_ONCE * 2).unwrap_or(u32::MAX);
        self.store.due_deliveries(now(), limit).map_err(|e| store_failure(&e))
    }

    fn until_next(&self) -> Duration {
        let now = now();
        let next = self.store.next_delivery(now).ok().flatten();
        let pause = next.and_then(|next| u64::try_from(next - now).ok()).map(Duration::from_millis);
        pause.map_or(LOOK, |pause| pause.min(LOOK))
    }

    /// One attempt and its result. Gives the delivery's number back once the result is written.
    async fn attempt(&self, outgoing: Outgoing, delivery: Delivery) -> i64 {
        let number = delivery.number;
        let after = match self.carry(&outgoing, &delivery).await {
            Ok(Carried::Told) => sent(&delivery),
            Ok(Carried::Addressed) => return number,
            Err(error) => failed(&outgoing, &delivery, &error),
        };
        if let (DeliveryState::GivenUp, Some(why)) = (after.state, &after.error) {
            let channel = after.channel.map_or("outbox", |c| c.name());
            tracing::warn!(
                "{} {}: {channel} given up: {why}",
                outgoing.environment,
                outgoing.announcement.event.name()
            );
        }
        // Until it is written it counts as at work: a full disk must not tell the same thing again and again.
        while let Err(error) = self.store.set_delivery(&after) {
            tracing::error!("the result of a notification cannot be written: {}", store_failure(&error));
            tokio::time::sleep(WRITE_AGAIN).await;
        }
        number
    }

    async fn carry(&self, outgoing: &Outgoing, delivery: &Delivery) -> Result<Carried, SendError> {
        let declaration = self.declared_now(outgoing).map_err(|failure| later(failure.message))?;
        let name = &outgoing.environment.environment;
        let environment = declaration.project.environments.get(name);
        let Some(environment) = environment else {
            return Err(SendError::Refused { why: format!("{name} is no longer declared") });
        };
        let Some(channel) = delivery.channel else {
            let mut places = places_of(&outgoing.announcement, environment);
            if sentry::is_told(&declaration.project, environment, &outgoing.announcement) {
                places.push((Channel::Sentry, String::new()));
            }
            if is_for_github(&outgoing.announcement) && declaration.github_by_secret().is_some() {
                places.push((Channel::Github, String::new()));
            }
            self.store.address_delivery(delivery, &places).map_err(|e| later(store_failure(&e).message))?;
            return Ok(Carried::Addressed);
        };
        let address = match (&declaration.project.domain, self.listen()) {
            (None, Ok(listen)) => Address::Here(listen),
            _ => Address::Public,
        };
        if channel == Channel::Github {
            return self.tell_github(&declaration, environment, address, outgoing).await.map(|()| Carried::Told);
        }
        let words = Words::new(outgoing, environment, address);
        let tokens = self.tokens_of(&declaration.project.name).map_err(|failure| later(failure.message))?;
        let place = Place { channel, recipient: &delivery.recipient, tokens: &tokens };
        tell(&declaration, environment, place, &words).await.map(|()| Carried::Told)
    }

    /// The declaration as it is now: who is told, and by which secrets, may have been mended since. Where it cannot be read
    /// there is the one that was deployed.
    fn declared_now(&self, outgoing: &Outgoing) -> Result<Declaration, Failure> {
        let project = &outgoing.environment.project;
        let folder = self.store.project_folder(project).map_err(|e| store_failure(&e))?;
        let now = folder.map(|folder| Declaration::open(&folder, &self.keys_of(project)));
        let deployed = || self.sources_of(project, outgoing.announcement.deployment);
        match now {
            Some(Ok(declaration)) => Ok(declaration),
            Some(Err(failure)) => deployed().map_err(|_| failure),
            None => deployed(),
        }
    }

    fn sources_of(&self, project: &ProjectName, deployment: Option<DeploymentId>) -> Result<Declaration, Failure> {
        let sources = match deployment {
            Some(deployment) => self.store.sources(deployment).map_err(|e| store_failure(&e))?,
            None => None,
        };
        let sources = sources.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("it is not known where the ambit.toml of {project} lies"))
        })?;
        Ok(Declaration::read(&sources.folder, sources.declaration, sources.secrets, &self.keys_of(project))?)
    }
}

/// Whether it tells of a deployment of something that GitHub may have, or of a pull request.
fn is_for_github(announcement: &Announcement) -> bool {
    announcement.commit.is_some() && (announcement.deployment.is_some() || announcement.event == Occasion::Checked)
}

enum Carried {
    /// The other side has it.
    Told,
    /// It is known who is told.
    Addressed,
}

fn sent(delivery: &Delivery) -> Delivery {
    let attempts = delivery.attempts + 1;
    Delivery { state: DeliveryState::Sent, attempts, due: now(), error: None, ..delivery.clone() }
}

fn failed(outgoing: &Outgoing, delivery: &Delivery, error: &SendError) -> Delivery {
    let (attempts, now) = (delivery.attempts + 1, now());
    let age = Duration::from_millis(u64::try_from(now - outgoing.announced).unwrap_or_default());
    let pause = match error {
        SendError::Later { after, .. } => next_attempt(attempts, age, *after, rand::random()),
        SendError::Refused { .. } => None,
    };
    let (state, due) = match pause.and_then(|p| i64::try_from(p.as_millis()).ok()) {
        Some(pause) => (DeliveryState::Waiting, now + pause),
        None => (DeliveryState::GivenUp, now),
    };
    Delivery { state, attempts, due, error: Some(error.to_string()), ..delivery.clone() }
}

#[cfg(test)]
mod tests;
