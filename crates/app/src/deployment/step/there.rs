//! Steps of a deployment to a service elsewhere, which builds, starts and replaces by itself.
//!
//! A crash before, within or after any of them asks for nothing twice: what was asked for since the step began is found again by its
//! name or its commit.

use ambit_domain::{Failure, FailureKind};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::{
    ambit::now,
    hosted::{lasting_apps, until_it_serves},
};

pub(super) struct Copy;
pub(super) struct Deploy;
pub(super) struct Await;

/// Since when what is found counts as this deployment's own.
fn since(stand: &Stand<'_>) -> i64 {
    stand.deployment.started.unwrap_or(stand.deployment.created)
}

#[async_trait]
impl Step for Copy {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let hosted = stand.scope.hosted()?;
        let name = format!("ambit-deployment-{}", stand.deployment.number);
        let made = hosted.copy_data(&name).await?;
        Ok(made.unwrap_or_else(|| "there is no database".to_owned()))
    }
}

#[async_trait]
impl Step for Deploy {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let hosted = stand.scope.hosted()?;
        let target = match stand.deployment.trigger.target() {
            Some(number) => Some(stand.scope.ambit.known_deployment(number)?),
            None => None,
        };
        for app in lasting_apps(stand.scope.environment) {
            let known = stand.deployment.hosted.as_ref().is_some_and(|work| work.services.contains_key(&app));
            if known {
                continue;
            }
            let earlier = target.as_ref().map(|t| t.hosted.as_ref().and_then(|work| work.services.get(&app)));
            let id = match earlier {
                Some(Some(earlier)) => hosted.go_back(&app, earlier, since(stand)).await?,
                Some(None) => {
                    return Err(Failure::new(
                        FailureKind::NotFound,
                        format!("{app} was not part of what is gone back to"),
                    ));
                }
                None => {
                    let commit = stand.deployment.commit.as_ref().ok_or_else(|| {
                        Failure::new(FailureKind::User, "only commits are deployed to a service elsewhere")
                    })?;
                    hosted.deploy(&app, &commit.id, since(stand)).await?
                }
            };
            stand.deployment.hosted.get_or_insert_default().services.insert(app, id);
            stand.save_deployment()?;
        }
        Ok(hosted.describe())
    }
}

#[async_trait]
impl Step for Await {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let hosted = stand.scope.hosted()?;
        let services = stand.deployment.hosted.clone().unwrap_or_default().services;
        for (app, id) in &services {
            let served = until_it_serves(&*hosted, app, id, &stand.scope.progress).await;
            served.map_err(|failure| failure.because("what served before still does"))?;
        }
        stand.deployment.switched.get_or_insert_with(now);
        stand.save_deployment()?;
        Ok(format!("{} serve", services.len()))
    }
}
