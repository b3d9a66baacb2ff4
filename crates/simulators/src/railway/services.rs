//! What is changed of a service: itself, its hosts, what deploys it.

use serde_json::{Map, Value, json};

use super::{
    mutations::unknown,
    shown, variables,
    world::{Done, Environment, Instance, Trigger, World, not_authorized},
};
use crate::graphql::Refused;

/// Where a setting of `ServiceInstanceUpdateInput` is kept.
fn part<'a>(of: &'a mut Instance, key: &str) -> &'a mut Map<String, Value> {
    match key {
        "rootDirectory" => &mut of.source,
        "buildCommand" | "builder" | "dockerfilePath" | "watchPatterns" | "nixpacksPlan" => &mut of.build,
        _ => &mut of.deploy,
    }
}

impl World {
    pub(super) fn change_a_service(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let input = &arguments["input"];
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        match name {
            "serviceCreate" => {
                let variables = match &input["variables"] {
                    Value::Null => Default::default(),
                    given => variables::given(given)?,
                };
                let project = input["projectId"].as_str().unwrap_or_default();
                let id = self.create_service(project, input["name"].as_str())?;
                let of = self.project(project)?.environments.first().map(|e| e.id.clone()).unwrap_or_default();
                let environment = input["environmentId"].as_str().map_or(of, str::to_owned);
                let instance = self.instance(&environment, &id)?;
                instance.variables.extend(
                    variables.into_iter().map(|(name, value)| (name, super::world::Variable { value, sealed: false })),
                );
                if let Some(image) = input["source"]["image"].as_str() {
                    instance.source.insert("image".to_owned(), image.into());
                }
                if let Some(repository) = input["source"]["repo"].as_str() {
                    self.connect(&environment, &id, repository, input["branch"].as_str().unwrap_or("main"))?;
                }
                self.redeploy(&environment, std::slice::from_ref(&id));
                self.query("service", &json!({ "id": id }))
            }
            "serviceUpdate" => {
                let project = self.project_of_service(text("id"))?;
                let service = project.services.iter_mut().find(|s| s.id == text("id")).ok_or_else(not_authorized)?;
                if let Some(name) = input["name"].as_str() {
                    service.name = name.to_owned();
                }
                self.query("service", arguments)
            }
            "serviceDelete" => self.delete_service(text("id"), arguments["environmentId"].as_str()),
            "serviceInstanceUpdate" => {
                let instance = self.instance(text("environmentId"), text("serviceId"))?;
                for (key, value) in input.as_object().into_iter().flatten() {
                    let part = part(instance, key);
                    if value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty) {
                        part.remove(key);
                    } else {
                        part.insert(key.clone(), value.clone());
                    }
                }
                Ok(json!(true))
            }
            "serviceInstanceDeployV2" => {
                let id = self.deploy(text("environmentId"), text("serviceId"), arguments["commitSha"].as_str())?;
                Ok(json!(id))
            }
            "serviceInstanceRedeploy" => {
                self.deploy(text("environmentId"), text("serviceId"), None)?;
                Ok(json!(true))
            }
            "serviceConnect" => {
                let (id, repository) = (text("id"), input["repo"].as_str());
                let repository = repository.ok_or_else(|| Refused::new("this server connects repositories alone"))?;
                let environments: Vec<String> =
                    self.project_of_service(id)?.environments.iter().map(|e| e.id.clone()).collect();
                for environment in environments {
                    self.connect(&environment, id, repository, input["branch"].as_str().unwrap_or("main"))?;
                    self.redeploy(&environment, &[id.to_owned()]);
                }
                self.query("service", arguments)
            }
            "serviceDisconnect" => {
                let id = text("id");
                for environment in &mut self.project_of_service(id)?.environments {
                    environment.triggers.retain(|t| t.service != id);
                    if let Some(instance) = environment.instances.get_mut(id) {
                        instance.source.remove("repo");
                    }
                }
                self.query("service", arguments)
            }
            _ => Err(unknown(name)),
        }
    }

    /// In one environment, or everywhere. Volumes stay.
    pub(super) fn delete_service(&mut self, id: &str, environment: Option<&str>) -> Done<Value> {
        let project = self.project_of_service(id)?;
        let here = |e: &&mut Environment| environment.is_none_or(|wanted| e.id == wanted);
        for environment in project.environments.iter_mut().filter(here) {
            environment.instances.remove(id);
            environment.triggers.retain(|t| t.service != id);
        }
        if project.environments.iter().all(|e| !e.instances.contains_key(id)) {
            project.services.retain(|s| s.id != id);
        }
        Ok(json!(true))
    }

    pub(super) fn change_a_domain(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let input = &arguments["input"];
        let (text, said) = (
            |key: &str| arguments[key].as_str().unwrap_or_default(),
            |key: &str| input[key].as_str().unwrap_or_default(),
        );
        match name {
            "customDomainCreate" => {
                if self.project_of_environment(said("environmentId"))?.id != said("projectId") {
                    return Err(not_authorized());
                }
                let port = input["targetPort"].as_u64();
                self.create_domain(said("environmentId"), said("serviceId"), said("domain"), port)
            }
            "customDomainUpdate" => {
                let (environment, service, _) = self.domain(text("id"))?;
                for domain in self.instance(&environment, &service)?.domains.iter_mut().filter(|d| d.id == text("id")) {
                    domain.port = arguments["targetPort"].as_u64();
                }
                Ok(json!(true))
            }
            "customDomainDelete" => self.delete_domain(text("id")),
            "customDomainIssueCertificate" => self.domain(text("id")).map(|_| json!(true)),
            _ => Err(unknown(name)),
        }
    }

    pub(super) fn change_a_deployment(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let input = &arguments["input"];
        let (text, said) = (
            |key: &str| arguments[key].as_str().unwrap_or_default(),
            |key: &str| input[key].as_str().unwrap_or_default(),
        );
        match name {
            "deploymentTriggerCreate" => {
                let id = self.id();
                let environment = self.environment(said("environmentId"))?;
                if environment.triggers.iter().any(|t| t.service == said("serviceId")) {
                    return Err(Refused::new("A trigger exists for this service"));
                }
                let trigger = Trigger {
                    id,
                    service: said("serviceId").to_owned(),
                    repository: said("repository").to_owned(),
                    branch: said("branch").to_owned(),
                    check_suites: input["checkSuites"] == true,
                };
                let shown = shown::trigger(said("projectId"), &environment.id, &trigger);
                environment.triggers.push(trigger);
                Ok(shown)
            }
            "deploymentTriggerUpdate" => {
                let mut all = self.environments().flat_map(|e| e.triggers.iter_mut().map(|t| (e.id.clone(), t)));
                let (environment, trigger) = all.find(|(_, t)| t.id == text("id")).ok_or_else(not_authorized)?;
                for (key, into) in [("branch", &mut trigger.branch), ("repository", &mut trigger.repository)] {
                    if let Some(value) = input[key].as_str() {
                        *into = value.to_owned();
                    }
                }
                trigger.check_suites = input["checkSuites"].as_bool().unwrap_or(trigger.check_suites);
                Ok(shown::trigger("", &environment, trigger))
            }
            "deploymentTriggerDelete" => {
                self.environments().for_each(|e| e.triggers.retain(|t| t.id != text("id")));
                Ok(json!(true))
            }
            "deploymentRedeploy" => self.deploy_again(text("id"), false),
            "deploymentRollback" => self.deploy_again(text("id"), true).map(|_| json!(true)),
            "deploymentApprove" => self.set_deployment(text("id"), "QUEUED"),
            "deploymentCancel" | "deploymentStop" | "deploymentRemove" => self.set_deployment(text("id"), "REMOVED"),
            "deploymentRestart" => self.set_deployment(text("id"), "DEPLOYING"),
            _ => Err(unknown(name)),
        }
    }
}
