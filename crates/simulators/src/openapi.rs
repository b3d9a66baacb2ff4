//! A published OpenAPI document, asked whether a request is one that it describes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The document of a service (OpenAPI 3.0).
pub struct OpenApi {
    document: Value,
    bodies: Mutex<HashMap<String, Arc<Validator>>>,
}

impl OpenApi {
    /// Reads it.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut document: Value = serde_json::from_str(text).unwrap();
        as_json_schema(&mut document["components"]);
        as_json_schema(&mut document["paths"]);
        Self { document, bodies: Mutex::default() }
    }

    /// Why a request is none that the document describes: no such path or method, a query that it does not name, a body that it
    /// does not allow.
    pub fn check(&self, method: &str, path: &str, query: &str, body: Option<&Value>) -> Result<(), String> {
        let method = method.to_ascii_lowercase();
        let (template, item) = self
            .paths()
            .find(|(template, _)| fits(template, path))
            .ok_or_else(|| format!("there is no path {path}"))?;
        let operation = item.get(&method).ok_or_else(|| format!("{template} takes no {method}"))?;
        let known: Vec<&str> = [&operation["parameters"], &item["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .map(|p| self.resolved(p))
            .filter(|p| p["in"] == "query")
            .filter_map(|p| p["name"].as_str())
            .collect();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            if !known.contains(&name) {
                return Err(format!("{method} {template} knows no `{name}` in its query"));
            }
        }
        let wanted = &operation["requestBody"];
        let schema = &self.resolved(wanted)["content"]["application/json"]["schema"];
        match body {
            None if wanted["required"] == true => Err(format!("{method} {template} needs a body")),
            None => Ok(()),
            Some(_) if schema.is_null() => Err(format!("{method} {template} takes no JSON")),
            Some(body) => {
                let validator = self.validator(&format!("{method} {template}"), schema);
                let wrong: Vec<String> =
                    validator.iter_errors(body).map(|e| format!("{} at {}", e, e.instance_path())).take(3).collect();
                if wrong.is_empty() { Ok(()) } else { Err(format!("{method} {template}: {}", wrong.join("; "))) }
            }
        }
    }

    /// The first key of a body that a schema of the document does not name. Documents allow any; some services do not.
    #[must_use]
    pub fn unknown_key(&self, schema: &str, body: &Value) -> Option<String> {
        let known = &self.document["components"]["schemas"][schema]["properties"];
        body.as_object()?.keys().find(|key| known.get(key.as_str()).is_none()).cloned()
    }

    fn paths(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document["paths"].as_object().into_iter().flatten()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str().and_then(|to| self.document.pointer(to.trim_start_matches('#'))) {
            Some(found) => found,
            None => value,
        }
    }

    fn validator(&self, operation: &str, schema: &Value) -> Arc<Validator> {
        let mut all = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let whole = json!({ "allOf": [schema], "components": self.document["components"] });
            Arc::new(jsonschema::options().with_draft(jsonschema::Draft::Draft7).build(&whole).unwrap())
        };
        Arc::clone(all.entry(operation.to_owned()).or_insert_with(make))
    }
}

/// What OpenAPI 3.0 says otherwise than JSON Schema: `nullable`, and `exclusiveMinimum` as yes or no.
fn as_json_schema(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(as_json_schema),
        Value::Object(map) => {
            map.values_mut().for_each(as_json_schema);
            nullable(map);
            for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
                if map.get(exclusive).is_some_and(Value::is_boolean) {
                    let yes = map.remove(exclusive) == Some(Value::Bool(true));
                    if let Some(limit) = map.remove(bound).filter(|_| yes) {
                        map.insert(exclusive.to_owned(), limit);
                    }
                }
            }
        }
        _ => {}
    }
}

fn nullable(map: &mut Map<String, Value>) {
    if map.remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    if let Some(kind) = map.get_mut("type").filter(|t| t.is_string()) {
        *kind = json!([kind.clone(), "null"]);
    }
    if let Some(allowed) = map.get_mut("enum").and_then(Value::as_array_mut) {
        allowed.push(Value::Null);
    }
}

/// `/zones/{zone_id}/dns_records` beside a path.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || w.starts_with('{') && w.ends_with('}') && !g.is_empty() => {}
            _ => return false,
        }
    }
}
