//! The servers of an environment, started or adjusted, and what an interrupted run left swept away.

use ambit_domain::{
    EnvironmentRecord, Failure, FailureKind, Instance, Real, ServiceRecord,
    plan::Component,
    provider::{PostgresServer, Started},
    spec::ServiceName,
};
use futures_util::future::{join, join_all};

use crate::{ambit::now, scope::Scope};

/// What starting the servers came to.
pub(crate) struct ServersUp {
    pub(crate) changed: bool,
    pub(crate) new_database: bool,
}

impl Scope<'_> {
    /// Starts or adjusts what is declared, and records it.
    pub(crate) async fn start_servers(
        &self,
        declared: &[Component],
        record: &mut EnvironmentRecord,
    ) -> Result<ServersUp, Failure> {
        let (postgres, redis) = join(self.start_postgres(), self.start_redis()).await;
        let started: Vec<(ServiceName, Started)> = [postgres?, redis?].into_iter().flatten().collect();
        for (name, started) in &started {
            let Some(made_from) = declared.iter().find(|c| c.service == *name).cloned() else { continue };
            let since = match record.service(name) {
                Some(before) if !started.changed => before.since,
                _ => now(),
            };
            record.put(ServiceRecord { made_from, real: Real::Server, urls: Vec::new(), since });
        }
        self.save(record)?;
        Ok(ServersUp {
            changed: started.iter().any(|(_, s)| s.changed),
            new_database: started.iter().any(|(name, s)| s.created && name.as_str() == "postgres"),
        })
    }

    async fn start_postgres(&self) -> Result<Option<(ServiceName, Started)>, Failure> {
        let Some(server) = &self.servers.postgres else { return Ok(None) };
        self.check_backups(server)?;
        self.start_server("postgres", self.ambit.provider.start_postgres(&self.id, server)).await
    }

    /// What backups need is there, or it is said that there will be none: the environment itself does not depend on it.
    fn check_backups(&self, server: &PostgresServer) -> Result<(), Failure> {
        let Some(repository) = &server.backup else { return Ok(()) };
        let names = repository.place.iter().flat_map(|place| place.secrets());
        let name = &self.environment.name;
        if let Some((missing, _)) = names.zip(&repository.secrets).find(|(_, value)| value.is_empty()) {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("the secret {missing}, which opens the place of backups, is not set in {name}"),
            )
            .hint(format!("ambit secret set {missing} -e {name}")));
        }
        if let Err(failure) = self.ambit.provider.backup_engine(repository) {
            let hints = failure.hints.join("; ");
            self.progress.notice("backup", format!("{}: {hints}", failure.message));
        }
        Ok(())
    }

    async fn start_redis(&self) -> Result<Option<(ServiceName, Started)>, Failure> {
        let Some(server) = &self.servers.redis else { return Ok(None) };
        self.start_server("redis", self.ambit.provider.start_redis(&self.id, server)).await
    }

    async fn start_server(
        &self,
        name: &'static str,
        start: impl Future<Output = Result<Started, Failure>>,
    ) -> Result<Option<(ServiceName, Started)>, Failure> {
        let service: ServiceName = name.parse().expect("`postgres` and `redis` are valid names");
        let work = async {
            let started = start.await?;
            let (detail, changed) = (started.detail.clone(), started.changed);
            Ok((started, detail, changed))
        };
        let started = self.progress.service(&service).step(name, work).await?;
        Ok(Some((service, started)))
    }

    /// Stops what an interrupted run left: instances that no record names, and those that were to retire.
    pub(crate) async fn sweep(&self, record: &mut EnvironmentRecord) -> Result<bool, Failure> {
        let mut swept = false;
        for status in self.ambit.provider.instances(&self.id) {
            let Ok(service) = status.service.parse::<ServiceName>() else { continue };
            let known = record.instances(&service).iter().any(|i| i.number == status.number)
                || record.service(&service).is_some_and(|s| s.real == Real::Server)
                || matches!(service.as_str(), "postgres" | "redis");
            if !known {
                self.stop(&service, Instance { number: status.number, port: None }).await?;
                swept = true;
            }
        }
        self.retire(record).await?;
        Ok(swept)
    }

    /// Stops every instance that was replaced.
    pub(crate) async fn retire(&self, record: &mut EnvironmentRecord) -> Result<(), Failure> {
        let all = retiring(record);
        if all.is_empty() {
            return Ok(());
        }
        let stops = all.iter().map(|(service, i)| self.stop(service, *i));
        join_all(stops).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        for service in &mut record.services {
            if let Real::App { retiring, .. } = &mut service.real {
                retiring.clear();
            }
        }
        self.save(record)
    }
}

/// The instances that were replaced and still stand.
pub(crate) fn retiring(record: &EnvironmentRecord) -> Vec<(ServiceName, Instance)> {
    let of = |service: &ServiceRecord| match &service.real {
        Real::App { retiring, .. } => {
            retiring.iter().map(|i| (service.made_from.service.clone(), *i)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    record.services.iter().flat_map(of).collect()
}
