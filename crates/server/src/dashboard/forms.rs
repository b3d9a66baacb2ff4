//! What a form of a page asks for: checked as a form of ours, carried out like the same operation of the API, and answered by
//! leading to the page that shows what came of it.

use std::{collections::BTreeMap, sync::Arc};

use ambit_domain::{access::Operation, spec::ProjectName};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::Value;

use super::{Face, guard::is_from_here, input::Input, operations::endpoint, page::Page, perform::perform};

/// `POST /do/{operation}`
pub(super) async fn submitted(
    State(face): State<Arc<Face>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    uri: Uri,
    Form(mut fields): Form<BTreeMap<String, String>>,
) -> Response {
    let mut page = Page::open(Arc::clone(&face), &headers, &uri);
    let Some(session) = page.session.clone() else { return Redirect::to("/sign-in").into_response() };
    let token = fields.remove("form");
    if !is_from_here(&headers) || !session.made(token.as_ref()) {
        return (StatusCode::FORBIDDEN, "this form is not from a page of yours; open the page again\n").into_response();
    }
    let operation = Operation::named(&name).filter(|operation| endpoint(*operation).method != Method::GET);
    let Some(operation) = operation else { return page.not_found() };
    page.project = fields.get("project").and_then(|name| name.parse::<ProjectName>().ok());
    if !session.caller.may(operation, page.project.as_ref()) {
        return page.forbidden(operation);
    }
    let done = match Input::from_texts(&endpoint(operation), &fields) {
        Ok(input) => perform(&face, &session.caller, operation, &input).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(value) => Redirect::to(&shown_at(operation, &fields, &value)).into_response(),
        Err(failure) => page.failed(&failure),
    }
}

/// The page that shows what came of it. Made of what was checked to be names and numbers.
fn shown_at(operation: Operation, fields: &BTreeMap<String, String>, value: &Value) -> String {
    let project = fields.get("project").map_or("", String::as_str);
    let environment = fields.get("environment").map_or("", String::as_str);
    match operation {
        Operation::Verdict if fields.contains_key("about") => format!("/projects/{project}/builds"),
        Operation::OpenIncident | Operation::UpdateIncident | Operation::ResolveIncident => {
            format!("/projects/{project}/incidents")
        }
        Operation::BackUp | Operation::Restore | Operation::PutInPlace | Operation::RemoveCopy => {
            format!("/projects/{project}/data#{environment}")
        }
        _ => match value.get("number").and_then(Value::as_u64) {
            Some(number) => format!("/projects/{project}/deployments/{number}"),
            None => format!("/projects/{project}"),
        },
    }
}
