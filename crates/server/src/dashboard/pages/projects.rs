//! The first page: the projects, or the only one.

use ambit_domain::access::Operation;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use crate::dashboard::page::{Refusal, Visit};

pub(super) async fn page(visit: Visit) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Projects, None)?;
    let mut projects = signed.told(signed.page.face.ambit.projects())?;
    projects.retain(|project| signed.caller.sees(project));
    if let [only] = projects.as_slice() {
        return Ok(Redirect::to(&format!("/projects/{only}")).into_response());
    }
    let title = signed.t("Projects", "Proyectos");
    Ok(signed.page.show(
        title,
        html! {
            h1 { (title) }
            @if projects.is_empty() {
                p { (signed.t("There is none on this machine yet.", "Aún no hay ninguno en esta máquina.")) }
                pre { "ambit up" }
            }
            ul { @for project in &projects { li { a href={ "/projects/" (project) } { (project) } } } }
        },
    ))
}
