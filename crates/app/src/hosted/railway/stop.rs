//! What runs at Railway, ended and begun again.

use std::{collections::BTreeMap, time::Duration};

use ambit_cloud::railway::Deployment;
use ambit_domain::{
    Failure, FailureKind, Hosted,
    hosted::{HostedState, Stopped},
    railway::Place,
    spec::{Form, ServiceName},
};

use super::{AtRailway, state, unknown};

/// How often it is looked whether what was begun again serves, and how long.
const EVERY: Duration = Duration::from_secs(2);
const LOOKS: u32 = 300;

impl AtRailway<'_> {
    pub(super) fn apps(&self) -> impl Iterator<Item = &ServiceName> {
        self.environment.services.values().filter(|s| matches!(s.form, Form::App(_))).map(|s| &s.name)
    }

    /// Deployments of an app that serve or are about to, the newest first.
    async fn active(&self, at: &Place) -> Result<Vec<Deployment>, Failure> {
        let all = self.projects.client().deployments(at, super::NEWEST).await?;
        Ok(all.into_iter().filter(|d| !matches!(state(&d.status), HostedState::Over(_))).collect())
    }

    pub(super) async fn what_runs(&self) -> Result<Stopped, Failure> {
        let mut found = Stopped::default();
        let mut commits = Vec::new();
        for app in self.apps() {
            let (service, at) = self.service(&self.names.app(app)).await?;
            if let (Some(trigger), Some(repository)) = (&service.trigger, &service.repository) {
                found.triggers.insert(app.clone(), (repository.clone(), trigger.branch.clone()));
            }
            let Some(newest) = self.active(&at).await?.into_iter().find(|d| state(&d.status) == HostedState::Serves)
            else {
                continue;
            };
            commits.push(newest.commit().map(str::to_owned));
            found.deployments.insert(app.clone(), newest.id);
        }
        let one = commits.first().cloned().flatten();
        found.commit = one.filter(|one| commits.iter().all(|commit| commit.as_ref() == Some(one)));
        Ok(found)
    }

    pub(super) async fn end(&self, running: &Stopped) -> Result<(), Failure> {
        let client = self.projects.client();
        for app in self.apps() {
            let (_, at) = self.service(&self.names.app(app)).await?;
            for trigger in client.triggers(&at).await? {
                if let Err(why) = client.delete_trigger(&trigger).await? {
                    return Err(unknown(why));
                }
            }
            for deployment in self.active(&at).await? {
                let ended = client.end_deployment(&deployment.id).await?;
                let still = || async {
                    let now = client.deployment(&deployment.id).await?;
                    Ok::<_, Failure>(!matches!(state(&now.status), HostedState::Over(_)))
                };
                if let Err(why) = ended
                    && still().await?
                {
                    return Err(unknown(why));
                }
            }
            if let Some(left) = self.active(&at).await?.first() {
                return Err(Failure::new(FailureKind::Machine, format!("{app} at {} still runs", self.describe()))
                    .because(format!("its deployment is {}", left.status.to_lowercase()))
                    .hint("repeat the command"));
            }
        }
        tracing::debug!(apps = running.deployments.len(), "what ran at Railway was ended");
        Ok(())
    }

    pub(super) async fn begin_again(
        &self,
        stopped: &Stopped,
        since: i64,
    ) -> Result<BTreeMap<ServiceName, String>, Failure> {
        let client = self.projects.client();
        let mut begun = BTreeMap::new();
        for (app, deployment) in &stopped.deployments {
            let (_, at) = self.service(&self.names.app(app)).await?;
            let id = match self.active(&at).await?.into_iter().next() {
                Some(there) => there.id,
                None => self.go_back(app, deployment, since).await?,
            };
            begun.insert(app.clone(), id);
        }
        for (app, (repository, branch)) in &stopped.triggers {
            let (_, at) = self.service(&self.names.app(app)).await?;
            if client.triggers(&at).await?.is_empty()
                && let Err(why) = client.create_trigger(&at, repository, branch).await?
                && client.triggers(&at).await?.is_empty()
            {
                return Err(unknown(why));
            }
        }
        for (app, id) in &begun {
            let mut looks = 0;
            loop {
                match self.state(id).await? {
                    HostedState::Serves => break,
                    HostedState::Over(word) => {
                        let failure = Failure::new(
                            FailureKind::App,
                            format!("{app} at {} did not come to serve: it is {word}", self.describe()),
                        );
                        let words = self.last_words(id).await.unwrap_or_default();
                        return Err(words.into_iter().fold(failure, Failure::because));
                    }
                    HostedState::UnderWay(_) if looks == LOOKS => {
                        return Err(Failure::new(FailureKind::App, format!("{app} did not come to serve in time"))
                            .hint(format!("look there: {}", self.describe())));
                    }
                    HostedState::UnderWay(_) => {}
                }
                looks += 1;
                tokio::time::sleep(EVERY).await;
            }
        }
        Ok(begun)
    }
}
