//! Variables, as they were written and with their references resolved.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    proxies,
    world::{Done, Environment, Project, Variable, World, not_authorized},
};
use crate::graphql::Refused;

/// References lead to references; no deeper than this.
const DEEPEST: usize = 8;

/// Variables of a request: texts under names.
pub(super) fn given(variables: &Value) -> Done<BTreeMap<String, String>> {
    let Some(all) = variables.as_object() else { return Err(Refused::new("Invalid variables")) };
    all.iter()
        .map(|(name, value)| match value.as_str() {
            _ if name.is_empty() || name.contains(['=', ' ', '\n']) => {
                Err(Refused::new(format!("Invalid variable name {name:?}")))
            }
            Some(text) => Ok((name.clone(), text.to_owned())),
            None => Err(Refused::new(format!("Variable {name} has to be a string"))),
        })
        .collect()
}

impl World {
    /// Variables of a service, or of all in the environment.
    fn variables_of(&mut self, environment: &str, service: Option<&str>) -> Done<&mut BTreeMap<String, Variable>> {
        let environment = self.environment(environment)?;
        match service {
            None => Ok(&mut environment.shared),
            Some(id) => environment.instances.get_mut(id).map(|i| &mut i.variables).ok_or_else(not_authorized),
        }
    }

    pub(super) fn write_variables(&mut self, input: &Value, variables: BTreeMap<String, String>) -> Done<Value> {
        let environment = input["environmentId"].as_str().unwrap_or_default();
        let service = input["serviceId"].as_str();
        let there = self.variables_of(environment, service)?;
        if input["replace"] == true {
            there.clear();
        }
        for (name, value) in variables {
            there.entry(name).or_default().value = value;
        }
        self.deploy_for(environment, service, input)
    }

    pub(super) fn delete_variable(&mut self, input: &Value) -> Done<Value> {
        let environment = input["environmentId"].as_str().unwrap_or_default();
        let service = input["serviceId"].as_str();
        let there = self.variables_of(environment, service)?;
        if there.remove(input["name"].as_str().unwrap_or_default()).is_none() {
            return Err(Refused::new("Variable not found"));
        }
        // There is no way to say that nothing is to be deployed.
        self.deploy_for(environment, service, &Value::Null)
    }

    fn deploy_for(&mut self, environment: &str, service: Option<&str>, input: &Value) -> Done<Value> {
        if input["skipDeploys"] != true {
            let all: Vec<String> = match service {
                Some(service) => vec![service.to_owned()],
                None => self.environment(environment)?.instances.keys().cloned().collect(),
            };
            self.redeploy(environment, &all);
        }
        Ok(json!(true))
    }

    pub(super) fn variables(&mut self, environment: &str, service: Option<&str>, unrendered: bool) -> Done<Value> {
        let project = self.project_of_environment(environment)?;
        let environment = project.environments.iter().find(|e| e.id == environment).ok_or_else(not_authorized)?;
        let all = match service {
            None => &environment.shared,
            Some(id) => &environment.instances.get(id).ok_or_else(not_authorized)?.variables,
        };
        let mut shown = Map::new();
        for (name, variable) in all.iter().filter(|(_, v)| !v.sealed) {
            let value = match unrendered {
                true => variable.value.clone(),
                false => rendered(project, environment, service, &variable.value, 0),
            };
            shown.insert(name.clone(), value.into());
        }
        if let Some(name) = service.filter(|_| !unrendered).and_then(|id| name_of(project, id)) {
            shown.insert("RAILWAY_PRIVATE_DOMAIN".to_owned(), private_domain(name).into());
            let proxies = service.and_then(|id| environment.instances.get(id)).map_or(&[][..], |i| &i.proxies);
            for name in proxies::NAMES {
                shown.extend(proxies::variable(proxies, name).map(|value| (name.to_owned(), value.into())));
            }
        }
        Ok(Value::Object(shown))
    }
}

fn name_of<'a>(project: &'a Project, service: &str) -> Option<&'a str> {
    project.services.iter().find(|s| s.id == service).map(|s| s.name.as_str())
}

fn private_domain(name: &str) -> String {
    format!("{}.railway.internal", name.to_lowercase())
}

/// `${{Service.NAME}}`, `${{shared.NAME}}` and `${{NAME}}` resolved; what leads nowhere is empty.
fn rendered(project: &Project, environment: &Environment, of: Option<&str>, text: &str, depth: usize) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let Some((inner, end)) = after.split_once("}}") else { break };
        whole.push_str(before);
        rest = end;
        let (service, name) = inner.trim().split_once('.').unwrap_or(("", inner.trim()));
        let target = match service {
            "" => of,
            "shared" => None,
            other => project.services.iter().find(|s| s.name == other).map(|s| s.id.as_str()),
        };
        let found = match target {
            Some(id) if name == "RAILWAY_PRIVATE_DOMAIN" => name_of(project, id).map(private_domain),
            Some(id) => environment.instances.get(id).and_then(|i| {
                let written = i.variables.get(name).map(|v| v.value.clone());
                written.or_else(|| proxies::variable(&i.proxies, name))
            }),
            None => environment.shared.get(name).map(|v| v.value.clone()),
        };
        if let Some(found) = found.filter(|_| depth < DEEPEST) {
            whole.push_str(&rendered(project, environment, target, &found, depth + 1));
        }
    }
    whole + rest
}
