//! The HTTP API: one handler for every operation of the table. Who calls is asked for before anything of what they say is
//! looked at, and what they may before whether it exists.

use std::{collections::BTreeMap, sync::Arc};

use ambit_domain::{
    Failure, FailureKind,
    access::{Caller, Operation},
    spec::ProjectName,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodFilter, get, on},
};
use serde_json::json;

use super::{
    Face,
    endpoint::Endpoint,
    guard::{client, header_text},
    input::Input,
    openapi,
    operations::endpoint,
    page::Refusal,
    perform::perform,
};

type Fields = BTreeMap<String, String>;

/// Below this everything of it lies.
pub(crate) const BASE: &str = "/api/v1";

pub(crate) fn routes() -> Router<Arc<Face>> {
    let mut routes = Router::new().route(&format!("{BASE}/openapi.json"), get(|| async { Json(openapi::document()) }));
    routes = routes.route("/metrics", get(metrics));
    for operation in Operation::ALL.iter().copied() {
        let Endpoint { method, path, .. } = endpoint(operation);
        let filter = MethodFilter::try_from(method).unwrap_or(MethodFilter::GET);
        let handler = move |State(face): State<Arc<Face>>,
                            headers: HeaderMap,
                            path: Result<Path<Fields>, PathRejection>,
                            query: Result<Query<Fields>, QueryRejection>,
                            body: Result<Bytes, BytesRejection>| async move {
            let asked = || {
                // An operation whose path names nothing has none to be read.
                let path = path.map(|Path(path)| path).unwrap_or_default();
                let query = query.map(|Query(query)| query).map_err(|e| e.body_text())?;
                Ok((path, query, body.map_err(|e| e.body_text())?))
            };
            answer(&face, &headers, operation, asked()).await
        };
        routes = routes.route(&format!("{BASE}{path}"), on(filter, handler));
    }
    routes
}

/// For Prometheus, which sends its token as everybody does; what is told is of all projects.
async fn metrics(State(face): State<Arc<Face>>, headers: HeaderMap) -> Response {
    match authenticate(&face, &headers) {
        Err(refusal) => refusal.into_response(),
        Ok(caller) if !caller.sees_all() => {
            refused(StatusCode::FORBIDDEN, "this needs a token of every project".to_owned())
        }
        Ok(_) => crate::exposition::answer(&face.ambit),
    }
}

async fn answer(
    face: &Arc<Face>,
    headers: &HeaderMap,
    operation: Operation,
    asked: Result<(Fields, Fields, Bytes), String>,
) -> Response {
    let caller = match authenticate(face, headers) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    let (mut path, query, body) = match asked {
        Ok(asked) => asked,
        Err(why) => return refused(StatusCode::BAD_REQUEST, why),
    };
    // A name that is none belongs to no project that anybody may see.
    let project = path.get("project").map(|name| name.parse::<ProjectName>());
    let may = match project {
        None => caller.may(operation, None),
        Some(Ok(project)) => caller.may(operation, Some(&project)),
        Some(Err(_)) => false,
    };
    if !may {
        let needs = operation.least();
        return refused(StatusCode::FORBIDDEN, format!("this needs the role {needs} in the project"));
    }
    let endpoint = endpoint(operation);
    let input = if endpoint.method == Method::GET {
        path.extend(query);
        Input::from_texts(&endpoint, &path)
    } else {
        Input::from_json(&endpoint, &path, &body)
    };
    let done = match input {
        Ok(input) => perform(face, &caller, operation, &input).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(value) if Endpoint::is_long(operation) => (StatusCode::ACCEPTED, Json(value)).into_response(),
        Ok(value) => Json(value).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// The caller of a token. A session of the dashboard does not count here, so that no page elsewhere can call in its name.
fn authenticate(face: &Face, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let client = client(headers);
    if !face.limit.may_try(&client) {
        return Err(refused(StatusCode::TOO_MANY_REQUESTS, "too many tokens that are not good; wait a minute").into());
    }
    let given = header_text(headers, &header::AUTHORIZATION);
    let token = given.and_then(|value| value.split_once(' ')).filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
    match token.map(|(_, token)| face.ambit.token(token.trim())) {
        Some(Ok(Some(caller))) => Ok(caller),
        Some(Err(failure)) => Err(failed(&failure).into()),
        Some(Ok(None)) => {
            face.limit.failed(&client);
            Err(unknown("this token is not good, or not any more"))
        }
        None => Err(unknown("a token is needed: Authorization: Bearer ambit_…; ambit token create makes one")),
    }
}

fn unknown(why: &str) -> Refusal {
    ([(header::WWW_AUTHENTICATE, "Bearer")], refused(StatusCode::UNAUTHORIZED, why)).into_response().into()
}

fn refused(status: StatusCode, why: impl Into<String>) -> Response {
    (status, Json(json!({ "error": Failure::new(FailureKind::User, why) }))).into_response()
}

fn failed(failure: &Failure) -> Response {
    (status(failure.kind), Json(json!({ "error": failure }))).into_response()
}

/// The HTTP status of a sort of failure.
pub(crate) fn status(kind: FailureKind) -> StatusCode {
    match kind {
        FailureKind::User => StatusCode::BAD_REQUEST,
        FailureKind::Declaration | FailureKind::App => StatusCode::UNPROCESSABLE_ENTITY,
        FailureKind::NotFound => StatusCode::NOT_FOUND,
        FailureKind::Machine => StatusCode::SERVICE_UNAVAILABLE,
        FailureKind::Interrupted => StatusCode::CONFLICT,
        FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
