//! A published OpenAPI document, asked whether a request is one that it describes.

use std::{
    collections::{BTreeSet, HashMap},
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

    /// The path of the document that a request's path is: of those that fit, the one with the most words of its own.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<Route> {
        let fitting = self.paths().filter_map(|(template, _)| {
            let values = fits(template, path)?;
            Some(Route { template: template.clone(), values })
        });
        fitting.max_by_key(|route| (route.words(), std::cmp::Reverse(route.values.len())))
    }

    /// The path of the document that a request is for, or why it is none that the document describes: no such path or method, a query
    /// that it does not name, a body that it does not allow.
    pub fn check(&self, method: &str, path: &str, query: &str, body: Option<&Value>) -> Result<Route, String> {
        let method = method.to_ascii_lowercase();
        let route = self.route(path).ok_or_else(|| format!("there is no path {path}"))?;
        let template = &route.template;
        let item = &self.document["paths"][template];
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
            None => Ok(route),
            Some(_) if schema.is_null() => Err(format!("{method} {template} takes no JSON")),
            Some(body) => self.valid(&format!("{method} {template}"), schema, body).map(|()| route),
        }
    }

    /// The first key of a body that a schema of the document does not name. Documents allow any; some services do not.
    #[must_use]
    pub fn unknown_key_of(&self, schema: &str, body: &Value) -> Option<String> {
        let known = &self.document["components"]["schemas"][schema]["properties"];
        body.as_object()?.keys().find(|key| known.get(key.as_str()).is_none()).cloned()
    }

    /// The first key of a body that the document does not name where it names any. Documents allow others; who sends one has
    /// most likely mistyped it.
    #[must_use]
    pub fn unknown_key(&self, method: &str, route: &Route, body: &Value) -> Option<String> {
        let operation = &self.document["paths"][&route.template][method.to_ascii_lowercase()];
        let schema = &self.resolved(&operation["requestBody"])["content"]["application/json"]["schema"];
        self.unknown(schema, body)
    }

    fn unknown(&self, schema: &Value, value: &Value) -> Option<String> {
        match value {
            Value::Array(all) => all.iter().find_map(|one| self.unknown(&self.resolved(schema)["items"], one)),
            Value::Object(map) => {
                let mut known = Map::new();
                let mut open = false;
                self.properties(schema, &mut known, &mut open);
                map.iter().find_map(|(key, value)| match known.get(key) {
                    Some(schema) => self.unknown(schema, value),
                    None if open || known.is_empty() => None,
                    None => Some(key.clone()),
                })
            }
            _ => None,
        }
    }

    /// The properties that a schema names in any of its parts, and whether it says that there may be others.
    fn properties(&self, schema: &Value, known: &mut Map<String, Value>, open: &mut bool) {
        let schema = self.resolved(schema);
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            known.entry(key.clone()).or_insert_with(|| value.clone());
        }
        *open |= schema.get("additionalProperties").is_some_and(|more| *more != false);
        for part in ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten() {
            self.properties(part, known, open);
        }
    }

    /// Why an answer is none that the document describes.
    pub fn check_answer(&self, method: &str, route: &Route, status: u16, body: Option<&Value>) -> Result<(), String> {
        let (method, template) = (method.to_ascii_lowercase(), &route.template);
        let said = &self.document["paths"][template][&method]["responses"][status.to_string()];
        if said.is_null() {
            return Err(format!("{method} {template} does not answer {status}"));
        }
        let schema = &self.resolved(said)["content"]["application/json"]["schema"];
        match body {
            Some(body) if !schema.is_null() => self.valid(&format!("{method} {template} {status}"), schema, body),
            Some(_) => Err(format!("{method} {template} answers {status} without a body")),
            None => Ok(()),
        }
    }

    /// An answer that the document gives as an example.
    #[must_use]
    pub fn example(&self, method: &str, template: &str, status: u16) -> Value {
        let said = &self.document["paths"][template][method]["responses"][status.to_string()];
        let examples = &self.resolved(said)["content"]["application/json"]["examples"];
        let first = examples.as_object().and_then(|all| all.values().next()).unwrap_or(&Value::Null);
        self.resolved(first)["value"].clone()
    }

    fn valid(&self, operation: &str, schema: &Value, body: &Value) -> Result<(), String> {
        let validator = self.validator(operation, schema);
        let wrong: Vec<String> =
            validator.iter_errors(body).map(|e| format!("{} at {}", e, e.instance_path())).take(3).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{operation}: {}", wrong.join("; "))) }
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
            let mut whole = json!({ "allOf": [schema] });
            for (group, name) in self.referred(schema) {
                whole["components"][group][name] = self.document["components"][group][name].clone();
            }
            Arc::new(jsonschema::options().with_draft(jsonschema::Draft::Draft7).build(&whole).unwrap())
        };
        Arc::clone(all.entry(operation.to_owned()).or_insert_with(make))
    }
}

impl OpenApi {
    /// The components that a schema refers to, and those that these refer to: a whole document is ten thousand times as large.
    fn referred<'a>(&'a self, schema: &'a Value) -> BTreeSet<(&'a str, &'a str)> {
        let mut found = BTreeSet::new();
        let mut open = vec![schema];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(all) => open.extend(all),
                Value::Object(map) => open.extend(map.values()),
                _ => continue,
            }
            let path = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/"));
            let Some((group, rest)) = path.and_then(|path| path.split_once('/')) else { continue };
            let name = rest.split('/').next().unwrap_or(rest);
            if found.insert((group, name)) {
                open.push(&self.document["components"][group][name]);
            }
        }
        found
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

/// A path of the document with what stands for its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `/repos/{owner}/{repo}/git/ref/{ref}`
    pub template: String,
    /// `heads/feature/x` for `ref`, with the percent signs of the request.
    pub values: HashMap<String, String>,
}

impl Route {
    fn words(&self) -> usize {
        self.template.split('/').filter(|part| !is_parameter(part)).count()
    }
}

fn is_parameter(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}

/// Parameters that may hold slashes: names that a server's users give.
const GREEDY: [&str; 4] = ["{ref}", "{branch}", "{path}", "{basehead}"];

/// `/zones/{zone_id}/dns_records` beside a path; what stands for its parameters where it fits.
fn fits(template: &str, path: &str) -> Option<HashMap<String, String>> {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let mut values = HashMap::new();
    rest_fits(&wanted, &given, &mut values).then_some(values)
}

fn rest_fits(wanted: &[&str], given: &[&str], values: &mut HashMap<String, String>) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return given.is_empty() };
    if !is_parameter(first) {
        return given.split_first().is_some_and(|(g, others)| g == first && rest_fits(rest, others, values));
    }
    let longest = if GREEDY.contains(first) { given.len() } else { given.len().min(1) };
    (1..=longest).any(|count| {
        let value = given[..count].join("/");
        let fits = !value.is_empty() && rest_fits(rest, &given[count..], values);
        if fits {
            values.insert(first.trim_matches(['{', '}']).to_owned(), value);
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> OpenApi {
        let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
        let put = json!({ "put": { "requestBody": { "content": { "application/json": { "schema": schema } } } } });
        let paths = json!({ "/b/{branch}": {}, "/b/{branch}/protection": put, "/s/{id}": {}, "/s/public-key": {} });
        OpenApi::read(&json!({ "components": {}, "paths": paths }).to_string())
    }

    #[test]
    fn names_with_slashes_are_one_parameter_and_words_come_before_parameters() {
        let api = document();
        let template = |path: &str| api.route(path).map(|route| route.template);
        assert_eq!(template("/b/feature/x").as_deref(), Some("/b/{branch}"));
        let route = api.route("/b/feature/x/protection").unwrap();
        assert_eq!((route.template.as_str(), route.values["branch"].as_str()), ("/b/{branch}/protection", "feature/x"));
        assert_eq!(template("/s/public-key").as_deref(), Some("/s/public-key"));
        assert_eq!((template("/s/a/b"), template("/b/")), (None, None));
    }

    #[test]
    fn a_mistyped_key_is_found() {
        let api = document();
        let route = api.route("/b/main/protection").unwrap();
        assert_eq!(api.unknown_key("PUT", &route, &json!({ "name": "x" })), None);
        assert_eq!(api.unknown_key("PUT", &route, &json!({ "nmae": "x" })).as_deref(), Some("nmae"));
    }
}
