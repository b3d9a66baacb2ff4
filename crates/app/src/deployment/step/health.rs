//! New instances answer as healthy, several times in a row, before any request reaches them.
//!
//! It only asks: a crash at any point asks again.

use std::time::Duration;

use ambit_domain::{Failure, Instance, provider::Readiness, spec::ServiceName};
use async_trait::async_trait;
use futures_util::future::join_all;

use super::{super::engine::Stand, Step};
use crate::{release::Built, scope::Scope};

/// How long an app without a declared deadline has to become ready.
const READY: Duration = Duration::from_secs(60);

pub(super) struct Health;

#[async_trait]
impl Step for Health {
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let mut waits = Vec::new();
        let mut told = Vec::new();
        for (service, new) in stand.work()?.starting(round) {
            let health = scope.app(stand.built, service)?.1.health.clone();
            told.push(match health {
                Some(h) => format!("{} {} {} times", h.path, h.status, h.successes),
                None => format!("{service} is up"),
            });
            waits.extend(new.iter().map(|instance| wait(scope, stand.built, service, *instance)));
        }
        let all = async { join_all(waits).await.into_iter().collect::<Result<Vec<()>, Failure>>() };
        let serves_already = stand.deployment.has_switched();
        tokio::select! {
            ready = all => ready?,
            // What serves already is not left half replaced.
            () = scope.progress.cancel_token().cancelled(), if !serves_already => {
                scope.progress.go_on()?;
                Vec::new()
            }
        };
        Ok(if told.is_empty() { "nothing new has to answer".to_owned() } else { told.join(", ") })
    }
}

async fn wait(scope: &Scope<'_>, built: &[Built], name: &ServiceName, instance: Instance) -> Result<(), Failure> {
    let (service, app, _) = scope.app(built, name)?;
    let readiness = Readiness {
        port: instance.port,
        health: app.health.clone(),
        host: service.urls.first().map_or_else(|| "localhost".to_owned(), |u| u.local_host.clone()),
        deadline: app.health.as_ref().map_or(READY, |h| h.deadline),
    };
    scope.ambit.provider.wait_ready(&scope.instance(name, instance.number), &readiness).await
}
