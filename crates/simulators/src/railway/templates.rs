//! The templates of databases, and what becomes of them.

use serde_json::{Value, json};

use super::{
    restores,
    world::{Done, Variable, Workflow, World, not_authorized},
};
use crate::graphql::Refused;

/// A template by its code; its variables refer to one another as the service's own do.
pub(super) fn template(code: &str) -> Option<Value> {
    let set = |pairs: &[(&str, &str)]| -> Value {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({ "defaultValue": value })))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let (name, image, path, port, command, variables) = match code {
        "postgres-pitr" => return Some(restores::template()),
        "postgres" => (
            "Postgres",
            "registry.example/postgres-ssl:17",
            "/var/lib/postgresql/data",
            "5432",
            Value::Null,
            set(&[
                ("POSTGRES_USER", "postgres"),
                ("POSTGRES_DB", "railway"),
                ("POSTGRES_PASSWORD", "${{ secret(32) }}"),
                ("PGHOST", "${{RAILWAY_PRIVATE_DOMAIN}}"),
                ("PGPORT", "5432"),
                ("PGUSER", "${{POSTGRES_USER}}"),
                ("PGPASSWORD", "${{POSTGRES_PASSWORD}}"),
                ("PGDATABASE", "${{POSTGRES_DB}}"),
                ("DATABASE_URL", "postgresql://${{PGUSER}}:${{PGPASSWORD}}@${{PGHOST}}:${{PGPORT}}/${{PGDATABASE}}"),
                (
                    "DATABASE_PUBLIC_URL",
                    "postgresql://${{PGUSER}}:${{PGPASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}:${{RAILWAY_TCP_PROXY_PORT}}/${{PGDATABASE}}",
                ),
            ]),
        ),
        "redis" => (
            "Redis",
            "redis:8.2",
            "/data",
            "6379",
            json!("exec docker-entrypoint.sh redis-server --requirepass $REDIS_PASSWORD --save 60 1 --dir /data"),
            set(&[
                ("REDIS_PASSWORD", "${{ secret(32) }}"),
                ("REDISHOST", "${{RAILWAY_PRIVATE_DOMAIN}}"),
                ("REDISPORT", "6379"),
                ("REDISUSER", "default"),
                ("REDISPASSWORD", "${{REDIS_PASSWORD}}"),
                ("REDIS_URL", "redis://${{REDISUSER}}:${{REDISPASSWORD}}@${{REDISHOST}}:${{REDISPORT}}"),
                (
                    "REDIS_PUBLIC_URL",
                    "redis://${{REDISUSER}}:${{REDISPASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}:${{RAILWAY_TCP_PROXY_PORT}}",
                ),
            ]),
        ),
        _ => return None,
    };
    let service = json!({ "name": name, "source": { "image": image }, "deploy": { "startCommand": command },
        "networking": { "tcpProxies": { port: {} } }, "variables": variables, "volumeMounts": { format!("{code}-volume"): { "mountPath": path } } });
    let config = json!({ "services": { format!("{code}-service"): service } });
    Some(
        json!({ "id": format!("{code}-template"), "code": code, "name": name, "serializedConfig": config, "status": "PUBLISHED" }),
    )
}

impl World {
    /// Begins to make a template's services. They are there when the workflow is complete.
    pub(super) fn begin_template(&mut self, input: &Value) -> Done<Value> {
        let text = |key: &str| input[key].as_str().map(str::to_owned);
        if !text("templateId").is_some_and(|id| ["postgres-template", "redis-template"].contains(&id.as_str())) {
            return Err(Refused::new("Template not found"));
        }
        if input["existingRootServiceId"].is_string() || input["stageOnly"] == true {
            return Err(Refused::new("this server takes templates for new services alone"));
        }
        let (Some(project), Some(environment)) = (text("projectId"), text("environmentId")) else {
            return Err(Refused::new("this server takes templates into a project's environment alone"));
        };
        if self.project_of_environment(&environment)?.id != project {
            return Err(not_authorized());
        }
        let config = input["serializedConfig"].clone();
        for service in config["services"].as_object().into_iter().flatten().map(|(_, s)| s) {
            if !service["name"].is_string() {
                return Err(Refused::new("Invalid serializedConfig: a service has no name"));
            }
            let empty = |v: &Value| !v["value"].is_string() && v["isOptional"] != true;
            if let Some((name, _)) = service["variables"].as_object().into_iter().flatten().find(|(_, v)| empty(v)) {
                return Err(Refused::new(format!("Invalid serializedConfig: {name} has no value")));
            }
        }
        let id = self.id();
        let left = self.slow + 1;
        self.workflows.insert(id.clone(), Workflow { left, project: project.clone(), environment, config });
        Ok(json!({ "projectId": project, "workflowId": id }))
    }

    /// The end of a workflow.
    pub(super) fn finish(&mut self, id: &str) {
        let Some(workflow) = self.workflows.get_mut(id) else { return };
        let (project, environment) = (workflow.project.clone(), workflow.environment.clone());
        let config = std::mem::take(&mut workflow.config);
        for service in config["services"].as_object().into_iter().flatten().map(|(_, s)| s) {
            // What was deleted meanwhile gets nothing.
            let Ok(id) = self.create_service(&project, service["name"].as_str()) else { return };
            let secret = self.id().replace('-', "");
            let Ok(instance) = self.instance(&environment, &id) else { return };
            for (part, into) in [("source", &mut instance.source), ("deploy", &mut instance.deploy)] {
                let said = service[part].as_object().into_iter().flatten().filter(|(_, v)| !v.is_null());
                into.extend(said.map(|(k, v)| (k.clone(), v.clone())));
            }
            for (name, variable) in service["variables"].as_object().into_iter().flatten() {
                let Some(value) = variable["value"].as_str() else { continue };
                let value = if value.contains("secret(") { secret.clone() } else { value.to_owned() };
                instance.variables.insert(name.clone(), Variable { value, sealed: false });
            }
            for port in service["networking"]["tcpProxies"].as_object().into_iter().flatten().map(|(port, _)| port) {
                // Where there is no such server on this machine, nobody comes in from outside.
                let _ = port.parse().map(|port| self.create_proxy(&environment, &id, port));
            }
            for (_, mount) in service["volumeMounts"].as_object().into_iter().flatten() {
                let path = mount["mountPath"].as_str().unwrap_or("/data");
                let _ = self.create_volume(&environment, &id, path);
            }
            self.redeploy(&environment, &[id]);
        }
    }

    pub(super) fn workflow(&self, id: &str) -> Value {
        let status = match self.workflows.get(id) {
            None => "NotFound",
            Some(workflow) if workflow.left == 0 => "Complete",
            Some(_) => "Running",
        };
        json!({ "status": status, "error": null })
    }

    /// A workflow that is done at once.
    pub(super) fn done_workflow(&mut self) -> Value {
        let id = self.id();
        let none = String::new;
        self.workflows
            .insert(id.clone(), Workflow { left: 0, project: none(), environment: none(), config: Value::Null });
        json!({ "workflowId": id })
    }
}
