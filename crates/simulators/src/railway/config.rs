//! The settings of an environment as one document: shown, and changed by patches.

use serde_json::{Map, Value, json};

use super::world::{Done, Environment, Instance, Trigger, Variable, World, not_authorized};
use crate::graphql::Refused;

/// The branch that a repository is deployed from where none is said.
const USUAL_BRANCH: &str = "main";

/// The environment's `EnvironmentConfig`, with its variables readable.
pub(super) fn rendered(environment: &Environment) -> Value {
    let services = environment.instances.iter().map(|(id, instance)| (id.clone(), service(environment, id, instance)));
    let shared = environment.shared.iter().map(|(name, v)| (name.clone(), variable(v)));
    let volumes = environment.volumes.iter().map(|v| (v.id.clone(), json!({ "sizeMB": v.size })));
    let object = |all: Map<String, Value>| Value::Object(all);
    json!({ "services": object(services.collect()), "sharedVariables": object(shared.collect()),
        "volumes": object(volumes.collect()) })
}

fn variable(of: &Variable) -> Value {
    if of.sealed { json!({ "value": null, "isSealed": true }) } else { json!({ "value": of.value }) }
}

fn service(environment: &Environment, id: &str, of: &Instance) -> Value {
    let mut source = of.source.clone();
    if let Some(trigger) = environment.triggers.iter().find(|t| t.service == id) {
        source.insert("branch".to_owned(), trigger.branch.clone().into());
    }
    let variables: Map<String, Value> = of.variables.iter().map(|(name, v)| (name.clone(), variable(v))).collect();
    let domains: Map<String, Value> = of.domains.iter().map(|d| (d.host.clone(), json!({ "port": d.port }))).collect();
    let proxies: Map<String, Value> = of.proxies.iter().map(|p| (p.application_port.to_string(), json!({}))).collect();
    let mounts = environment.volumes.iter().filter(|v| v.service == id);
    let mounts: Map<String, Value> =
        mounts.map(|v| (v.id.clone(), json!({ "mountPath": v.path, "backupSchedules": v.schedule }))).collect();
    json!({ "source": source, "build": of.build, "deploy": of.deploy, "variables": variables,
        "networking": { "customDomains": domains, "tcpProxies": proxies }, "volumeMounts": mounts })
}

impl World {
    /// Commits a patch that was found in order, and deploys what it changed.
    pub(super) fn commit(&mut self, environment: &str, patch: &Value, skip_deploys: bool) -> Done<Value> {
        for part in ["volumes", "privateNetworkDisabled"] {
            if !patch[part].is_null() {
                return Err(Refused::new(format!("this server takes no {part} in a patch")));
            }
        }
        for (name, wanted) in patch["sharedVariables"].as_object().into_iter().flatten() {
            let there = &mut self.environment(environment)?.shared;
            change_variable(there, name, wanted);
        }
        let services: Vec<(String, Value)> =
            patch["services"].as_object().into_iter().flatten().map(|(id, p)| (id.clone(), p.clone())).collect();
        for (id, patch) in &services {
            if patch["isDeleted"] == true {
                self.delete_service(id, Some(environment))?;
            } else {
                self.change_service(environment, id, patch)?;
            }
        }
        if !skip_deploys {
            let changed: Vec<String> = services.into_iter().map(|(id, _)| id).collect();
            self.redeploy(environment, &changed);
            changed.iter().for_each(|service| self.archive_from_now(environment, service));
        }
        Ok(json!(self.id()))
    }

    fn change_service(&mut self, environment: &str, id: &str, patch: &Value) -> Done<()> {
        let instance = self.instance(environment, id)?;
        merge(&mut instance.source, &patch["source"]);
        // It belongs to what deploys, not to the source.
        instance.source.remove("branch");
        merge(&mut instance.build, &patch["build"]);
        merge(&mut instance.deploy, &patch["deploy"]);
        for (name, wanted) in patch["variables"].as_object().into_iter().flatten() {
            change_variable(&mut instance.variables, name, wanted);
        }
        if let Some(repository) = patch["source"]["repo"].as_str() {
            let branch = patch["source"]["branch"].as_str().unwrap_or(USUAL_BRANCH);
            self.connect(environment, id, repository, branch)?;
        }
        for (host, port) in patch["networking"]["customDomains"].as_object().into_iter().flatten() {
            match port {
                Value::Null => drop(self.delete_domain_of(environment, id, host)?),
                given => drop(self.create_domain(environment, id, host, given["port"].as_u64())?),
            }
        }
        for (port, wanted) in patch["networking"]["tcpProxies"].as_object().into_iter().flatten() {
            let port = port.parse().map_err(|_| Refused::new("Invalid TCP proxy port"))?;
            let proxies = &mut self.instance(environment, id)?.proxies;
            let there = proxies.iter().any(|p| p.application_port == port);
            if wanted.is_null() {
                proxies.retain(|p| p.application_port != port);
            } else if !there {
                self.create_proxy(environment, id, port)?;
            }
        }
        for (volume, mount) in patch["volumeMounts"].as_object().into_iter().flatten() {
            let volumes = &mut self.environment(environment)?.volumes;
            let volume = volumes.iter_mut().find(|v| v.id == *volume).ok_or_else(not_authorized)?;
            if let Some(kinds) = mount["backupSchedules"].as_array() {
                volume.schedule = kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
        }
        Ok(())
    }

    /// The service is made of a repository, and deploys when the branch is pushed.
    pub(super) fn connect(&mut self, environment: &str, id: &str, repository: &str, branch: &str) -> Done<()> {
        let trigger = self.id();
        let environment = self.environment(environment)?;
        let instance = environment.instances.get_mut(id).ok_or_else(not_authorized)?;
        instance.source.insert("repo".to_owned(), repository.into());
        instance.source.remove("image");
        environment.triggers.retain(|t| t.service != id);
        environment.triggers.push(Trigger {
            id: trigger,
            service: id.to_owned(),
            repository: repository.to_owned(),
            branch: branch.to_owned(),
            check_suites: false,
        });
        Ok(())
    }
}

fn change_variable(there: &mut std::collections::BTreeMap<String, Variable>, name: &str, wanted: &Value) {
    match wanted["value"].as_str() {
        Some(value) => {
            let variable = Variable { value: value.to_owned(), sealed: wanted["isSealed"] == true };
            there.insert(name.to_owned(), variable);
        }
        None => drop(there.remove(name)),
    }
}

/// What is null goes.
fn merge(into: &mut Map<String, Value>, patch: &Value) {
    for (key, value) in patch.as_object().into_iter().flatten() {
        if value.is_null() {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}
