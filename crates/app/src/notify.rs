//! Notifications, for those who announce and those who look: an announcement goes into the outbox in the same breath as
//! what it tells of, and [`Ambit::deliver`] takes it from there.

use std::path::PathBuf;

use ambit_domain::{
    Announcement, Channel, Delivery, Deployment, EnvironmentId, Failure, FailureKind, Outgoing,
    notification::trial_text,
    spec::{EnvironmentName, ProjectName},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now, store_failure},
    declaration::Declaration,
    telling::{Place, Words, places, tell},
};

/// Whose notifications to try out.
#[derive(Clone, Serialize, Deserialize)]
pub struct TryNotifications {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment.
    pub environment: String,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
}

/// What came of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The way.
    pub channel: Channel,
    /// The address, for e-mail; empty otherwise.
    pub recipient: String,
    /// Why it did not get there.
    pub error: Option<String>,
}

impl Ambit {
    /// Announces what happened to a deployment. Returns at once and never fails: what cannot be written to the outbox is
    /// logged. The same event of the same deployment is told once, however often it is announced.
    pub fn announce(&self, environment: &EnvironmentId, announcement: Announcement) {
        let outgoing = outgoing(environment, announcement);
        match self.store.announce(&outgoing) {
            Ok(_) => self.announced.notify_one(),
            Err(error) => {
                let failure = store_failure(&error);
                tracing::error!(causes = ?failure.causes, "{environment}: nobody is told of what happened: {failure}");
            }
        }
    }

    /// Announces how a deployment stands, where that is told.
    pub(crate) fn announce_state(&self, deployment: &Deployment) {
        let recorded = self.store.environment(&deployment.environment).ok().flatten().map(|record| record.kind);
        let declared = || {
            let (declaration, _) = self.declaration_of(deployment).ok()?;
            declaration.project.environments.get(&deployment.environment.environment).map(|e| e.kind)
        };
        // Without either there is nobody to tell.
        if let Some(kind) = recorded.or_else(declared)
            && let Some(announcement) = Announcement::of(deployment, kind)
        {
            self.announce(&deployment.environment, announcement);
        }
    }

    /// What was announced of a project and how it stands with each place, newest first.
    pub fn notifications(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentName>,
        limit: usize,
    ) -> Result<Vec<(Outgoing, Delivery)>, Failure> {
        self.store.recent_deliveries(project, environment, limit).map_err(|e| store_failure(&e))
    }

    /// Sends a trial message everywhere that an environment's notifications go, and tells what came of each.
    pub async fn try_notifications(&self, request: &TryNotifications) -> Result<Vec<Tried>, Failure> {
        let declaration = Declaration::open(&request.folder, &request.keys)?;
        let name = declaration.select(std::slice::from_ref(&request.environment))?.remove(0);
        self.remember_keys(&declaration.project.name, &request.keys);
        let environment = &declaration.project.environments[&name];
        let places = places(&environment.notifications);
        if places.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, format!("nobody is told of deployments into {name}"))
                .hint("[notifications] in ambit.toml says who is: slack, email, webhook"));
        }
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let words = Words::trial(&new_id(), now(), &id, trial_text(&id, environment.notifications.language));
        let tokens = self.tokens_of(&declaration.project.name)?;
        let tries = places.into_iter().map(async |(channel, recipient)| {
            let place = Place { channel, recipient: &recipient, tokens: &tokens };
            let told = tell(&declaration, environment, place, &words).await;
            Tried { channel, recipient, error: told.err().map(|e| e.to_string()) }
        });
        Ok(join_all(tries).await)
    }
}

/// An announcement on its way out from now on.
pub(crate) fn outgoing(environment: &EnvironmentId, announcement: Announcement) -> Outgoing {
    Outgoing { id: new_id(), announced: now(), environment: environment.clone(), announcement }
}

fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
