//! An environment's apps set aside for a moment in which its data is exchanged: requests wait at the proxy, those in
//! flight finish, the apps stop; afterwards they start as they were, and once they are ready the requests go on.
//!
//! Which instances are set aside is written down first. A daemon that is killed in between starts them at its next start;
//! the hold at the proxy ends by itself even where no daemon ever comes back.

use std::{sync::PoisonError, time::Duration};

use ambit_domain::{
    EnvironmentId, Failure, Instance, InstanceId, Real, Wanted,
    provider::Readiness,
    spec::{Form, ServiceName},
};
use ambit_proxy::table::RouteState;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    declaration::Declaration,
};

/// The most that a hold lasts where nobody ends it. Each request waits no longer than the proxy's own limit.
pub(crate) const HOLD: Duration = Duration::from_secs(120);
/// How long requests in flight may take: the rest of the time for which others wait is for the apps to start.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
/// How long an app without a declared deadline has to become ready.
const READY: Duration = Duration::from_secs(60);
/// How long the start of a daemon waits for what an earlier one set aside.
const READY_AT_START: Duration = Duration::from_secs(20);

/// Instances that were set aside, as it is written down.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Aside {
    instances: Vec<(ServiceName, Instance)>,
}

/// Apps that are set aside: they have to be started again.
pub(crate) struct SetAside {
    apps: Vec<(InstanceId, Readiness)>,
}

impl SetAside {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.apps.len()
    }
}

impl Ambit {
    /// Whether the requests to an environment's apps wait.
    pub(crate) fn held(&self, id: &EnvironmentId) -> RouteState {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or_default()
    }

    /// Has requests to an environment wait, or go on.
    pub(crate) async fn hold(&self, id: &EnvironmentId, state: RouteState) -> Result<(), Failure> {
        {
            let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
            match state {
                RouteState::Serving => holds.remove(id),
                held @ RouteState::Held { .. } => holds.insert(id.clone(), held),
            };
        }
        self.publish_routes_if_served().await
    }

    /// Sets the apps of an environment aside. Whoever asks for it changes the environment alone, and ends it with
    /// [`Self::start_again`] and [`Self::release`]. Where it fails, they run as before.
    pub(crate) async fn set_aside(&self, id: &EnvironmentId) -> Result<SetAside, Failure> {
        self.remember(&setting(id), &self.running_apps(id)?)?;
        let (aside, ports) = self.apps_to_set_aside(id)?;
        let stop = async {
            self.hold(id, RouteState::held_for(HOLD)).await?;
            self.drain(&ports, DRAIN).await;
            self.stop_again(&aside).await
        };
        if let Err(failure) = stop.await {
            let started = self.start_again(&aside).await;
            self.release(id).await?;
            started?;
            return Err(failure);
        }
        crate::fault::point("apps are set aside");
        Ok(aside)
    }

    /// The apps of an environment as they are recorded, and their ports.
    pub(crate) fn apps_to_set_aside(&self, id: &EnvironmentId) -> Result<(SetAside, Vec<u16>), Failure> {
        let aside = self.running_apps(id)?;
        let ports = aside.instances.iter().filter_map(|(_, i)| i.port).collect();
        Ok((SetAside { apps: self.readiness_of(id, &aside)? }, ports))
    }

    /// While something of an environment's servers changes, requests wait; the apps start anew with what is in place then.
    pub(crate) async fn with_apps_aside<T>(
        &self,
        id: &EnvironmentId,
        change: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let aside = self.set_aside(id).await?;
        let changed = change.await;
        let started = self.start_again(&aside).await;
        self.release(id).await?;
        let changed = changed?;
        started?;
        Ok(changed)
    }

    /// Starts what was set aside, and waits until it is ready.
    pub(crate) async fn start_again(&self, aside: &SetAside) -> Result<(), Failure> {
        let starts = aside.apps.iter().map(|(instance, readiness)| async move {
            self.provider.start_again(instance).await?;
            self.provider.wait_ready(instance, readiness).await
        });
        join_all(starts).await.into_iter().collect::<Result<Vec<()>, _>>().map(drop)
    }

    /// Stops what was started again.
    pub(crate) async fn stop_again(&self, aside: &SetAside) -> Result<(), Failure> {
        let stops = aside.apps.iter().map(|(instance, _)| self.provider.pause_app(instance));
        join_all(stops).await.into_iter().collect::<Result<Vec<()>, _>>().map(drop)
    }

    /// Lets requests go on.
    pub(crate) async fn release(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.remember(&setting(id), &Aside::default())?;
        self.hold(id, RouteState::Serving).await
    }

    /// At the start of a daemon: what an earlier one had set aside runs again before requests are let through.
    pub(crate) async fn start_what_was_set_aside(&self) -> Result<(), Failure> {
        for (id, record) in self.store.environments().map_err(|e| store_failure(&e))? {
            let aside: Aside = self.remembered(&setting(&id))?;
            if aside.instances.is_empty() {
                continue;
            }
            if record.wanted == Wanted::Running {
                let mut apps = self.readiness_of(&id, &aside)?;
                for (_, readiness) in &mut apps {
                    readiness.deadline = readiness.deadline.min(READY_AT_START);
                }
                if let Err(failure) = self.start_again(&SetAside { apps }).await {
                    tracing::warn!(causes = ?failure.causes, "{id}: {failure}");
                }
            }
            self.remember(&setting(&id), &Aside::default())?;
        }
        Ok(())
    }

    fn running_apps(&self, id: &EnvironmentId) -> Result<Aside, Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let running = record.filter(|record| record.wanted == Wanted::Running);
        let apps = |service: &ambit_domain::ServiceRecord| match &service.real {
            Real::App { serving, retiring, .. } => {
                let all = serving.iter().chain(retiring);
                all.map(|i| (service.made_from.service.clone(), *i)).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        };
        Ok(Aside { instances: running.iter().flat_map(|r| &r.services).flat_map(apps).collect() })
    }

    /// When each counts as ready, by the declaration of what serves.
    fn readiness_of(&self, id: &EnvironmentId, aside: &Aside) -> Result<Vec<(InstanceId, Readiness)>, Failure> {
        if aside.instances.is_empty() {
            return Ok(Vec::new());
        }
        let declaration = match self.live_deployment(id)? {
            Some(live) => Some(self.declaration_of(&live)?.0),
            None => None,
        };
        let all = aside.instances.iter().map(|(service, instance)| {
            let readiness = readiness(declaration.as_ref(), id, service, *instance);
            (InstanceId { environment: id.clone(), service: service.clone(), number: instance.number }, readiness)
        });
        Ok(all.collect())
    }
}

fn readiness(
    declaration: Option<&Declaration>,
    id: &EnvironmentId,
    name: &ServiceName,
    instance: Instance,
) -> Readiness {
    let service = declaration
        .and_then(|d| d.project.environments.get(&id.environment))
        .and_then(|environment| environment.services.get(name));
    let health = service.and_then(|service| match &service.form {
        Form::App(app) => app.health.clone(),
        Form::Site(_) => None,
    });
    Readiness {
        port: instance.port,
        host: service.and_then(|s| s.urls.first()).map_or_else(|| "localhost".to_owned(), |url| url.local_host.clone()),
        deadline: health.as_ref().map_or(READY, |h| h.deadline),
        health,
    }
}

fn setting(id: &EnvironmentId) -> String {
    format!("set aside {id}")
}
