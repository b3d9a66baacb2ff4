//! The first page: the projects, or the only one.

use std::sync::Arc;

use ambit_domain::access::Operation;
use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::{IntoResponse, Redirect, Response},
};
use maud::html;

use crate::dashboard::{
    Face,
    page::{Page, Refusal},
};

pub(super) async fn page(State(face): State<Arc<Face>>, headers: HeaderMap, uri: Uri) -> Result<Response, Refusal> {
    let signed = Page::signed(face, &headers, &uri, Operation::Projects, None)?;
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
