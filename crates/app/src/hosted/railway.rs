//! An environment that lives at Railway.

mod backups;
mod data;
mod once;
mod restores;
mod servers;
mod stop;

use std::collections::{BTreeMap, BTreeSet};

use ambit_cloud::railway::Deployment;
use ambit_domain::{
    Failure, FailureKind, Hosted,
    hosted::{HostedLine, HostedService, HostedState, Reached, Stopped},
    railway::{Names, Place, Present, PresentService},
    spec::{Environment, ServiceName},
};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::{ambit::Ambit, outside::railway::Projects};

/// How many of a service's newest deployments are looked through.
const NEWEST: u32 = 20;
/// How many lines tell why something is over.
const WORDS: usize = 12;

pub(super) struct AtRailway<'a> {
    projects: Projects<'a>,
    environment: &'a Environment,
    names: Names,
    present: OnceCell<Present>,
}

impl<'a> AtRailway<'a> {
    pub(super) fn new(projects: Projects<'a>, environment: &'a Environment) -> Result<Self, Failure> {
        let names = Names::of(environment).map_err(|error| Failure::from_error(FailureKind::Declaration, &error))?;
        Ok(Self { projects, environment, names, present: OnceCell::new() })
    }

    async fn present(&self) -> Result<&Present, Failure> {
        self.present.get_or_try_init(|| self.projects.find(self.environment)).await
    }

    async fn service(&self, name: &str) -> Result<(&PresentService, Place), Failure> {
        let present = self.present().await?;
        let service = present.services.iter().find(|service| service.name == name).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} has no service {name}", self.place()))
                .hint("ambit apply --only railway")
        })?;
        let (project, environment) = (present.project.id.clone(), present.environment.clone());
        Ok((service, Place { project, environment, service: service.id.clone() }))
    }

    /// The newest deployment of a service that fits.
    async fn newest(&self, at: &Place, fits: impl Fn(&Deployment) -> bool) -> Result<Option<Deployment>, Failure> {
        Ok(self.projects.client().deployments(at, NEWEST).await?.into_iter().find(fits))
    }

    /// `Railway (kaia)`
    fn place(&self) -> String {
        format!("Railway ({})", self.environment.declared_railway_project().unwrap_or_default())
    }

    async fn last_lines(&self, deployment: &str) -> Result<Vec<String>, Failure> {
        let lines = self.projects.client().lines(deployment, WORDS).await?;
        Ok(lines.into_iter().map(|line| line.message).collect())
    }

    fn ambit(&self) -> &Ambit {
        self.projects.ambit()
    }
}

/// A moment as Railway tells it, in milliseconds since the Unix epoch.
fn moment(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
}

/// Of the states that the API knows, those in which something still goes on, and those in which it serves.
fn state(status: &str) -> HostedState {
    match status {
        "SUCCESS" | "SLEEPING" => HostedState::Serves,
        "QUEUED" | "INITIALIZING" | "WAITING" | "NEEDS_APPROVAL" | "BUILDING" | "DEPLOYING" => {
            HostedState::UnderWay(status.to_lowercase())
        }
        over => HostedState::Over(over.to_lowercase()),
    }
}

fn unknown(why: String) -> Failure {
    Failure::new(FailureKind::Machine, "Railway did not say whether it was done")
        .because(why)
        .hint("repeat the command: what was begun is found again")
}

#[async_trait]
impl Hosted for AtRailway<'_> {
    fn describe(&self) -> String {
        self.place()
    }

    async fn copy_data(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(volume) = self.postgres_volume().await? else { return Ok(None) };
        self.copy_of(&volume, name).await?;
        Ok(Some(format!("{name} of {}", volume.service)))
    }

    async fn newest_copy(&self) -> Result<Option<i64>, Failure> {
        let Some(volume) = self.postgres_volume().await? else { return Ok(None) };
        Ok(self.copies_of(&volume).await?.iter().map(|listed| listed.copy.made).max())
    }

    async fn deploy(&self, app: &ServiceName, commit: &str, since: i64) -> Result<String, Failure> {
        let (_, at) = self.service(&self.names.app(app)).await?;
        // Its own trigger may have been faster, and so may we have been before a crash.
        let fits = |d: &Deployment| {
            d.commit() == Some(commit)
                && moment(&d.created_at) >= since
                && !matches!(state(&d.status), HostedState::Over(_))
        };
        if let Some(there) = self.newest(&at, fits).await? {
            return Ok(there.id);
        }
        match self.projects.client().deploy(&at, commit).await? {
            Ok(id) => Ok(id),
            Err(why) => match self.newest(&at, fits).await? {
                Some(there) => Ok(there.id),
                None => Err(unknown(why)),
            },
        }
    }

    async fn state(&self, deployment: &str) -> Result<HostedState, Failure> {
        Ok(state(&self.projects.client().deployment(deployment).await?.status))
    }

    async fn last_words(&self, deployment: &str) -> Result<Vec<String>, Failure> {
        self.last_lines(deployment).await
    }

    async fn go_back(&self, app: &ServiceName, deployment: &str, since: i64) -> Result<String, Failure> {
        let (_, at) = self.service(&self.names.app(app)).await?;
        let client = self.projects.client();
        let old = client.deployment(deployment).await?;
        let commit = old.commit().map(str::to_owned);
        if !old.can_rollback {
            // Its image is gone with the retention of the plan: the same commit is built again.
            let commit = commit.ok_or_else(|| {
                Failure::new(FailureKind::NotFound, "Railway does not have the image of that deployment any more")
            })?;
            return self.deploy(app, &commit, since).await;
        }
        let fits = |d: &Deployment| d.commit() == commit.as_deref() && d.id != old.id && moment(&d.created_at) >= since;
        if let Some(there) = self.newest(&at, fits).await? {
            return Ok(there.id);
        }
        let tried = client.roll_back(deployment).await?;
        match (self.newest(&at, fits).await?, tried) {
            (Some(there), _) => Ok(there.id),
            // The same deployment is the one that serves again.
            (None, Ok(())) => Ok(old.id),
            (None, Err(why)) => Err(unknown(why)),
        }
    }

    async fn running(&self) -> Result<Stopped, Failure> {
        self.what_runs().await
    }

    async fn stop(&self, running: &Stopped) -> Result<(), Failure> {
        self.end(running).await
    }

    async fn start_again(&self, stopped: &Stopped, since: i64) -> Result<BTreeMap<ServiceName, String>, Failure> {
        self.begin_again(stopped, since).await
    }

    fn declared(&self) -> BTreeSet<String> {
        self.declared_servers().into_iter().map(|(name, _)| name).collect()
    }

    async fn servers(&self) -> Result<BTreeSet<String>, Failure> {
        let present = self.present().await?;
        let declared = self.declared();
        Ok(present.services.iter().map(|s| s.name.clone()).filter(|name| declared.contains(name)).collect())
    }

    async fn closed(&self) -> Result<BTreeSet<String>, Failure> {
        self.without_proxy().await
    }

    async fn reach(&self) -> Result<Reached, Failure> {
        self.opened().await
    }

    async fn close(&self, servers: &BTreeSet<String>) -> Result<(), Failure> {
        self.closed_again(servers).await
    }

    async fn value(&self, variable: &str) -> Result<Option<String>, Failure> {
        for app in self.apps() {
            let (_, at) = self.service(&self.names.app(app)).await?;
            let value = self.projects.client().variables(&at).await?.remove(variable);
            if value.as_ref().is_some_and(|value| !value.is_empty()) {
                return Ok(value);
            }
        }
        Ok(None)
    }

    async fn services(&self) -> Result<Vec<HostedService>, Failure> {
        let present = self.present().await?.clone();
        let mut all = Vec::new();
        for service in &present.services {
            let (_, at) = self.service(&service.name).await?;
            let newest = self.newest(&at, |_| true).await?;
            let urls = service.hosts.iter().map(|host| format!("https://{}", host.host)).collect();
            all.push(match newest {
                None => HostedService {
                    name: service.name.clone(),
                    state: "never deployed".to_owned(),
                    healthy: false,
                    commit: None,
                    since: None,
                    urls,
                },
                Some(newest) => HostedService {
                    name: service.name.clone(),
                    state: newest.status.to_lowercase(),
                    healthy: state(&newest.status) == HostedState::Serves,
                    commit: newest.commit().map(str::to_owned),
                    since: Some(newest.created_at.clone()),
                    urls,
                },
            });
        }
        Ok(all)
    }

    async fn logs(&self, services: &[String], lines: usize) -> Result<Vec<HostedLine>, Failure> {
        let present = self.present().await?.clone();
        let named = |service: &&PresentService| services.is_empty() || services.contains(&service.name);
        if let Some(unknown) = services.iter().find(|name| present.services.iter().all(|s| s.name != **name)) {
            let there: Vec<&str> = present.services.iter().map(|s| s.name.as_str()).collect();
            return Err(Failure::new(FailureKind::NotFound, format!("{} has no service {unknown}", self.place()))
                .hint(format!("there are: {}", there.join(", "))));
        }
        let mut all = Vec::new();
        for service in present.services.iter().filter(named) {
            let (_, at) = self.service(&service.name).await?;
            let Some(newest) = self.newest(&at, |_| true).await? else { continue };
            let printed = self.projects.client().lines(&newest.id, lines).await?;
            all.extend(printed.into_iter().map(|line| HostedLine {
                at: line.timestamp,
                service: service.name.clone(),
                text: line.message,
            }));
        }
        all.sort();
        Ok(all)
    }
}
