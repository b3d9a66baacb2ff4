//! `env`, `url`, `run`, `psql`, `redis`: what an environment's processes are given, for people and their commands.

use std::path::Path;

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    spec::{EnvironmentName, Origin},
};
use serde::Serialize;

use crate::{
    address::Address,
    ambit::Ambit,
    declaration::Declaration,
    facts::{Known, check_secrets, postgres_url, redis_url},
};

/// Which of the two sets of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// With the public addresses that the file declares.
    Public,
    /// With the addresses on this machine: what the processes here are given.
    Here,
}

/// One variable as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its value for the processes on this machine, where it is another.
    pub here: Option<String>,
    /// Whether it should not be shown to everybody.
    pub secret: bool,
    /// Whether the environment has a value of its own.
    pub origin: Origin,
}

impl Ambit {
    /// The variables of an environment in the order of the file; every secret has to have a value.
    pub fn variables(&self, declaration: &Declaration, name: &EnvironmentName) -> Result<Vec<Shown>, Failure> {
        let public = self.resolve(declaration, name, View::Public)?;
        let here = self.resolve(declaration, name, View::Here)?;
        let ports = self.app_ports(declaration, name)?;
        Ok(public
            .into_iter()
            .zip(here)
            .map(|(public, here)| Shown {
                here: match public.name.as_str() {
                    "PORT" => ports.clone(),
                    _ => (here.value != public.value).then_some(here.value),
                },
                name: public.name,
                value: public.value,
                secret: public.secret,
                origin: public.origin,
            })
            .collect())
    }

    /// What a command that runs beside the environment's apps is given.
    pub fn variables_here(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut all: Vec<(String, String)> =
            self.resolve(declaration, name, View::Here)?.into_iter().map(|v| (v.name, v.value)).collect();
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let servers = self.servers(&id, &declaration.project.environments[name])?;
        let implied = [
            ("DATABASE_URL", servers.postgres.as_ref().map(postgres_url)),
            ("REDIS_URL", servers.redis.as_ref().map(redis_url)),
            ("AMBIT_ENVIRONMENT", Some(name.to_string())),
            ("AMBIT_PROJECT", Some(declaration.project.name.to_string())),
        ];
        for (name, value) in implied {
            if let Some(value) = value.filter(|_| all.iter().all(|(n, _)| n != name)) {
                all.push((name.to_owned(), value));
            }
        }
        Ok(all)
    }

    pub(crate) fn resolve(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        view: View,
    ) -> Result<Vec<ambit_spec::Resolved>, Failure> {
        let environment = &declaration.project.environments[name];
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let servers = self.servers(&id, environment)?;
        let address = match view {
            View::Public => Address::Public,
            View::Here => self.address()?,
        };
        let apps_elsewhere = self.lives_elsewhere(&id, environment)?;
        let servers = &servers;
        let known = Known { ambit: self, id: &id, environment, declaration, servers, address, apps_elsewhere };
        check_secrets(declaration, environment)?;
        ambit_spec::resolve(environment, &known).map_err(|diagnostics| unresolved(name, diagnostics))
    }

    fn app_ports(&self, declaration: &Declaration, name: &EnvironmentName) -> Result<Option<String>, Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let record = self.store.environment(&id).map_err(|e| crate::ambit::store_failure(&e))?;
        let ports: Vec<String> = record
            .into_iter()
            .flat_map(|r| r.services)
            .filter_map(|s| match s.real {
                ambit_domain::Real::App { serving, .. } => Some(serving),
                _ => None,
            })
            .flatten()
            .filter_map(|i| i.port)
            .map(|p| p.to_string())
            .collect();
        Ok((!ports.is_empty()).then(|| ports.join(", ")))
    }

    /// The URL of the environment's database as its owner or, where `redis`, of its Redis.
    pub fn server_url(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        redis: bool,
    ) -> Result<String, Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let servers = self.servers(&id, &declaration.project.environments[name])?;
        let url =
            if redis { servers.redis.as_ref().map(redis_url) } else { servers.postgres.as_ref().map(postgres_url) };
        url.ok_or_else(|| {
            let which = if redis { "redis" } else { "postgres" };
            Failure::new(FailureKind::NotFound, format!("{name} has no {which}"))
                .hint(format!("[services.{which}] in ambit.toml gives it one"))
        })
    }

    /// Where services are reached on this machine: environment, service, URL.
    pub fn urls(
        &self,
        declaration: &Declaration,
        names: &[EnvironmentName],
    ) -> Result<Vec<(EnvironmentName, String, String)>, Failure> {
        let address = self.address()?;
        let of = |name: &EnvironmentName| {
            let name = name.clone();
            declaration.project.environments[&name].services.values().flat_map(move |service| {
                let name = name.clone();
                service.urls.iter().map(move |url| (name.clone(), service.name.to_string(), address.url(url)))
            })
        };
        Ok(names.iter().flat_map(of).collect())
    }
}

/// Loads the declaration for a command that only reads.
impl Declaration {
    /// Loads the project of a folder or says what is wrong with it.
    pub fn open(folder: &Path, keys: &str) -> Result<Self, Failure> {
        Self::load(folder, keys).map_err(Failure::from)
    }
}

pub(crate) fn unresolved(name: &EnvironmentName, diagnostics: Vec<ambit_domain::spec::Diagnostic>) -> Failure {
    let plural = if diagnostics.len() == 1 { "variable" } else { "variables" };
    let mut failure = Failure::new(
        FailureKind::Declaration,
        format!("{name} has {} {plural} without a valid value", diagnostics.len()),
    );
    for diagnostic in diagnostics {
        failure.causes.push(diagnostic.message);
        failure.hints.extend(diagnostic.help);
    }
    failure
}
