//! The description of the API, from the functions that answer it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::{
    http::problem::{FieldError, ProblemDetails},
    routes,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kaia",
        description = "Accounts, events, places. Times are RFC 3339 in UTC; errors are application/problem+json (RFC 9457).",
    ),
    components(schemas(ProblemDetails, FieldError)),
    tags(
        (name = "accounts", description = "Registering, logging in, the profile"),
        (name = "events", description = "The agenda"),
        (name = "places", description = "Look-up of places"),
        (name = "admin", description = "For administrators"),
        (name = "health", description = "Whether it works"),
    ),
)]
struct Described;

/// OpenAPI 3.1, as JSON, of the API at an address.
pub fn document(api_url: &str) -> String {
    let router = utoipa_axum::router::OpenApiRouter::with_openapi(Described::openapi())
        .merge(routes::public())
        .nest("/api/v1", routes::api());
    let mut document = serde_json::to_value(router.into_openapi()).unwrap_or_default();
    document["servers"] = json!([{ "url": api_url }]);
    document["components"]["securitySchemes"] = json!({ "bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access_token of a login",
    } });
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for operation in item.as_object_mut().into_iter().flatten().map(|(_, o)| o).filter(|o| o.is_object()) {
            describe_problems(path, operation);
        }
    }
    document.to_string()
}

/// The problems that any operation of its kind may answer with.
fn describe_problems(path: &str, operation: &mut Value) {
    if !path.starts_with("/api/") {
        return;
    }
    let mut problems = BTreeSet::from([
        (400, "It cannot be read"),
        (429, "Too many requests: Retry-After says when to come again"),
        (503, "Not available at the moment"),
    ]);
    if operation.get("security").is_some() {
        problems.insert((401, "Log in first"));
    } else {
        problems.insert((401, "The credentials do not hold"));
    }
    if path.contains("/admin/") {
        problems.insert((403, "For administrators"));
    }
    if path.contains('{') {
        problems.insert((404, "There is no such thing, or it is somebody else's"));
    }
    if operation.get("requestBody").is_some() {
        problems.extend([(413, "Too large"), (415, "Of another kind")]);
    }
    if operation.get("requestBody").is_some() || operation.get("parameters").is_some() {
        problems.insert((422, "It makes no sense; `errors` says which fields"));
    }
    for (status, description) in problems {
        let responses = &mut operation["responses"];
        if responses.get(status.to_string()).is_none() {
            let schema = json!({ "$ref": "#/components/schemas/ProblemDetails" });
            responses[status.to_string()] =
                json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } });
        }
    }
}
