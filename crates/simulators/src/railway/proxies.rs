//! TCP proxies: how databases are reached from outside. One leads to a real server of this machine; where there are no programs of
//! such a server, there is no proxy.

use serde_json::{Value, json};

use super::{
    servers::{self, Engine, HOST, Wanted},
    world::{Done, NOW, Proxy, World, not_authorized},
};
use crate::graphql::Refused;

impl World {
    /// Gives a service a proxy to one of its ports.
    pub(super) fn create_proxy(&mut self, environment: &str, service: &str, port: u64) -> Done<Value> {
        let (id, runs) = (self.id(), self.servers.port(environment, service));
        let instance = self.instance(environment, service)?;
        if instance.proxies.iter().any(|proxy| proxy.application_port == port) {
            return Err(Refused::new("A TCP proxy already exists for this port"));
        }
        let image = instance.source.get("image").and_then(Value::as_str).unwrap_or_default();
        let here = Engine::of(image).is_some_and(Engine::is_here);
        let free = runs.or_else(servers::free_port).filter(|_| here);
        let Some(proxy_port) = free else {
            return Err(Refused::new("this server has nothing that a TCP proxy could lead to"));
        };
        let proxy = Proxy { id, application_port: port, port: proxy_port };
        let shown = shown(environment, service, &proxy);
        instance.proxies.push(proxy);
        Ok(shown)
    }

    pub(super) fn delete_proxy(&mut self, id: &str) -> Done<Value> {
        let mut all = self.environments().flat_map(|e| e.instances.values_mut());
        let instance = all.find(|i| i.proxies.iter().any(|p| p.id == id)).ok_or_else(not_authorized)?;
        instance.proxies.retain(|p| p.id != id);
        Ok(json!(true))
    }

    /// The proxies of a service, with something behind them.
    pub(super) fn proxies(&mut self, environment: &str, service: &str) -> Done<Value> {
        self.reach(environment, service)?;
        let of = self.instance(environment, service)?.proxies.iter();
        Ok(json!(of.map(|p| shown(environment, service, p)).collect::<Vec<_>>()))
    }

    /// Starts what is behind the proxies of a service, where it does not run.
    pub(super) fn reach(&mut self, environment: &str, service: &str) -> Done<()> {
        let instance = self.instance(environment, service)?;
        let image = instance.source.get("image").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some((proxy, engine)) = instance.proxies.first().cloned().zip(Engine::of(&image)) else { return Ok(()) };
        if self.servers.port(environment, service).is_some() {
            return Ok(());
        }
        let broken = |error: std::io::Error| Refused::new(error.to_string());
        let recovers = match self.instance(environment, service)?.recovers.clone() {
            Some((source, target)) => {
                self.reach(environment, &source)?;
                Some((self.servers.archived(environment, &source).map_err(broken)?, target))
            }
            None => None,
        };
        let variables = self.variables(environment, Some(service), false)?;
        let said = |name: &str| variables[name].as_str().unwrap_or_default();
        let (user, password) = match engine {
            Engine::Postgres => ("PGUSER", "PGPASSWORD"),
            Engine::Redis => ("REDISUSER", "REDISPASSWORD"),
        };
        let wanted = Wanted {
            engine,
            port: proxy.port,
            user: said(user),
            password: said(password),
            database: said("PGDATABASE"),
            version: image.rsplit(':').next().and_then(|tag| tag.split('.').next()?.parse().ok()),
            recovers: recovers.as_ref().map(|(folder, target)| (folder.clone(), target.as_str())),
        };
        self.servers.start(environment, service, &wanted).map_err(broken)
    }

    /// Servers end with what has them.
    pub(super) fn end_servers(&mut self) {
        let projects = &self.projects;
        self.servers.keep(|environment, service| {
            let mut all = projects.iter().flat_map(|p| &p.environments);
            all.any(|e| e.id == environment && e.instances.contains_key(service))
        });
    }
}

/// The variables that a proxy gives its service.
pub(super) const NAMES: [&str; 3] =
    ["RAILWAY_TCP_PROXY_DOMAIN", "RAILWAY_TCP_PROXY_PORT", "RAILWAY_TCP_APPLICATION_PORT"];

pub(super) fn variable(proxies: &[Proxy], name: &str) -> Option<String> {
    let proxy = proxies.first()?;
    match name {
        "RAILWAY_TCP_PROXY_DOMAIN" => Some(HOST.to_owned()),
        "RAILWAY_TCP_PROXY_PORT" => Some(proxy.port.to_string()),
        "RAILWAY_TCP_APPLICATION_PORT" => Some(proxy.application_port.to_string()),
        _ => None,
    }
}

fn shown(environment: &str, service: &str, of: &Proxy) -> Value {
    json!({ "id": of.id, "applicationPort": of.application_port, "proxyPort": of.port, "domain": HOST, "environmentId": environment,
        "serviceId": service, "syncStatus": "ACTIVE", "createdAt": NOW, "updatedAt": NOW, "deletedAt": null })
}
