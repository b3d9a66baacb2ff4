//! What is changed.

use ambit_domain::{
    Failure,
    railway::{OWNER, Owner, Place, Setting},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Railway, document};

/// How a change ended: what came of it, or why nobody knows whether it was carried out.
pub type Tried<T> = Result<Result<T, String>, Failure>;

/// A volume in its environment.
pub type Volume<'a> = &'a str;

/// Nothing of an answer is of use.
type Any = Value;

/// What others staged would be committed with ours.
const STAGED: &str = "somebody has staged changes at Railway that are not applied";

impl Railway {
    /// Makes a project with one environment.
    pub async fn create_project(&self, workspace: &str, name: &str, description: &str, environment: &str) -> Tried<()> {
        let input = json!({ "workspaceId": workspace, "name": name, "description": description,
            "defaultEnvironmentName": environment, "prDeploys": false });
        self.done(document!("project_create"), &json!({ "input": input })).await
    }

    /// Gives a project another name or description.
    pub async fn change_project(&self, id: &str, name: Option<&str>, description: Option<&str>) -> Tried<()> {
        let said = [("name", name), ("description", description)];
        let input: Map<String, Value> =
            said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect();
        self.done(document!("project_update"), &json!({ "id": id, "input": input })).await
    }

    /// Deletes a project with everything in it.
    pub async fn delete_project(&self, id: &str) -> Tried<()> {
        self.done(document!("project_delete"), &json!({ "id": id })).await
    }

    /// Makes a service that is nothing yet, with its mark.
    pub async fn create_service(&self, project: &str, environment: &str, name: &str, owner: &Owner) -> Tried<()> {
        let input = json!({ "projectId": project, "environmentId": environment, "name": name,
            "variables": { OWNER: owner.text() } });
        self.done(document!("service_create"), &json!({ "input": input })).await
    }

    /// Gives a service another name.
    pub async fn rename_service(&self, id: &str, name: &str) -> Tried<()> {
        self.done(document!("service_rename"), &json!({ "id": id, "name": name })).await
    }

    /// Deletes a service in an environment. Its volumes stay.
    pub async fn delete_service(&self, at: &Place) -> Tried<()> {
        self.done(document!("service_delete"), &json!({ "id": at.service, "environment": at.environment })).await
    }

    /// Deletes a volume with what is on it.
    pub async fn delete_volume(&self, id: &str) -> Tried<()> {
        self.done(document!("volume_delete"), &json!({ "id": id })).await
    }

    /// Begins to make the services of a template; says by what workflow.
    pub async fn deploy_template(
        &self,
        project: &str,
        environment: &str,
        template: &str,
        config: &Value,
    ) -> Tried<Option<String>> {
        let input = json!({ "projectId": project, "environmentId": environment, "templateId": template,
            "serializedConfig": config });
        self.begin_template(&input).await
    }

    async fn begin_template(&self, input: &Value) -> Tried<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            template_deploy_v2: Payload,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            workflow_id: Option<String>,
        }
        let tried = self.change::<Data>(document!("template_deploy"), &json!({ "input": input }), &[]).await?;
        Ok(tried.map(|data| data.template_deploy_v2.workflow_id))
    }

    /// Sets variables of a service and touches no others. Nothing is deployed for it.
    pub async fn write_variables(&self, at: &Place, variables: &[(&str, &str)], secrets: &[&str]) -> Tried<()> {
        let all: Map<String, Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let input = json!({ "projectId": at.project, "environmentId": at.environment, "serviceId": at.service,
            "variables": all, "skipDeploys": true });
        self.tell(document!("variables_write"), &json!({ "input": input }), secrets).await
    }

    /// The same, where some go (`None`). Those go without a deployment only as a staged change; what others staged is not committed
    /// with it.
    pub async fn replace_variables(
        &self,
        at: &Place,
        variables: &[(&str, Option<&str>)],
        secrets: &[&str],
    ) -> Tried<()> {
        let patch = self.staged(&at.environment).await?;
        let all: Map<String, Value> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map_or(Value::Null, |value| json!({ "value": value }))))
            .collect();
        let wanted = json!({ "services": { at.service.as_str(): { "variables": all } } });
        if is_something(&patch) && !is_same(&patch, &wanted) {
            return Err(others_staged());
        }
        let variables = json!({ "environment": at.environment, "input": wanted });
        if let Err(why) = self.tell(document!("stage"), &variables, secrets).await? {
            return Ok(Err(why));
        }
        let variables = json!({ "environment": at.environment, "message": MESSAGE, "skip": true });
        self.done(document!("commit_staged"), &variables).await
    }

    /// Changes that wait for somebody to apply them.
    async fn staged(&self, environment: &str) -> Result<Value, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            environment_staged_changes: Staged,
        }
        #[derive(Deserialize)]
        struct Staged {
            patch: Value,
        }
        let data: Data = self.read(document!("staged"), &json!({ "environment": environment })).await?;
        Ok(data.environment_staged_changes.patch)
    }

    /// Whether a variable of a service waits for being applied, and nothing of others does. Of others it is refused.
    pub async fn is_staged(&self, at: &Place, variable: &str) -> Result<bool, Failure> {
        let patch = self.staged(&at.environment).await?;
        let services = patch["services"].as_object();
        let ours = services.is_some_and(|all| all.len() == 1)
            && !patch["services"][at.service.as_str()]["variables"][variable].is_null();
        if is_something(&patch) && !ours { Err(others_staged()) } else { Ok(ours) }
    }

    /// Lays a template over a service as a change that waits for being applied; tells the workflow that does it.
    pub async fn overlay(&self, at: &Place, template: &str, config: &Value) -> Tried<Option<String>> {
        let input = json!({ "projectId": at.project, "environmentId": at.environment, "templateId": template,
            "serializedConfig": config, "existingRootServiceId": at.service, "stageOnly": true });
        self.begin_template(&input).await
    }

    /// Applies what waits for it, and deploys what it changes.
    pub async fn apply_staged(&self, environment: &str) -> Tried<()> {
        let variables = json!({ "environment": environment, "message": MESSAGE, "skip": false });
        self.done(document!("commit_staged"), &variables).await
    }

    /// Settings of a service; `None` goes. Nothing is deployed for it.
    pub async fn write_settings<'a>(
        &self,
        at: &Place,
        settings: impl IntoIterator<Item = (&'a Setting, &'a Option<String>)>,
    ) -> Tried<()> {
        let input: Map<String, Value> = settings
            .into_iter()
            .map(|(setting, text)| (setting.key().to_owned(), written(*setting, text.as_deref())))
            .collect();
        let variables = json!({ "environment": at.environment, "service": at.service, "input": input });
        self.done(document!("settings"), &variables).await
    }

    /// Makes a service of a branch of a repository: it is deployed, and at each push to the branch again.
    pub async fn connect(&self, at: &Place, repository: &str, branch: &str) -> Tried<()> {
        let source = json!({ "repo": repository, "branch": branch });
        let patch = json!({ "services": { at.service.as_str(): { "source": source } } });
        let variables = json!({ "environment": at.environment, "patch": patch, "message": MESSAGE });
        self.done(document!("commit"), &variables).await
    }

    /// What deploys a service when something is pushed.
    pub async fn triggers(&self, at: &Place) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            deployment_triggers: super::List<Trigger>,
        }
        #[derive(Deserialize)]
        struct Trigger {
            id: String,
        }
        let variables = json!({ "project": at.project, "environment": at.environment, "service": at.service });
        let data: Data = self.read(document!("triggers"), &variables).await?;
        Ok(data.deployment_triggers.nodes().map(|t| t.id).collect())
    }

    /// Deploys a service at each push to a branch.
    pub async fn create_trigger(&self, at: &Place, repository: &str, branch: &str) -> Tried<()> {
        let input = json!({ "projectId": at.project, "environmentId": at.environment, "serviceId": at.service,
            "provider": "github", "repository": repository, "branch": branch });
        self.done(document!("trigger_create"), &json!({ "input": input })).await
    }

    /// Deploys it at each push to another branch.
    pub async fn change_trigger(&self, id: &str, repository: &str, branch: &str) -> Tried<()> {
        let input = json!({ "repository": repository, "branch": branch });
        self.done(document!("trigger_update"), &json!({ "id": id, "input": input })).await
    }

    /// Does not deploy it at pushes any more.
    pub async fn delete_trigger(&self, id: &str) -> Tried<()> {
        self.done(document!("trigger_delete"), &json!({ "id": id })).await
    }

    /// A host of the team's own leads to a service.
    pub async fn create_host(&self, at: &Place, host: &str, port: Option<u16>) -> Tried<()> {
        let input = json!({ "projectId": at.project, "environmentId": at.environment, "serviceId": at.service,
            "domain": host, "targetPort": port });
        self.done(document!("domain_create"), &json!({ "input": input })).await
    }

    /// It leads to another port.
    pub async fn move_host(&self, id: &str, environment: &str, port: Option<u16>) -> Tried<()> {
        let variables = json!({ "id": id, "environment": environment, "port": port });
        self.done(document!("domain_update"), &variables).await
    }

    /// It leads there no more.
    pub async fn delete_host(&self, id: &str) -> Tried<()> {
        self.done(document!("domain_delete"), &json!({ "id": id })).await
    }

    /// How often a volume is backed up by itself.
    pub async fn schedule_backups(&self, volume: Volume<'_>, kinds: &[&str]) -> Tried<()> {
        self.done(document!("backup_schedule"), &json!({ "volume": volume, "kinds": kinds })).await
    }

    async fn done(&self, document: &str, variables: &Value) -> Tried<()> {
        self.tell(document, variables, &[]).await
    }

    async fn tell(&self, document: &str, variables: &Value, secrets: &[&str]) -> Tried<()> {
        Ok(self.change::<Any>(document, variables, secrets).await?.map(drop))
    }
}

fn others_staged() -> Failure {
    Failure::new(ambit_domain::FailureKind::User, STAGED)
        .hint("apply or discard them in Railway's pages, then repeat the command")
}

/// What Railway's own list of changes says of ours.
const MESSAGE: &str = "ambit apply";

fn written(setting: Setting, text: Option<&str>) -> Value {
    let Some(text) = text else {
        return if setting == Setting::PreDeployCommand { json!([]) } else { Value::Null };
    };
    match setting {
        Setting::PreDeployCommand => json!([text]),
        Setting::RootDirectory => json!(format!("/{text}")),
        number if number.is_number() => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        _ => json!(text),
    }
}

/// Whether anything stands in a document, however deep.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Object(all) => all.values().any(|v| v.is_null() || is_something(v)),
        other => !other.is_null(),
    }
}

/// Whether a change that is staged is ours of an earlier try: the same names of the same service. Values may be hidden.
fn is_same(staged: &Value, wanted: &Value) -> bool {
    match (staged, wanted) {
        (Value::Object(staged), Value::Object(wanted)) => {
            let leaf = wanted.contains_key("value") || staged.contains_key("value");
            leaf || staged.keys().eq(wanted.keys()) && staged.iter().all(|(key, v)| is_same(v, &wanted[key]))
        }
        (staged, wanted) => staged.is_null() == wanted.is_null(),
    }
}
