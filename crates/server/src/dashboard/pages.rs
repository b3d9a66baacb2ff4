//! The pages, one file each.

mod audit;
mod builds;
mod classification;
mod costs;
mod data;
mod deployment;
mod environment;
mod incidents;
mod pipeline;
mod projects;
mod status;
mod variables;

use std::sync::Arc;

use ambit_domain::{EnvironmentId, spec::ProjectName};
use axum::{Router, response::Response, routing::get};

use super::{
    Face,
    page::{Refusal, Signed, Visit},
};

pub(super) fn routes() -> Router<Arc<Face>> {
    Router::new()
        .route("/", get(projects::page))
        .route("/projects/{project}", get(pipeline::page))
        .route("/projects/{project}/deployments", get(deployment::list))
        .route("/projects/{project}/deployments/{number}", get(deployment::page))
        .route("/projects/{project}/environments/{environment}", get(environment::page))
        .route("/projects/{project}/environments/{environment}/classification", get(classification::page))
        .route("/projects/{project}/variables", get(variables::page))
        .route("/projects/{project}/data", get(data::page))
        .route("/projects/{project}/builds", get(builds::page))
        .route("/projects/{project}/incidents", get(incidents::page))
        .route("/projects/{project}/costs", get(costs::page))
        .route("/projects/{project}/audit", get(audit::page))
        .route("/status/{project}", get(status::page))
}

pub(super) async fn nothing_here(visit: Visit) -> Response {
    visit.open().not_found()
}

/// An environment of the page's project that is on this machine.
fn known(signed: &Signed, project: &ProjectName, environment: &str) -> Result<EnvironmentId, Refusal> {
    let found = signed.page.face.ambit.known(project, &[environment.to_owned()]);
    match found.map(|mut all| all.pop()) {
        Ok(Some(id)) => Ok(id),
        _ => Err(signed.page.not_found().into()),
    }
}
