//! One environment made as it is declared.
//!
//! Order, and what a crash at each point leaves behind:
//! 1. servers start, builds are made: nothing that ran is touched; all of it is found again.
//! 2. migrations run: they are the app's own and remember themselves.
//! 3. new instances start beside the old ones: before the record names them they are strays, stopped by the next run.
//! 4. the record is written, the old instances in it as retiring; then the routes: from here on the new ones serve, and
//!    routes are written from the record at every start of the daemon.
//! 5. the old ones finish their requests and stop; a retiring instance that is still there is stopped by the next run.

use std::time::Duration;

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure, FailureKind, Instance, InstanceId, Real, ServiceRecord, Wanted,
    plan::{Action, Component, Step, plan},
    provider::{InstanceHealth, Started},
    spec::{Environment, Kind, ServiceName},
};
use ambit_spec::Resolved;
use futures_util::future::{join, join_all};

use crate::{
    ambit::{Ambit, now, store_failure},
    code::CodeAt,
    components::components,
    declaration::Declaration,
    facts::{Servers, kind},
    progress::Progress,
};

/// How long requests in flight may take to finish on an instance that was replaced.
const DRAIN: Duration = Duration::from_secs(20);

/// One environment on its way up.
pub(crate) struct BringUp<'a> {
    pub(crate) ambit: &'a Ambit,
    pub(crate) declaration: &'a Declaration,
    pub(crate) environment: &'a Environment,
    pub(crate) id: EnvironmentId,
    pub(crate) servers: Servers,
    pub(crate) variables: Vec<Resolved>,
    /// Whether a production environment that runs already takes new code: only where it was asked for by name.
    pub(crate) new_code: bool,
    pub(crate) progress: Progress,
}

impl BringUp<'_> {
    /// Makes it so; tells whether anything changed.
    pub(crate) async fn run(&self) -> Result<bool, Failure> {
        self.progress.go_on()?;
        let mut record = self.recorded()?;
        let code = CodeAt::find(&self.declaration.folder, self.environment)?;
        let mut declared = components(self.environment, &code, &self.variables, &self.servers)?;
        if self.environment.kind == Kind::Production && !self.new_code {
            self.hold_code(&mut declared, &record, &code);
        }
        let recorded: Vec<Component> = record.services.iter().map(|s| s.made_from.clone()).collect();
        let steps = plan(&declared, &recorded);
        let was_down = record.wanted == Wanted::Stopped || record.up_since.is_none();

        self.ambit.provider.prepare(&self.id).await?;
        let swept = self.sweep(&mut record).await?;
        record.wanted = Wanted::Running;
        self.save(&record)?;

        // Servers and builds take the longest and do not need each other.
        let (servers, built) = join(self.start_servers(&steps), self.build_all(&steps, &code, &record)).await;
        let servers = servers?;
        for (name, _) in &servers {
            if let Some(made_from) = declared.iter().find(|c| c.service == *name).cloned() {
                record.put(ServiceRecord { made_from, real: Real::Server, urls: Vec::new(), since: now() });
            }
        }
        self.save(&record)?;
        let mut changed = was_down || swept || servers.iter().any(|(_, started)| started.changed);
        let built = built?;
        let new_database = servers.iter().any(|(_, started)| started.created);
        self.migrate_and_seed(&built, new_database, &mut record).await?;

        let puts = self.environment.services.values().filter_map(|service| {
            let step = steps.iter().find(|s| s.service == service.name)?;
            let made_from = declared.iter().find(|c| c.service == service.name)?;
            let built = built.iter().find(|b| b.service == service.name);
            Some(self.put(service, &step.action, made_from, built, record.service(&service.name)))
        });
        let mut failures = Vec::new();
        for result in join_all(puts).await {
            match result {
                Ok(Some(service)) => {
                    changed = true;
                    record.put(service);
                }
                Ok(None) => {}
                Err(failure) => failures.push(failure),
            }
        }
        let gone = |name: &ServiceName| steps.iter().any(|s| s.service == *name && s.action == Action::Remove);
        let going: Vec<ServiceRecord> =
            record.services.iter().filter(|s| gone(&s.made_from.service)).cloned().collect();
        record.services.retain(|s| !gone(&s.made_from.service));
        changed |= !going.is_empty();
        if failures.is_empty() {
            record.up_since.get_or_insert_with(now);
        }
        self.save(&record)?;
        self.ambit.publish_routes().await?;
        self.retire(&mut record).await?;
        for service in &going {
            self.remove(service).await?;
        }
        let others = failures.len().saturating_sub(1);
        match failures.into_iter().next() {
            Some(first) if others > 0 => Err(first.because(format!("{others} more services failed, see above"))),
            Some(first) => Err(first),
            None => Ok(changed),
        }
    }

    fn recorded(&self) -> Result<EnvironmentRecord, Failure> {
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

    /// Production keeps the code that it runs until somebody asks for it by name.
    fn hold_code(&self, declared: &mut [Component], record: &EnvironmentRecord, code: &CodeAt) {
        let mut held = false;
        for component in declared {
            let Some(old) = record.service(&component.service) else { continue };
            let Some(tree) = old.made_from.facts.get("tree") else { continue };
            if component.facts.get("tree").is_some_and(|new| new != tree) {
                component.facts.insert("tree".to_owned(), tree.clone());
                held = true;
            }
        }
        if held {
            self.progress.notice(
                "code",
                format!(
                    "{} is newer than what {} runs; `ambit up {}` puts it there",
                    code.describe(),
                    self.environment.name,
                    self.environment.name
                ),
            );
        }
    }

    /// Stops what an interrupted run left: instances that no record names, and those that were to retire.
    async fn sweep(&self, record: &mut EnvironmentRecord) -> Result<bool, Failure> {
        let mut swept = false;
        for status in self.ambit.provider.instances(&self.id) {
            let Ok(service) = status.service.parse::<ServiceName>() else { continue };
            let known = record.instances(&service).iter().any(|i| i.number == status.number)
                || record.service(&service).is_some_and(|s| s.real == Real::Server)
                || matches!(service.as_str(), "postgres" | "redis");
            if !known {
                self.ambit.provider.stop_instance(&self.instance(&service, status.number)).await?;
                swept = true;
            }
        }
        self.retire_now(record).await?;
        Ok(swept)
    }

    pub(crate) fn instance(&self, service: &ServiceName, number: u32) -> InstanceId {
        InstanceId { environment: self.id.clone(), service: service.clone(), number }
    }

    async fn start_servers(&self, steps: &[Step]) -> Result<Vec<(ServiceName, Started)>, Failure> {
        let provider = &self.ambit.provider;
        let name = |text: &str| steps.iter().find(|s| s.service.as_str() == text).map(|s| s.service.clone());
        let postgres = async {
            let (Some(name), Some(server)) = (name("postgres"), &self.servers.postgres) else { return Ok(None) };
            let progress = self.progress.service(&name);
            let start = async {
                let started = provider.start_postgres(&self.id, server).await?;
                let (detail, changed) = (started.detail.clone(), started.changed);
                Ok((started, detail, changed))
            };
            let started = progress.step("postgres", start).await?;
            Ok::<_, Failure>(Some((name, started)))
        };
        let redis = async {
            let (Some(name), Some(server)) = (name("redis"), &self.servers.redis) else { return Ok(None) };
            let progress = self.progress.service(&name);
            let start = async {
                let started = provider.start_redis(&self.id, server).await?;
                let (detail, changed) = (started.detail.clone(), started.changed);
                Ok((started, detail, changed))
            };
            let started = progress.step("redis", start).await?;
            Ok::<_, Failure>(Some((name, started)))
        };
        let (postgres, redis) = join(postgres, redis).await;
        Ok([postgres?, redis?].into_iter().flatten().collect())
    }

    /// Lets replaced instances finish their requests, then stops them.
    async fn retire(&self, record: &mut EnvironmentRecord) -> Result<(), Failure> {
        let ports: Vec<u16> = retiring(record).iter().filter_map(|(_, i)| i.port).collect();
        if !ports.is_empty() {
            self.drain(&ports).await;
        }
        self.retire_now(record).await
    }

    async fn retire_now(&self, record: &mut EnvironmentRecord) -> Result<(), Failure> {
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

    async fn stop(&self, service: &ServiceName, instance: Instance) -> Result<(), Failure> {
        self.ambit.provider.stop_instance(&self.instance(service, instance.number)).await?;
        let key = self.port_key(service, instance.number);
        self.ambit.store.release_port(&key).map_err(|e| store_failure(&e))
    }

    pub(crate) fn port_key(&self, service: &ServiceName, number: u32) -> String {
        format!("{}/{service}.{number}", self.id)
    }

    async fn drain(&self, ports: &[u16]) {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while tokio::time::Instant::now() < deadline {
            match ambit_proxy::client::figures(&self.ambit.home.proxy()).await {
                Ok(figures) if ports.iter().all(|port| figures.in_flight_of(*port) == 0) => return,
                // No proxy, no requests.
                Err(_) => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        self.progress.notice("drain", format!("some requests took longer than {} s and were cut", DRAIN.as_secs()));
    }

    /// Stops a service that is no longer declared. The data of a server stays where it is.
    async fn remove(&self, service: &ServiceRecord) -> Result<(), Failure> {
        let name = &service.made_from.service;
        let work = async {
            match &service.real {
                Real::App { serving, retiring, .. } => {
                    for instance in serving.iter().chain(retiring) {
                        self.stop(name, *instance).await?;
                    }
                    Ok(((), "no longer declared, stopped".to_owned(), true))
                }
                Real::Server => {
                    self.ambit.provider.stop_instance(&self.instance(name, 1)).await?;
                    Ok(((), "no longer declared, stopped; its data is kept".to_owned(), true))
                }
                Real::Site { .. } => Ok(((), "no longer declared, not served any more".to_owned(), true)),
            }
        };
        self.progress.service(name).step("remove", work).await
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

fn retiring(record: &EnvironmentRecord) -> Vec<(ServiceName, Instance)> {
    let of = |service: &ServiceRecord| match &service.real {
        Real::App { retiring, .. } => {
            retiring.iter().map(|i| (service.made_from.service.clone(), *i)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    record.services.iter().flat_map(of).collect()
}
