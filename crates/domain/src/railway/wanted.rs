//! What of an environment belongs at Railway.

use std::{collections::BTreeMap, time::Duration};

use super::{
    mark::project_mark,
    names::{Names, NoNames},
    services,
    settings::Settings,
};
use crate::{
    outside::Remark,
    spec::{Environment, EnvironmentName, Persistence, Project, Reference, ServerPart, ServiceName, Url, UrlPart},
};

/// An environment as it should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub environment: EnvironmentName,
    /// The project's name there.
    pub project: String,
    /// What the project's description has to hold.
    pub mark: String,
    /// Its services, servers first: what refers to them comes after them.
    pub services: Vec<WantedService>,
    /// What is declared and does not hold there.
    pub remarks: Vec<Remark>,
}

impl Wanted {
    /// The hosts that are declared.
    pub fn hosts(&self) -> impl Iterator<Item = &String> {
        self.services.iter().flat_map(|service| match &service.what {
            What::App(app) => app.hosts.as_slice(),
            What::Postgres { .. } | What::Redis { .. } => &[],
        })
    }
}

/// A service as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedService {
    /// Its name there.
    pub name: String,
    /// Whose it is.
    pub mark: String,
    /// What it is.
    pub what: What,
}

/// What a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Code of the team's.
    App(WantedApp),
    /// A PostgreSQL of Railway's template.
    Postgres {
        /// Its major version, where one is declared.
        version: Option<u32>,
        /// The name of the database.
        database: String,
        /// Backups that make themselves.
        schedule: Vec<&'static str>,
        /// Whether its log is archived, so that it can be restored to any moment.
        archive: bool,
    },
    /// A Redis of Railway's template.
    Redis {
        /// What survives a restart.
        persist: Persistence,
        /// Backups that make themselves.
        schedule: Vec<&'static str>,
    },
}

/// An app as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedApp {
    /// OWNER/NAME and branch; `None` where no repository is declared.
    pub source: Option<(String, String)>,
    /// Whether it is deployed at each push to that branch.
    pub at_each_push: bool,
    /// Settings that are declared.
    pub settings: Settings,
    /// Its variables; `None` where they are not complete: then nothing of them is written.
    pub variables: Option<BTreeMap<String, Given>>,
    /// The hosts that lead to it.
    pub hosts: Vec<String>,
    /// The port that they lead to, where one is declared.
    pub port: Option<u16>,
}

/// A variable with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// With references to what only Railway knows.
    pub value: String,
    /// Whether nobody may see it.
    pub secret: bool,
}

/// What a declaration does not say of an environment.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Its variables by app; `None` where one has no value, which is told elsewhere.
    pub variables: Option<BTreeMap<ServiceName, BTreeMap<String, Given>>>,
    /// Whether something else deploys at each push: a workflow.
    pub deployed_elsewhere: bool,
}

/// An environment as it should be at Railway; `None` where it does not live there.
pub fn wanted(
    project: &Project,
    environment: &Environment,
    surroundings: &Surroundings,
) -> Option<Result<Wanted, NoNames>> {
    let there = environment.railway_project()?;
    Some(Names::of(environment).map(|names| {
        let mark = project_mark(&project.name, &environment.name);
        let mut remarks = services::remarks(environment);
        let services = services::all(project, environment, &names, &mark, surroundings, &mut remarks);
        Wanted { environment: environment.name.clone(), project: there.to_owned(), mark, services, remarks }
    }))
}

/// The text that a reference stands for there: what only Railway knows stays a reference, in its words.
#[must_use]
pub fn reference(environment: &Environment, names: &Names, reference: &Reference) -> Option<String> {
    let of = |service: String, name: &str| Some(format!("${{{{{service}.{name}}}}}"));
    match reference {
        Reference::Postgres(part) => {
            let name = match part {
                ServerPart::Url => "DATABASE_URL",
                ServerPart::Host => "PGHOST",
                ServerPart::Port => "PGPORT",
                ServerPart::User => "PGUSER",
                ServerPart::Password => "PGPASSWORD",
                ServerPart::Database => "PGDATABASE",
            };
            environment.postgres.as_ref().and_then(|_| of(names.postgres(), name))
        }
        Reference::Redis(part) => {
            let name = match part {
                ServerPart::Url => "REDIS_URL",
                ServerPart::Host => "REDISHOST",
                ServerPart::Port => "REDISPORT",
                ServerPart::User => "REDISUSER",
                ServerPart::Password => "REDISPASSWORD",
                ServerPart::Database => return Some("0".to_owned()),
            };
            environment.redis.as_ref().and_then(|_| of(names.redis(), name))
        }
        Reference::Service(name, part) => {
            let url = environment.services.get(name)?.urls.first()?;
            Some(match part {
                UrlPart::Url => public(url),
                UrlPart::Host => url.host.clone(),
            })
        }
        Reference::EnvironmentName => Some(environment.name.to_string()),
        Reference::EnvironmentKind => Some(services::kind(environment).to_owned()),
        Reference::Variable(_) => None,
    }
}

fn public(url: &Url) -> String {
    format!("https://{}{}", url.host, url.path.trim_end_matches('/'))
}

/// How often volumes are backed up there: daily ones are kept for six days, weekly ones for a month.
pub(super) fn schedule(environment: &Environment) -> Vec<&'static str> {
    const DAILY_IS_KEPT: Duration = Duration::from_secs(6 * 86_400);
    match &environment.backup {
        None => Vec::new(),
        Some(backup) if crate::backup::kept(backup) > DAILY_IS_KEPT => vec!["DAILY", "WEEKLY"],
        Some(_) => vec!["DAILY"],
    }
}
