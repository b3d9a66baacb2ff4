//! What is changed.

use serde_json::{Map, Value, json};

use super::{
    queries, shown, variables,
    world::{Done, Environment, Instance, Project, Trigger, World, not_authorized},
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
    pub(super) fn mutation(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let input = &arguments["input"];
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        let said = |key: &str| input[key].as_str().unwrap_or_default();
        match name {
            "projectCreate" => self.create_project(input),
            "projectUpdate" => {
                let project = self.project(text("id"))?;
                for (key, into) in [("name", &mut project.name), ("description", &mut project.description)] {
                    if let Some(value) = input[key].as_str() {
                        *into = value.to_owned();
                    }
                }
                Ok(shown::project(project))
            }
            "projectDelete" => {
                let id = self.project(text("id"))?.id.clone();
                self.projects.retain(|p| p.id != id);
                Ok(json!(true))
            }
            "projectTokenCreate" => {
                let (id, token) = (self.id(), self.id());
                let environment = self.environment(said("environmentId"))?.id.clone();
                let project = self.project(said("projectId"))?;
                project.tokens.push([id, said("name").to_owned(), environment, token.clone()]);
                Ok(json!(token))
            }
            "projectTokenDelete" => {
                self.projects.iter_mut().for_each(|p| p.tokens.retain(|t| t[0] != text("id")));
                Ok(json!(true))
            }
            "environmentCreate" if input["sourceEnvironmentId"].is_null() => {
                let id = self.id();
                let project = self.project(said("projectId"))?;
                let instances = project.services.iter().map(|s| (s.id.clone(), Instance::default())).collect();
                let name = said("name").to_owned();
                project.environments.push(Environment { id: id.clone(), name, instances, ..Environment::default() });
                self.query("environment", &json!({ "id": id }))
            }
            "environmentRename" => {
                self.environment(text("id"))?.name = said("name").to_owned();
                self.query("environment", arguments)
            }
            "environmentDelete" => {
                let project = self.project_of_environment(text("id"))?;
                project.environments.retain(|e| e.id != text("id"));
                Ok(json!(true))
            }
            "environmentPatchCommit" => self.commit(text("environmentId"), &arguments["patch"], false),
            "environmentStageChanges" => {
                let environment = self.environment(text("environmentId"))?;
                let mut staged = environment.staged.take().filter(|_| arguments["merge"] == true).unwrap_or(json!({}));
                deep_merge(&mut staged, input);
                environment.staged = Some(staged.clone());
                Ok(queries::patch(text("environmentId"), Some(staged)))
            }
            "environmentPatchCommitStaged" => {
                let Some(staged) = self.environment(text("environmentId"))?.staged.take() else {
                    return Err(Refused::new("No staged changes to commit"));
                };
                self.commit(text("environmentId"), &staged, arguments["skipDeploys"] == true)
            }
            "templateDeployV2" => self.begin_template(input),
            "volumeCreate" => {
                let id = self.create_volume(said("environmentId"), said("serviceId"), said("mountPath"))?;
                let project = self.project(said("projectId"))?;
                let volume = project.environments.iter().flat_map(|e| &e.volumes).find(|v| v.id == id);
                volume.map(|v| shown::volume(project, v)).ok_or_else(not_authorized)
            }
            "volumeDelete" => {
                let before: usize = self.environments().map(|e| e.volumes.len()).sum();
                self.environments().for_each(|e| e.volumes.retain(|v| v.id != text("volumeId")));
                let after: usize = self.environments().map(|e| e.volumes.len()).sum();
                if after < before { Ok(json!(true)) } else { Err(not_authorized()) }
            }
            _ if name.starts_with("variable") => match name {
                "variableCollectionUpsert" => {
                    let given = variables::given(&input["variables"])?;
                    self.write_variables(input, given)
                }
                "variableUpsert" => {
                    let one = variables::given(&json!({ said("name"): input["value"] }))?;
                    self.write_variables(input, one)
                }
                _ => self.delete_variable(input),
            },
            _ if name.starts_with("service") => self.change_a_service(name, arguments),
            _ if name.starts_with("customDomain") => self.change_a_domain(name, arguments),
            _ if name.starts_with("deployment") => self.change_a_deployment(name, arguments),
            _ if name.starts_with("volumeInstanceBackup") => self.change_a_backup(name, arguments),
            _ => Err(unknown(name)),
        }
    }

    fn create_project(&mut self, input: &Value) -> Done<Value> {
        let workspace = match (input["workspaceId"].as_str(), self.workspaces.as_slice()) {
            (Some(id), all) => all.iter().find(|(known, _)| known == id).ok_or_else(not_authorized)?.0.clone(),
            (None, [(only, _)]) => only.clone(),
            (None, _) => return Err(Refused::new("You must specify a workspaceId to create a project")),
        };
        let (id, environment) = (self.id(), self.id());
        let text = |key: &str, usual: &str| input[key].as_str().unwrap_or(usual).to_owned();
        let first = Environment {
            id: environment,
            name: text("defaultEnvironmentName", "production"),
            ..Environment::default()
        };
        let project = Project {
            id,
            name: text("name", "unnamed"),
            description: text("description", ""),
            workspace,
            environments: vec![first],
            ..Project::default()
        };
        let shown = shown::project(&project);
        self.projects.push(project);
        Ok(shown)
    }

    fn change_a_service(&mut self, name: &str, arguments: &Value) -> Done<Value> {
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

    fn change_a_domain(&mut self, name: &str, arguments: &Value) -> Done<Value> {
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

    fn change_a_deployment(&mut self, name: &str, arguments: &Value) -> Done<Value> {
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

    fn change_a_backup(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        let id = self.id();
        let volume = self.volume(text("volumeInstanceId"))?;
        let backup = |v: &super::world::Volume| v.backups.iter().position(|b| b.0 == text("volumeInstanceBackupId"));
        match name {
            "volumeInstanceBackupCreate" => {
                volume.backups.push((id, text("name").to_owned(), false));
                Ok(self.done_workflow())
            }
            "volumeInstanceBackupScheduleUpdate" => {
                let kinds = arguments["kinds"].as_array().into_iter().flatten();
                volume.schedule = kinds.filter_map(Value::as_str).map(str::to_owned).collect();
                Ok(json!(true))
            }
            "volumeInstanceBackupLock" => {
                let place = backup(volume).ok_or_else(not_authorized)?;
                volume.backups[place].2 = true;
                Ok(json!(true))
            }
            "volumeInstanceBackupDelete" => {
                let place = backup(volume).ok_or_else(not_authorized)?;
                if volume.backups[place].2 {
                    return Err(Refused::new("Backup is locked"));
                }
                volume.backups.remove(place);
                Ok(self.done_workflow())
            }
            _ => Err(unknown(name)),
        }
    }
}

fn unknown(name: &str) -> Refused {
    Refused::new(format!("this server does not do {name}"))
}

fn deep_merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                deep_merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
