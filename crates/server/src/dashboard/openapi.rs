//! The OpenAPI document, made from the table of operations.

use ambit_domain::access::{Operation, Role};
use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{
    endpoint::{Endpoint, Field, Kind},
    operations::endpoint,
};

/// The document (OpenAPI 3.1). Which roles an operation accepts is said under `x-roles`.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in Operation::ALL {
        let endpoint = endpoint(*operation);
        let at = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(methods) = at.as_object_mut() {
            methods.insert(endpoint.method.as_str().to_lowercase(), described(*operation, &endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ambit",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the command line does, over HTTP. Times are in milliseconds since the Unix epoch.",
        },
        "servers": [{ "url": super::BASE }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "`ambit token create` makes one.",
            } },
            "responses": { "Failure": {
                "description": "What happened, why, and what to do next.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } },
            } },
            "schemas": { "Failure": {
                "type": "object",
                "required": ["error"],
                "properties": { "error": {
                    "type": "object",
                    "required": ["kind", "message", "causes", "hints"],
                    "properties": {
                        "kind": { "type": "string" },
                        "message": { "type": "string" },
                        "causes": { "type": "array", "items": { "type": "string" } },
                        "hints": { "type": "array", "items": { "type": "string" } },
                    },
                } },
            } },
        },
    })
}

fn described(operation: Operation, endpoint: &Endpoint) -> Value {
    let least = operation.least();
    let roles: Vec<&str> = Role::ALL.into_iter().filter(|role| role.includes(least)).map(Role::name).collect();
    let good = if Endpoint::is_long(operation) { "202" } else { "200" };
    let in_query = endpoint.method == Method::GET;
    let is_parameter = |field: &&Field| in_query || endpoint.in_path(field.name);
    let parameters: Vec<Value> =
        endpoint.fields.iter().filter(is_parameter).map(|field| parameter(endpoint, field)).collect();
    let mut all = json!({
        "operationId": operation.name(),
        "summary": endpoint.about,
        "description": format!("Least role: {least}."),
        "x-roles": roles,
        "parameters": parameters,
        "responses": {
            good: {
                "description": endpoint.answer,
                "content": { "application/json": { "schema": {} } },
            },
            "401": { "$ref": "#/components/responses/Failure" },
            "403": { "$ref": "#/components/responses/Failure" },
            "default": { "$ref": "#/components/responses/Failure" },
        },
    });
    let in_body: Vec<&Field> = endpoint.fields.iter().filter(|field| !is_parameter(field)).collect();
    if let Some(fields) = all.as_object_mut().filter(|_| !in_body.is_empty()) {
        fields.insert("requestBody".to_owned(), body(&in_body));
    }
    all
}

fn parameter(endpoint: &Endpoint, field: &Field) -> Value {
    json!({
        "name": field.name,
        "in": if endpoint.in_path(field.name) { "path" } else { "query" },
        "required": field.required,
        "description": field.about,
        "schema": schema(field),
    })
}

fn body(fields: &[&Field]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field);
            schema["description"] = field.about.into();
            (field.name.to_owned(), schema)
        })
        .collect();
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": required, "properties": properties,
    });
    json!({ "required": !required.is_empty(), "content": { "application/json": { "schema": schema } } })
}

fn schema(field: &Field) -> Value {
    match field.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Flag => json!({ "type": "boolean" }),
    }
}
