//! A project as it is read: one request, since quotas are counted in requests.

use std::collections::BTreeMap;

use ambit_domain::{
    Failure, FailureKind,
    railway::{Branch, Host, Listed, Present, PresentService, Setting, Settings, VolumeAt},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{List, PAGE, Railway, document};

/// A project with its environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The project.
    pub listed: Listed,
    /// Its environments by name.
    pub environments: BTreeMap<String, Present>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// By what the API knows it.
    pub id: String,
    /// Its services, in a document of its own.
    pub serialized_config: Option<Value>,
}

#[derive(Deserialize)]
struct Data {
    project: Read,
}

#[derive(Deserialize)]
struct Read {
    id: String,
    name: String,
    description: Option<String>,
    services: List<Named>,
    environments: List<Environment>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    id: String,
    name: String,
    config: Value,
    deployment_triggers: List<Trigger>,
    service_instances: List<Instance>,
    volume_instances: List<Volume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trigger {
    id: String,
    service_id: Option<String>,
    branch: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    service_id: String,
    domains: Domains,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domains {
    custom_domains: Vec<Domain>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    id: String,
    domain: String,
    target_port: Option<u16>,
    status: DomainStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DomainStatus {
    dns_records: Vec<Record>,
    verification_dns_host: Option<String>,
    verification_token: Option<String>,
    verified: bool,
    certificate_status: String,
    certificate_error_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    record_type: String,
    required_value: String,
    purpose: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    id: String,
    volume_id: String,
    service_id: Option<String>,
    is_pending_deletion: bool,
}

impl Railway {
    /// A project with everything in it that is compared.
    pub async fn project(&self, id: &str) -> Result<Project, Failure> {
        let variables = json!({ "id": id, "most": PAGE });
        let Data { project: read } = self.read(document!("project"), &variables).await?;
        if read.services.goes_on() {
            let what =
                format!("{} has more than {PAGE} services at Railway, and not all of them can be read", read.name);
            return Err(Failure::new(FailureKind::User, what));
        }
        let listed = Listed { id: read.id, name: read.name, description: read.description.unwrap_or_default() };
        let services: Vec<Named> = read.services.nodes().collect();
        let environments =
            read.environments.nodes().map(|e| (e.name.clone(), present(&listed, &services, e))).collect();
        Ok(Project { listed, environments })
    }

    /// A template by its code: `postgres`, `redis`.
    pub async fn template(&self, code: &str) -> Result<Template, Failure> {
        #[derive(Deserialize)]
        struct Data {
            template: Template,
        }
        Ok(self.read::<Data>(document!("template"), &json!({ "code": code })).await?.template)
    }

    /// Whether a workflow is over; a failure where it failed.
    pub async fn is_over(&self, workflow: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            workflow_status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            status: String,
            error: Option<String>,
        }
        let data: Data = self.read(document!("workflow"), &json!({ "id": workflow })).await?;
        let Status { status, error } = data.workflow_status;
        match status.as_str() {
            "Error" => Err(Failure::new(FailureKind::Machine, "Railway could not make it")
                .because(error.unwrap_or_else(|| "it does not say why".to_owned()))
                .hint("look at it in Railway's pages, then repeat the command")),
            "Running" => Ok(false),
            // One that is over long since is found no more.
            _ => Ok(true),
        }
    }
}

fn present(project: &Listed, services: &[Named], environment: Environment) -> Present {
    let mut config = environment.config;
    // Some answers hold the document as a text.
    if let Some(Ok(parsed)) = config.as_str().map(serde_json::from_str) {
        config = parsed;
    }
    let mut all: Vec<PresentService> = Vec::new();
    for instance in environment.service_instances.nodes() {
        let name = services.iter().find(|s| s.id == instance.service_id).map(|s| s.name.clone());
        let said = &config["services"][instance.service_id.as_str()];
        all.push(PresentService {
            name: name.unwrap_or_default(),
            repository: said["source"]["repo"].as_str().map(str::to_owned),
            image: said["source"]["image"].as_str().map(str::to_owned),
            settings: settings(said),
            variables: variables(said),
            hosts: instance.domains.custom_domains.into_iter().map(host).collect(),
            trigger: None,
            volumes: Vec::new(),
            id: instance.service_id,
        });
    }
    for trigger in environment.deployment_triggers.nodes() {
        if let Some(service) = all.iter_mut().find(|s| Some(&s.id) == trigger.service_id.as_ref()) {
            service.trigger = Some(Branch { id: trigger.id, branch: trigger.branch });
        }
    }
    for volume in environment.volume_instances.nodes().filter(|v| !v.is_pending_deletion) {
        let Some(service) = all.iter_mut().find(|s| Some(&s.id) == volume.service_id.as_ref()) else { continue };
        let mount = &config["services"][service.id.as_str()]["volumeMounts"][volume.volume_id.as_str()];
        let kinds = mount["backupSchedules"].as_array().into_iter().flatten();
        let schedule = kinds.filter_map(Value::as_str).map(str::to_owned).collect();
        service.volumes.push(VolumeAt { id: volume.volume_id, instance: volume.id, schedule });
    }
    Present { project: project.clone(), environment: environment.id, services: all }
}

/// As they were written; those that nobody can read have no value.
fn variables(said: &Value) -> BTreeMap<String, Option<String>> {
    let all = said["variables"].as_object().into_iter().flatten();
    all.filter(|(_, v)| !v.is_null()).map(|(name, v)| (name.clone(), v["value"].as_str().map(str::to_owned))).collect()
}

fn settings(said: &Value) -> Settings {
    let of = |setting: Setting| {
        let part = match setting {
            Setting::RootDirectory => &said["source"],
            Setting::BuildCommand => &said["build"],
            _ => &said["deploy"],
        };
        let text = match &part[setting.key()] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Array(commands) => commands.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" && "),
            _ => return None,
        };
        Some((setting, setting.plain(&text)?))
    };
    Setting::ALL.into_iter().filter_map(of).collect()
}

fn host(domain: Domain) -> Host {
    let status = domain.status;
    let leads = |r: &&Record| {
        r.record_type == "DNS_RECORD_TYPE_CNAME" && r.purpose != "DNS_RECORD_PURPOSE_ACME_DNS01_CHALLENGE"
    };
    let target = status.dns_records.iter().find(leads).map(|r| r.required_value.clone());
    let proof = status.verification_dns_host.zip(status.verification_token);
    let failed = status.certificate_status == "CERTIFICATE_STATUS_TYPE_ISSUE_FAILED";
    Host {
        id: domain.id,
        // The host's own part alone is said where its zone is known.
        proof: proof.map(|(name, token)| (whole(&name, &domain.domain), token)),
        host: domain.domain,
        port: domain.target_port,
        target,
        verified: status.verified,
        trouble: failed.then(|| status.certificate_error_message.unwrap_or_else(|| "it does not say why".to_owned())),
    }
}

/// The whole name of a record, where only its part within the zone is said.
fn whole(name: &str, host: &str) -> String {
    let name = name.trim_end_matches('.');
    // `_railway-verify.api` of `api.kaia.ai`: it ends in the beginning of the host.
    let ends: Vec<usize> = host.match_indices('.').map(|(at, _)| at).collect();
    if name == host || name.ends_with(&format!(".{host}")) {
        return name.to_owned();
    }
    let zone = ends.iter().rev().find(|at| name.ends_with(&host[..**at])).map(|at| &host[*at..]);
    match zone {
        Some(zone) => format!("{name}{zone}"),
        None => format!("{name}.{host}"),
    }
}
