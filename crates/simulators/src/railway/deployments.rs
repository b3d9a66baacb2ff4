//! Deployments: how they get on, and what is done with them.

use serde_json::{Value, json};

use super::{
    shown,
    world::{Deployment, Done, Environment, Instance, World, not_authorized},
};
use crate::graphql::Refused;

const STATES: [&str; 5] = ["QUEUED", "INITIALIZING", "BUILDING", "DEPLOYING", "SUCCESS"];

impl Instance {
    /// Each deployment is one state further.
    pub(super) fn advance(&mut self) {
        let mut serves = None;
        for (n, deployment) in self.deployments.iter_mut().enumerate() {
            let Some(place) = STATES.iter().position(|s| *s == deployment.status) else { continue };
            if deployment.fails_in.as_deref() == Some(STATES[place]) {
                deployment.status = "FAILED".to_owned();
            } else if let Some(next) = STATES.get(place + 1) {
                deployment.status = (*next).to_owned();
            }
            if deployment.status == "SUCCESS" {
                serves = Some(n);
            }
        }
        let ended = self.deployments.iter_mut().take(serves.unwrap_or(0)).filter(|d| d.status == "SUCCESS");
        ended.for_each(|d| d.status = "REMOVED".to_owned());
    }

    /// Whether there is something that could be deployed.
    pub(super) fn has_source(&self) -> bool {
        ["repo", "image"].iter().any(|key| self.source.get(*key).is_some_and(Value::is_string))
    }
}

impl World {
    /// A new deployment of what the service is; none where it is nothing yet.
    pub(super) fn deploy(&mut self, environment: &str, service: &str, commit: Option<&str>) -> Done<String> {
        let (id, fails_in) = (self.id(), self.fails_in.take());
        let instance = self.instance(environment, service)?;
        if !instance.has_source() {
            return Err(Refused::new("No source found to deploy"));
        }
        // Without a commit it is the one that is there already.
        let commit = commit.map(str::to_owned).or_else(|| instance.deployments.last().and_then(|d| d.commit.clone()));
        let status = STATES[0].to_owned();
        instance.deployments.push(Deployment {
            id: id.clone(),
            status,
            fails_in,
            commit,
            image_of: None,
            created: super::world::moment(),
        });
        Ok(id)
    }

    /// After a change: those services that have something to deploy are.
    pub(super) fn redeploy(&mut self, environment: &str, services: &[String]) {
        for service in services {
            // One that has no source has nothing to deploy.
            let _ = self.deploy(environment, service, None);
        }
    }

    fn found(&mut self, id: &str) -> Done<(String, String, Deployment)> {
        let of = |environment: &mut Environment| {
            environment.instances.iter().find_map(|(service, instance)| {
                let found = instance.deployments.iter().find(|d| d.id == id)?;
                Some((environment.id.clone(), service.clone(), found.clone()))
            })
        };
        self.environments().find_map(of).ok_or_else(not_authorized)
    }

    pub(super) fn deployment(&mut self, id: &str) -> Done<Value> {
        let (environment, service, deployment) = self.found(id)?;
        let project = self.project_of_environment(&environment)?.id.clone();
        Ok(shown::deployment(&project, &environment, &service, &deployment))
    }

    pub(super) fn deployments(&mut self, input: &Value) -> Done<Value> {
        let wanted = |key: &str, is: &str| input[key].as_str().is_none_or(|id| id == is);
        let states = |key: &str| input["status"][key].as_array().cloned();
        let (of, none_of) = (states("in"), states("notIn"));
        let mut all = Vec::new();
        for project in &self.projects {
            for environment in &project.environments {
                for (service, instance) in &environment.instances {
                    let asked = wanted("projectId", &project.id)
                        && wanted("environmentId", &environment.id)
                        && wanted("serviceId", service);
                    let fits = |d: &&Deployment| {
                        of.as_ref().is_none_or(|all| all.iter().any(|s| s == d.status.as_str()))
                            && none_of.as_ref().is_none_or(|all| all.iter().all(|s| s != d.status.as_str()))
                    };
                    let shown = instance.deployments.iter().filter(|_| asked).filter(fits);
                    all.extend(shown.map(|d| shown::deployment(&project.id, &environment.id, service, d)));
                }
            }
        }
        all.reverse();
        Ok(json!(all))
    }

    /// A new deployment of an earlier one's image.
    pub(super) fn deploy_again(&mut self, id: &str, back: bool) -> Done<Value> {
        let (environment, service, old) = self.found(id)?;
        if back && !["SUCCESS", "REMOVED"].contains(&old.status.as_str()) {
            return Err(Refused::new("Deployment cannot be rolled back to"));
        }
        let new = self.deploy(&environment, &service, old.commit.as_deref())?;
        if let Some(deployment) = self.instance(&environment, &service)?.deployments.last_mut() {
            deployment.image_of = Some(old.id);
        }
        self.deployment(&new)
    }

    pub(super) fn set_deployment(&mut self, id: &str, status: &str) -> Done<Value> {
        let (environment, service, _) = self.found(id)?;
        let instance = self.instance(&environment, &service)?;
        for deployment in instance.deployments.iter_mut().filter(|d| d.id == id) {
            deployment.status = status.to_owned();
        }
        Ok(json!(true))
    }
}
