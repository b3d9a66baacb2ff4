//! What is looked at in an environment: made of its record, and of the health checks that the release which serves declares.

use std::collections::HashMap;

use ambit_domain::{
    DeploymentId, EnvironmentId, EnvironmentRecord, Failure, Real,
    monitoring::{Check, What},
    spec::{Form, Health, Url},
};

use crate::{address::Address, ambit::Ambit, declaration::Declaration};

/// The health checks that a release declares, kept until another one serves.
#[derive(Default)]
pub(crate) struct Declared {
    of: Option<DeploymentId>,
    pub(crate) health: HashMap<String, Health>,
}

impl Declared {
    /// The health checks that a declaration has for an environment.
    pub(crate) fn by(declaration: &Declaration, id: &EnvironmentId) -> HashMap<String, Health> {
        let environment = declaration.project.environments.get(&id.environment);
        let services = environment.into_iter().flat_map(|e| e.services.values());
        services
            .filter_map(|service| match &service.form {
                Form::App(app) => Some((service.name.to_string(), app.health.clone()?)),
                Form::Site(_) => None,
            })
            .collect()
    }
}

/// How something is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The proxy.
    Proxy,
    /// A request through the proxy.
    Http {
        /// The host that it is for.
        host: String,
        /// Its path.
        path: String,
        /// What counts as well.
        expected: Expected,
    },
    /// A loopback port.
    Tcp(u16),
    /// The process of an instance.
    Process(u32),
    /// The environment's PostgreSQL.
    Postgres,
    /// The environment's Redis.
    Redis,
}

/// Which answer counts as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The status that the health check declares, with its body.
    Status(u16),
    /// A page or a way to one, with its body.
    Page,
    /// Anything that is not an error of the server: nobody said what is asked for there.
    NoServerError,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) check: Check,
    pub(crate) probe: Probe,
}

impl Ambit {
    /// Reads the health checks of the release that serves, where another one does than before.
    pub(super) fn refresh_declared(&self, record: &EnvironmentRecord, id: &EnvironmentId, declared: &mut Declared) {
        if record.live == declared.of {
            return;
        }
        let read = || -> Result<HashMap<String, Health>, Failure> {
            let Some(live) = self.live_of(record)? else { return Ok(HashMap::new()) };
            Ok(Declared::by(&self.declaration_of(&live)?.0, id))
        };
        match read() {
            Ok(health) => *declared = Declared { of: record.live, health },
            // It is read again at the next look; meanwhile what was known is better than nothing.
            Err(failure) => tracing::warn!("{id}: the health checks that are declared cannot be read: {failure}"),
        }
    }
}

/// What there is to look at.
pub(crate) fn targets(record: &EnvironmentRecord, health: &HashMap<String, Health>, address: Address) -> Vec<Target> {
    let mut all = Vec::new();
    if record.services.iter().any(|service| !service.urls.is_empty()) {
        all.push(Target { check: Check::of(What::Proxy, "proxy"), probe: Probe::Proxy });
    }
    for service in &record.services {
        let name = service.made_from.service.as_str();
        let add = |all: &mut Vec<Target>, check, probe| all.push(Target { check, probe });
        match &service.real {
            Real::Server => {
                add(&mut all, Check::of(What::Process, name), Probe::Process(1));
                match name {
                    "postgres" => add(&mut all, Check::of(What::Postgres, name), Probe::Postgres),
                    "redis" => add(&mut all, Check::of(What::Redis, name), Probe::Redis),
                    _ => {}
                }
            }
            Real::App { serving, .. } => {
                for instance in serving {
                    let target = format!("{name}.{}", instance.number);
                    let check = Check::at(What::Process, name, target.clone());
                    add(&mut all, check, Probe::Process(instance.number));
                    if let Some(port) = instance.port {
                        add(&mut all, Check::at(What::Tcp, name, target), Probe::Tcp(port));
                    }
                }
                // One that has no instances is declared so.
                for url in service.urls.iter().filter(|_| !serving.is_empty()) {
                    let (path, expected) = match health.get(name) {
                        Some(health) => (health.path.as_str(), Expected::Status(health.status)),
                        None => ("/", Expected::NoServerError),
                    };
                    add(&mut all, Check::at(What::Http, name, address.url(url)), request(url, path, expected));
                }
            }
            Real::Site { .. } => {
                for url in &service.urls {
                    add(&mut all, Check::at(What::Http, name, address.url(url)), request(url, "/", Expected::Page));
                }
            }
            Real::Job { .. } => {}
        }
    }
    all
}

/// The name on this machine: it leads to the same route as the public one, and is never sent on to HTTPS.
fn request(url: &Url, path: &str, expected: Expected) -> Probe {
    let path = format!("{}{path}", url.path.trim_end_matches('/'));
    Probe::Http { host: url.local_host.clone(), path, expected }
}

#[cfg(test)]
mod tests {
    use ambit_domain::{BuildId, Instance, ServiceRecord, plan::Component, spec::Kind};

    use super::*;

    fn record(services: Vec<(&str, Real, Option<&str>)>) -> EnvironmentRecord {
        let services = services.into_iter().map(|(name, real, path)| ServiceRecord {
            made_from: Component { service: name.parse().unwrap(), facts: std::collections::BTreeMap::new() },
            real,
            urls: path
                .map(|path| Url { host: "kaia.ai".into(), local_host: "kaia.localhost".into(), path: path.into() })
                .into_iter()
                .collect(),
            since: 0,
        });
        EnvironmentRecord { services: services.collect(), ..EnvironmentRecord::new(Kind::Production) }
    }

    fn app(ports: &[Option<u16>]) -> Real {
        let serving = ports.iter().zip(1..).map(|(port, number)| Instance { number, port: *port }).collect();
        Real::App { build: BuildId(String::new()), commit: None, serving, retiring: Vec::new() }
    }

    fn seen(record: &EnvironmentRecord, health: &[(&str, &str, u16)]) -> Vec<String> {
        let health = health.iter().map(|(name, path, status)| {
            let deadline = std::time::Duration::from_secs(1);
            let health = Health { path: (*path).into(), status: *status, successes: 1, deadline };
            ((*name).to_owned(), health)
        });
        let all = targets(record, &health.collect(), Address::Public);
        all.iter().map(|t| format!("{}: {:?}", t.check.key(), t.probe)).collect()
    }

    #[test]
    fn a_url_is_asked_for_its_health_check_below_its_path_and_only_by_its_name_on_this_machine() {
        let all = seen(&record(vec![("api", app(&[Some(1)]), Some("/v1"))]), &[("api", "/ready", 204)]);
        let http = all.iter().find(|t| t.starts_with("http ")).unwrap();
        assert_eq!(
            http,
            "http api https://kaia.ai/v1: Http { host: \"kaia.localhost\", path: \"/v1/ready\", expected: Status(204) }"
        );
        assert!(all.iter().any(|t| t.starts_with("proxy ")));
    }

    #[test]
    fn every_instance_is_looked_at_and_a_service_without_any_is_not() {
        let all = seen(&record(vec![("api", app(&[Some(1), Some(2)]), None), ("worker", app(&[None]), None)]), &[]);
        let starts = |beginning: &str| all.iter().filter(|t| t.starts_with(beginning)).count();
        assert_eq!(
            (starts("process api"), starts("tcp api"), starts("process worker"), starts("tcp worker")),
            (2, 2, 1, 0)
        );
        assert!(seen(&record(vec![("api", app(&[]), Some("/"))]), &[]).iter().all(|t| t.starts_with("proxy ")));
    }

    #[test]
    fn servers_are_asked_themselves() {
        let all = seen(&record(vec![("postgres", Real::Server, None), ("redis", Real::Server, None)]), &[]);
        assert_eq!(
            all,
            [
                "process postgres : Process(1)",
                "postgres postgres : Postgres",
                "process redis : Process(1)",
                "redis redis : Redis"
            ]
        );
    }
}
