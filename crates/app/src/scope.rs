//! One environment with everything that work on it needs: what is declared for it, its servers, its variables resolved,
//! and who is told how the work goes.

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure, FailureKind, Instance, InstanceId,
    provider::InstanceHealth,
    spec::{Environment, EnvironmentName, Kind, ServiceName},
};
use ambit_spec::Resolved;

use crate::{
    ambit::{Ambit, store_failure},
    declaration::Declaration,
    facts::{Known, Servers, check_secrets, kind},
    progress::Progress,
    variables::unresolved,
};

/// One environment, ready to be worked on.
pub(crate) struct Scope<'a> {
    pub(crate) ambit: &'a Ambit,
    pub(crate) declaration: &'a Declaration,
    pub(crate) environment: &'a Environment,
    pub(crate) id: EnvironmentId,
    pub(crate) servers: Servers,
    pub(crate) variables: Vec<Resolved>,
    pub(crate) progress: Progress,
    /// Whether only its sites are on this machine.
    pub(crate) apps_elsewhere: bool,
}

impl Ambit {
    /// Resolves everything that work on an environment needs; fails before anything is changed where a value is missing.
    pub(crate) fn scope<'a>(
        &'a self,
        declaration: &'a Declaration,
        name: &EnvironmentName,
        progress: &Progress,
    ) -> Result<Scope<'a>, Failure> {
        let environment = declaration.project.environments.get(name).ok_or_else(|| {
            Failure::new(
                FailureKind::Declaration,
                format!("{} declares no environment `{name}`", declaration.project.name),
            )
        })?;
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let mut servers = self.servers(&id, environment)?;
        if let Some(server) = &mut servers.postgres {
            server.backup = self.repository(&id, environment, declaration)?;
        }
        let progress = progress.environment(name);
        let apps_elsewhere = self.lives_elsewhere(&id, environment)?;
        let variables = Vec::new();
        let scope = Scope { ambit: self, declaration, environment, id, servers, variables, progress, apps_elsewhere };
        let variables = scope.resolved()?;
        Ok(Scope { variables, ..scope })
    }
}

impl<'a> Scope<'a> {
    fn resolved(&self) -> Result<Vec<Resolved>, Failure> {
        let known = Known {
            ambit: self.ambit,
            id: &self.id,
            environment: self.environment,
            declaration: self.declaration,
            servers: &self.servers,
            address: self.ambit.address()?,
            apps_elsewhere: self.apps_elsewhere,
        };
        check_secrets(self.declaration, self.environment)?;
        ambit_spec::resolve(self.environment, &known).map_err(|found| unresolved(&self.environment.name, found))
    }

    /// The same, with another database of its PostgreSQL.
    pub(crate) fn with_database(&self, database: &str) -> Result<Self, Failure> {
        let mut scope = self.with_progress(self.progress.clone());
        if let Some(server) = &mut scope.servers.postgres {
            database.clone_into(&mut server.database);
        }
        scope.variables = scope.resolved()?;
        Ok(scope)
    }

    /// The same, telling somebody else how it goes.
    pub(crate) fn with_progress(&self, progress: Progress) -> Self {
        Self {
            ambit: self.ambit,
            declaration: self.declaration,
            environment: self.environment,
            id: self.id.clone(),
            servers: self.servers.clone(),
            variables: self.variables.clone(),
            progress,
            apps_elsewhere: self.apps_elsewhere,
        }
    }

    /// The same for what of the environment is on this machine, without servers.
    pub(crate) fn with_sites(self, sites: &'a Environment) -> Self {
        Self { environment: sites, servers: Servers { postgres: None, redis: None }, ..self }
    }
}

impl Scope<'_> {
    /// The environment as it is recorded, or a new one.
    pub(crate) fn recorded(&self) -> Result<EnvironmentRecord, Failure> {
        let found = self.ambit.store.environment(&self.id).map_err(|e| store_failure(&e))?;
        let mut record = found.unwrap_or_else(|| EnvironmentRecord::new(self.environment.kind));
        if record.kind == Kind::Production && self.environment.kind != Kind::Production {
            let wanted = kind(self.environment.kind);
            return Err(Failure::new(
                FailureKind::User,
                format!("{} is a production environment and cannot become {wanted}", self.id),
            )
            .hint("declare another environment and leave this one as it is"));
        }
        record.kind = self.environment.kind;
        Ok(record)
    }

    pub(crate) fn save(&self, record: &EnvironmentRecord) -> Result<(), Failure> {
        self.ambit.store.set_environment(&self.id, record).map_err(|e| store_failure(&e))
    }

    pub(crate) fn instance(&self, service: &ServiceName, number: u32) -> InstanceId {
        InstanceId { environment: self.id.clone(), service: service.clone(), number }
    }

    pub(crate) fn port_key(&self, service: &ServiceName, number: u32) -> String {
        format!("{}/{service}.{number}", self.id)
    }

    /// Stops an instance and gives its port back.
    pub(crate) async fn stop(&self, service: &ServiceName, instance: Instance) -> Result<(), Failure> {
        self.ambit.provider.stop_instance(&self.instance(service, instance.number)).await?;
        let key = self.port_key(service, instance.number);
        self.ambit.store.release_port(&key).map_err(|e| store_failure(&e))
    }

    /// Whether a recorded instance still stands.
    pub(crate) fn stands(&self, service: &ServiceName, instance: Instance) -> bool {
        self.ambit.provider.instances(&self.id).iter().any(|status| {
            status.service == service.as_str()
                && status.number == instance.number
                && status.health == InstanceHealth::Running
        })
    }
}
