//! What is read.

use serde_json::{Value, json};

use super::{
    shown, templates,
    world::{Done, World, not_authorized},
};
use crate::graphql::Refused;

impl World {
    pub(super) fn query(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        let service = arguments["serviceId"].as_str();
        match name {
            "projects" => {
                let of = arguments["workspaceId"].as_str();
                let all = self.projects.iter().filter(|p| of.is_none_or(|id| p.workspace == id));
                Ok(json!(all.map(shown::project).collect::<Vec<_>>()))
            }
            "project" => Ok(shown::project(self.project(text("id"))?)),
            "environments" => Ok(shown::project(self.project(text("projectId"))?)["environments"].clone()),
            "environment" => {
                let id = text("id");
                let project = self.project_of_environment(id)?;
                let found = project.environments.iter().find(|e| e.id == id);
                found.map(|e| shown::environment(project, e)).ok_or_else(not_authorized)
            }
            "service" => {
                let id = text("id");
                let project = self.project_of_service(id)?;
                let found = project.services.iter().find(|s| s.id == id);
                found.map(|s| shown::service(project, s)).ok_or_else(not_authorized)
            }
            "serviceInstance" | "domains" => {
                let (environment, service) = (text("environmentId"), text("serviceId"));
                let project = self.project_of_environment(environment)?;
                let environment =
                    project.environments.iter().find(|e| e.id == environment).ok_or_else(not_authorized)?;
                let instance = environment.instances.get(service).ok_or_else(not_authorized)?;
                let shown = shown::instance(project, environment, service, instance);
                Ok(if name == "domains" { shown["domains"].clone() } else { shown })
            }
            "variables" | "variablesForServiceDeployment" => {
                let unrendered = arguments["unrendered"] == true;
                if let Some(service) = service.filter(|_| !unrendered) {
                    self.reach(text("environmentId"), service)?;
                }
                self.variables(text("environmentId"), service, unrendered)
            }
            "tcpProxies" => self.proxies(text("environmentId"), text("serviceId")),
            "customDomain" => {
                let (environment, service, domain) = self.domain(text("id"))?;
                Ok(shown::domain(text("projectId"), &environment, &service, &domain))
            }
            "customDomainAvailable" => {
                let available = self.is_free(text("domain"));
                Ok(json!({ "available": available, "message": if available { "" } else { "The domain is taken" } }))
            }
            "deploymentTriggers" => {
                let (project, id) = (text("projectId"), text("environmentId"));
                let of = self.environment(id)?.triggers.iter().filter(|t| service == Some(&t.service));
                Ok(json!(of.map(|t| shown::trigger(project, id, t)).collect::<Vec<_>>()))
            }
            "environmentStagedChanges" => {
                let id = text("environmentId").to_owned();
                let staged = self.environment(&id)?.staged.clone();
                Ok(patch(&id, staged))
            }
            "deployment" => self.deployment(text("id")),
            "deployments" => self.deployments(&arguments["input"]),
            "buildLogs" | "deploymentLogs" => {
                let deployment = self.deployment(text("deploymentId"))?;
                let line = |message: String| json!({ "message": message, "severity": "info", "timestamp": super::world::NOW, "attributes": [], "tags": null });
                Ok(json!([line(format!("{name} of {}", deployment["id"].as_str().unwrap_or_default()))]))
            }
            "template" => templates::template(text("code")).ok_or_else(|| Refused::new("Template not found")),
            "workflowStatus" => Ok(self.workflow(text("workflowId"))),
            "volumeInstanceBackupList" => self.backups(text("volumeInstanceId")),
            "volumeInstanceBackupScheduleList" => {
                let volume = self.volume(text("volumeInstanceId"))?;
                let of = volume.schedule.iter().map(|kind| {
                    json!({ "id": kind, "kind": kind, "name": kind, "cron": "0 3 * * *", "createdAt": super::world::NOW, "retentionSeconds": 518_400 })
                });
                Ok(json!(of.collect::<Vec<_>>()))
            }
            "projectTokens" => {
                let project = self.project(text("projectId"))?;
                let of = project.tokens.iter().map(|[id, name, environment, token]| {
                    json!({ "id": id, "name": name, "environmentId": environment, "projectId": project.id, "createdAt": super::world::NOW,
                        "displayToken": format!("{}…", token.get(..4).unwrap_or_default()) })
                });
                Ok(json!(of.collect::<Vec<_>>()))
            }
            _ => Err(Refused::new(format!("this server does not answer {name}"))),
        }
    }
}

/// Changes that wait for their commit; an empty one where none do.
pub(super) fn patch(environment: &str, staged: Option<Value>) -> Value {
    json!({ "id": format!("{environment}-patch"), "environmentId": environment, "status": "STAGED", "message": null,
        "patch": staged.unwrap_or_else(|| json!({})), "createdAt": super::world::NOW, "updatedAt": super::world::NOW,
        "appliedAt": null, "lastAppliedError": null })
}
