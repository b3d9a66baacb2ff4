//! Restoring to a moment: a template laid over a PostgreSQL has its log archived from then on, and a restore makes a new service beside
//! it, which begins with the data of that moment. The source is never touched.

use serde_json::{Value, json};

use super::{
    backups::Pending,
    world::{Done, Variable, World, moment, not_authorized},
};
use crate::graphql::Refused;

/// The variables that the template sets.
const ARCHIVE: [(&str, &str); 6] = [
    ("WAL_ARCHIVE_BUCKET", "${{Postgres-PITR.BUCKET}}"),
    ("WAL_ARCHIVE_ENDPOINT", "${{Postgres-PITR.ENDPOINT}}"),
    ("WAL_ARCHIVE_REGION", "${{Postgres-PITR.REGION}}"),
    ("WAL_ARCHIVE_KEY", "${{Postgres-PITR.ACCESS_KEY_ID}}"),
    ("WAL_ARCHIVE_SECRET", "${{Postgres-PITR.SECRET_ACCESS_KEY}}"),
    ("WAL_ARCHIVE_PATH", "/pgbackrest"),
];

/// What is restored.
pub(super) struct Restore {
    pub(super) environment: String,
    pub(super) source: String,
    pub(super) name: String,
    pub(super) target: String,
}

/// The template that is laid over a PostgreSQL.
pub(super) fn template() -> Value {
    let variables: serde_json::Map<String, Value> =
        ARCHIVE.iter().map(|(name, value)| ((*name).to_owned(), json!({ "defaultValue": value }))).collect();
    let service = json!({ "name": "Postgres", "clusterRole": "root", "variables": variables });
    let config = json!({ "services": { "postgres-root": service }, "buckets": { "postgres-pitr-bucket": { "name": "Postgres-PITR" } } });
    json!({ "id": "postgres-pitr-template", "code": "postgres-pitr", "name": "Postgres PITR", "serializedConfig": config, "status": "PUBLISHED" })
}

fn at(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

impl World {
    /// Begins to lay the template over a service: a change that waits is there at the end.
    pub(super) fn begin_overlay(&mut self, input: &Value) -> Done<Value> {
        let said = |key: &str| input[key].as_str().unwrap_or_default();
        let (project, environment, service) = (said("projectId"), said("environmentId"), said("existingRootServiceId"));
        if input["stageOnly"] != true {
            return Err(Refused::new("this server lays templates over services as staged changes alone"));
        }
        if self.project_of_environment(environment)?.id != project {
            return Err(not_authorized());
        }
        let instance = self.instance(environment, service)?;
        let image = instance.source.get("image").and_then(Value::as_str).unwrap_or_default();
        if !image.contains("/postgres-ssl:") {
            return Err(Refused::new("Point-in-time recovery is not supported for this image"));
        }
        if input["serializedConfig"]["services"].as_object().is_none_or(|all| all.len() != 1) {
            return Err(Refused::new("Invalid serializedConfig"));
        }
        let begun = self.begin(Pending::Overlay(environment.to_owned(), service.to_owned()));
        Ok(json!({ "projectId": project, "workflowId": begun["workflowId"] }))
    }

    pub(super) fn stage_archive(&mut self, environment: &str, service: &str) {
        let bucket = self.id();
        let variables: serde_json::Map<String, Value> =
            ARCHIVE.iter().map(|(name, value)| ((*name).to_owned(), json!({ "value": value }))).collect();
        let patch = json!({ "services": { service: { "variables": variables } }, "buckets": { bucket: { "isCreated": true } } });
        if let Ok(environment) = self.environment(environment) {
            super::mutations::deep_merge(environment.staged.get_or_insert_with(|| json!({})), &patch);
        }
    }

    /// After a deployment: what archives its log now did not before, and has its first backup.
    pub(super) fn archive_from_now(&mut self, environment: &str, service: &str) {
        let Ok(instance) = self.instance(environment, service) else { return };
        if !instance.variables.contains_key(ARCHIVE[0].0) {
            instance.archived_since = None;
        } else if instance.archived_since.is_none() {
            // Where there are no programs of such a server, there is no data.
            let _ = self.reach(environment, service).map(|()| self.servers.back_up(environment, service));
            if let Ok(instance) = self.instance(environment, service) {
                instance.archived_since = Some(moment());
            }
        }
    }

    pub(super) fn begin_restore(&mut self, arguments: &Value) -> Done<Value> {
        let text = |key: &str| arguments[key].as_str();
        let volume = text("volumeInstanceId").unwrap_or_default();
        let source = self.volume(volume)?.service.clone();
        let is = |e: &&mut super::world::Environment| e.volumes.iter().any(|v| v.instance == volume);
        let environment = self.environments().find(is).ok_or_else(not_authorized)?.id.clone();
        let Some(since) = self.instance(&environment, &source)?.archived_since.clone() else {
            return Err(Refused::new("Point-in-time recovery is not enabled for this service"));
        };
        let target = text("targetTimestamp").unwrap_or_default();
        let (wanted, now) =
            (at(target).ok_or_else(|| Refused::new("Invalid targetTimestamp"))?, jiff::Timestamp::now());
        if at(&since).is_none_or(|since| wanted < since) || wanted > now {
            return Err(Refused::new(format!("Target is outside the available restore window ({since} to {now})")));
        }
        let services = &self.project_of_environment(&environment)?.services;
        let of = services.iter().find(|s| s.id == source).map(|s| s.name.clone()).unwrap_or_default();
        let usual = || format!("{of}-restored-{}", now.strftime("%Y%m%d-%H%M"));
        let name = text("newServiceName").map_or_else(usual, str::to_owned);
        if services.iter().any(|s| s.name == name) {
            return Err(Refused::new(format!("A service named {name} already exists in this project")));
        }
        Ok(self.begin(Pending::Restore(Restore { environment, source, name, target: target.to_owned() })))
    }

    /// The new service: as its source, but that it archives nothing and begins with other data.
    pub(super) fn restore(&mut self, restore: Restore) {
        let Restore { environment, source, name, target } = restore;
        let Ok(of) = self.instance(&environment, &source) else { return };
        let (image, deploy) = (of.source.clone(), of.deploy.clone());
        let mut variables = of.variables.clone();
        for (name, value) in ARCHIVE {
            variables.remove(name);
            let recovers = name.replace("WAL_ARCHIVE", "WAL_RECOVER_FROM");
            variables.insert(recovers, Variable { value: value.to_owned(), sealed: false });
        }
        variables.insert("POSTGRES_RECOVERY_TARGET_TIME".to_owned(), Variable { value: target.clone(), sealed: false });
        let Ok(project) = self.project_of_environment(&environment).map(|p| p.id.clone()) else { return };
        let Ok(id) = self.create_service(&project, Some(&name)) else { return };
        let Ok(instance) = self.instance(&environment, &id) else { return };
        (instance.source, instance.deploy, instance.variables) = (image, deploy, variables);
        instance.recovers = Some((source, target));
        let _ = self.create_volume(&environment, &id, "/var/lib/postgresql/data");
        self.redeploy(&environment, &[id]);
    }
}
