//! Steps of a deployment to a service elsewhere, which builds, starts and replaces by itself.
//!
//! A crash before, within or after any of them asks for nothing twice: what was asked for since the step began is found again by its
//! name or its commit.

use std::time::Duration;

use ambit_domain::{
    Failure, FailureKind,
    hosted::HostedState,
    spec::{Form, Role, ServiceName},
};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::ambit::now;

/// How long it is waited before it is asked again how a deployment stands there: twice as long each time, since a free account takes
/// 100 requests an hour.
const SOON: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(15);
/// How long a build and its start may take there.
const LONGEST: Duration = Duration::from_secs(3600);

pub(super) struct Copy;
pub(super) struct Deploy;
pub(super) struct Await;

/// The apps that the other side runs: those that stay.
fn apps(stand: &Stand<'_>) -> Vec<ServiceName> {
    let services = stand.scope.environment.services.values();
    services
        .filter(|s| matches!(&s.form, Form::App(app) if !matches!(app.role, Role::Scheduled(_))))
        .map(|s| s.name.clone())
        .collect()
}

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
        for app in apps(stand) {
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
        let end = now().saturating_add(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX));
        for (app, id) in &services {
            let progress = stand.scope.progress.service(app);
            let (mut said, mut pause) = (String::new(), SOON);
            loop {
                stand.scope.progress.go_on()?;
                match hosted.state(id).await? {
                    HostedState::Serves => break,
                    HostedState::Over(word) => {
                        let words = hosted.last_words(id).await.unwrap_or_default();
                        let failure = Failure::new(
                            FailureKind::App,
                            format!("{app} does not serve: its deployment at {} is {word}", hosted.describe()),
                        );
                        return Err(words
                            .into_iter()
                            .fold(failure, Failure::because)
                            .because("what served before still does"));
                    }
                    HostedState::UnderWay(word) if word != said => {
                        progress.notice("health", word.clone());
                        said = word;
                    }
                    HostedState::UnderWay(_) => {}
                }
                if now() > end {
                    return Err(Failure::new(FailureKind::App, format!("{app} did not come to serve within an hour"))
                        .hint(format!("look there: {}", hosted.describe())));
                }
                tokio::time::sleep(pause).await;
                pause = SELDOM.min(pause * 2);
            }
        }
        stand.deployment.switched.get_or_insert_with(now);
        stand.save_deployment()?;
        Ok(format!("{} serve", services.len()))
    }
}
