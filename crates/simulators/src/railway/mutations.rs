//! What is changed.

use serde_json::{Value, json};

use super::{
    queries, shown, variables,
    world::{Done, Environment, Instance, Project, World, not_authorized},
};
use crate::graphql::Refused;

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
            "tcpProxyCreate" => {
                let port = input["applicationPort"].as_u64().unwrap_or_default();
                self.create_proxy(said("environmentId"), said("serviceId"), port)
            }
            "tcpProxyDelete" => self.delete_proxy(text("id")),
            "templateDeployV2" if input["templateId"] == "postgres-pitr-template" => self.begin_overlay(input),
            "templateDeployV2" => self.begin_template(input),
            "volumeInstancePITRRestore" => self.begin_restore(arguments),
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
}

pub(super) fn unknown(name: &str) -> Refused {
    Refused::new(format!("this server does not do {name}"))
}

pub(super) fn deep_merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                deep_merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
