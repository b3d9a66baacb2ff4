//! What there is, as the API shows it. Connections are plain lists here, and are given in pages.

use serde_json::{Value, json};

use super::{
    config,
    world::{Deployment, Domain, Environment, Instance, NOW, Project, Service, Trigger, Volume},
};

pub(super) fn project(project: &Project) -> Value {
    let environments: Vec<Value> = project.environments.iter().map(|e| environment(project, e)).collect();
    let services: Vec<Value> = project.services.iter().map(|s| service(project, s)).collect();
    let volumes = project.environments.iter().flat_map(|e| &e.volumes);
    let volumes: Vec<Value> = volumes.map(|v| volume(project, v)).collect();
    json!({ "id": project.id, "name": project.name, "description": project.description, "createdAt": NOW, "updatedAt": NOW,
        "deletedAt": null, "workspaceId": project.workspace, "isPublic": false, "isTempProject": false, "prDeploys": false,
        "primaryEnvironmentId": project.environments.first().map(|e| &e.id), "baseEnvironmentId": null,
        "environments": environments, "services": services, "volumes": volumes })
}

pub(super) fn service(project: &Project, service: &Service) -> Value {
    json!({ "id": service.id, "name": service.name, "projectId": project.id, "createdAt": NOW, "updatedAt": NOW, "deletedAt": null, "icon": null })
}

pub(super) fn environment(project: &Project, environment: &Environment) -> Value {
    let instances: Vec<Value> =
        environment.instances.iter().map(|(id, i)| instance(project, environment, id, i)).collect();
    let triggers: Vec<Value> = environment.triggers.iter().map(|t| trigger(&project.id, &environment.id, t)).collect();
    let volumes: Vec<Value> =
        environment.volumes.iter().map(|v| volume_instance(project, &environment.id, v)).collect();
    json!({ "id": environment.id, "name": environment.name, "projectId": project.id, "isEphemeral": false, "canAccess": true,
        "createdAt": NOW, "updatedAt": NOW, "deletedAt": null, "config": config::rendered(environment),
        "serviceInstances": instances, "deploymentTriggers": triggers, "volumeInstances": volumes })
}

pub(super) fn instance(project: &Project, environment: &Environment, id: &str, of: &Instance) -> Value {
    let name = project.services.iter().find(|s| s.id == id).map(|s| s.name.as_str());
    let deploy = |key: &str| of.deploy.get(key).cloned().unwrap_or_default();
    let source = of.has_source().then(|| json!({ "repo": of.source.get("repo"), "image": of.source.get("image") }));
    let latest = of.deployments.last().map(|d| deployment(&project.id, &environment.id, id, d));
    let active = of.deployments.iter().filter(|d| d.status == "SUCCESS");
    let active: Vec<Value> = active.map(|d| deployment(&project.id, &environment.id, id, d)).collect();
    let or = |value: Value, usual: Value| if value.is_null() { usual } else { value };
    json!({ "id": format!("{}:{id}", environment.id), "serviceId": id, "serviceName": name, "environmentId": environment.id,
        "source": source, "rootDirectory": of.source.get("rootDirectory"), "buildCommand": of.build.get("buildCommand"),
        "builder": of.build.get("builder").and_then(Value::as_str).unwrap_or("RAILPACK"), "watchPatterns": [],
        "startCommand": deploy("startCommand"), "preDeployCommand": deploy("preDeployCommand"),
        "healthcheckPath": deploy("healthcheckPath"), "healthcheckTimeout": deploy("healthcheckTimeout"),
        "numReplicas": or(deploy("numReplicas"), json!(1)), "cronSchedule": deploy("cronSchedule"), "nextCronRunAt": null,
        "drainingSeconds": deploy("drainingSeconds"), "overlapSeconds": deploy("overlapSeconds"), "region": null,
        "restartPolicyType": or(deploy("restartPolicyType"), json!("ON_FAILURE")),
        "restartPolicyMaxRetries": or(deploy("restartPolicyMaxRetries"), json!(10)),
        "createdAt": NOW, "updatedAt": NOW, "deletedAt": null, "domains": domains(&project.id, &environment.id, id, of),
        "latestDeployment": latest, "activeDeployments": active })
}

pub(super) fn domains(project: &str, environment: &str, service: &str, of: &Instance) -> Value {
    let own: Vec<Value> = of.domains.iter().map(|d| domain(project, environment, service, d)).collect();
    let railways: Vec<Value> = of.railway_domains.iter().map(|(id, host)| {
        json!({ "id": id, "domain": host, "environmentId": environment, "serviceId": service, "projectId": project, "targetPort": null,
            "createdAt": NOW, "updatedAt": NOW, "deletedAt": null, "syncStatus": "ACTIVE" })
    }).collect();
    json!({ "customDomains": own, "serviceDomains": railways })
}

pub(super) fn domain(project: &str, environment: &str, service: &str, of: &Domain) -> Value {
    let labels: Vec<&str> = of.host.split('.').collect();
    let (label, zone) = labels.split_at(labels.len().saturating_sub(2));
    let (state, certificate) = if of.verified {
        ("DNS_RECORD_STATUS_PROPAGATED", "CERTIFICATE_STATUS_TYPE_VALID")
    } else {
        ("DNS_RECORD_STATUS_REQUIRES_UPDATE", "CERTIFICATE_STATUS_TYPE_VALIDATING_OWNERSHIP")
    };
    let record = json!({ "fqdn": of.host, "hostlabel": label.join("."), "zone": zone.join("."),
        "recordType": "DNS_RECORD_TYPE_CNAME", "requiredValue": of.target, "status": state,
        "currentValue": if of.verified { &of.target } else { "" }, "purpose": "DNS_RECORD_PURPOSE_TRAFFIC_ROUTE" });
    // The text that proves the right to the host is not among the records.
    let status = json!({ "dnsRecords": [record], "verified": of.verified, "verificationDnsHost": proof(&of.host),
        "verificationToken": of.token, "certificateStatus": certificate, "certificateErrorMessage": null,
        "certificateErrorType": null, "certificateRetryable": false, "cdnProvider": null });
    json!({ "__typename": "CustomDomain", "id": of.id, "domain": of.host, "environmentId": environment, "serviceId": service,
        "projectId": project, "targetPort": of.port, "isRailwayDomain": false, "status": status, "syncStatus": "ACTIVE",
        "createdAt": NOW, "updatedAt": NOW, "deletedAt": null, "edgeId": null })
}

/// The name of the record that proves the right to a host.
pub(super) fn proof(host: &str) -> String {
    format!("_railway-verify.{host}")
}

pub(super) fn trigger(project: &str, environment: &str, of: &Trigger) -> Value {
    json!({ "id": of.id, "projectId": project, "environmentId": environment, "serviceId": of.service, "provider": "github",
        "repository": of.repository, "branch": of.branch, "checkSuites": of.check_suites, "validCheckSuites": 0,
        "baseEnvironmentOverrideId": null })
}

pub(super) fn volume(project: &Project, of: &Volume) -> Value {
    json!({ "id": of.id, "name": format!("volume-{}", of.id.get(..8).unwrap_or_default()), "projectId": project.id, "createdAt": NOW })
}

pub(super) fn volume_instance(project: &Project, environment: &str, of: &Volume) -> Value {
    let service = project.services.iter().find(|s| s.id == of.service).map(|s| service(project, s));
    json!({ "id": of.instance, "volumeId": of.id, "serviceId": of.service, "environmentId": environment, "mountPath": of.path,
        "sizeMB": of.size, "currentSizeMB": of.used, "state": "READY", "isPendingDeletion": false, "createdAt": NOW, "deletedAt": null,
        "externalId": null, "region": null, "volume": volume(project, of), "service": service })
}

pub(super) fn deployment(project: &str, environment: &str, service: &str, of: &Deployment) -> Value {
    let is = |states: &[&str]| states.contains(&of.status.as_str());
    let (back, ended) = (is(&["SUCCESS", "REMOVED"]), is(&["SUCCESS", "REMOVED", "FAILED", "CRASHED"]));
    json!({ "id": of.id, "projectId": project, "environmentId": environment, "serviceId": service, "status": of.status,
        "canRollback": back, "canRedeploy": ended, "createdAt": of.created, "updatedAt": NOW,
        "statusUpdatedAt": NOW, "deploymentStopped": false, "url": null, "staticUrl": null, "snapshotId": null,
        "suggestAddServiceDomain": false, "instances": [],
        "meta": { "commitHash": of.commit, "imageOf": of.image_of } })
}
