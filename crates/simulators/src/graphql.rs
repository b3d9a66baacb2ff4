//! A published GraphQL schema: asked whether a document and its variables are such as the service takes, and used to give an answer the
//! shape that was asked for.

use std::{borrow::Cow, cell::RefCell};

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    ast::Type,
    collections::HashMap,
    executable::Operation,
    resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::{JsonMap, JsonValue},
    schema::Implementers,
    validation::Valid,
};
use serde_json::{Map, Value, json};

/// What apollo-compiler says before the words of a field that has no value.
const OURS: &str = "resolver error: ";

/// A service's schema.
pub struct GraphQl {
    schema: Valid<Schema>,
    implementers: HashMap<Name, Implementers>,
}

/// A field that is asked for.
pub struct Field<'a> {
    /// The type of the object: `Query`, `Project`, …
    pub of: &'a str,
    /// The object.
    pub object: &'a Value,
    /// Its name.
    pub name: &'a str,
    /// Its arguments, defaults included.
    pub arguments: Value,
}

/// Why a field has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// In the service's words.
    pub message: String,
    /// What the service says beside: a code, whether it passes.
    pub extensions: Value,
}

impl Refused {
    /// In these words alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), extensions: Value::Null }
    }
}

/// What the service does.
pub trait Resolver {
    /// The value of a field; `None` leaves it to the object itself, which has to hold it under its name. A list is a value for a
    /// connection too: it is then given in the pages that are asked for. An object of an interface or a union says its `__typename`.
    fn resolve(&self, field: &Field<'_>) -> Option<Result<Value, Refused>>;
}

impl GraphQl {
    /// Reads the schema, in the schema definition language.
    pub fn read(sdl: &str) -> Result<Self, String> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql").map_err(|e| first_lines(&e.errors))?;
        let implementers = schema.implementers_map();
        Ok(Self { schema, implementers })
    }

    /// Why a document is none that the service takes.
    pub fn check(&self, document: &str) -> Result<(), String> {
        self.document(document).map(drop)
    }

    /// Answers a request's body: a status of HTTP and what is said.
    pub fn answer(&self, body: &[u8], resolver: &dyn Resolver) -> (u16, Value) {
        match self.carry_out(body, resolver) {
            Ok(answer) => (200, answer),
            Err(why) => (400, json!({ "errors": [{ "message": why }] })),
        }
    }

    fn document(&self, text: &str) -> Result<Valid<ExecutableDocument>, String> {
        ExecutableDocument::parse_and_validate(&self.schema, text, "document.graphql")
            .map_err(|e| first_lines(&e.errors))
    }

    fn carry_out(&self, body: &[u8], resolver: &dyn Resolver) -> Result<Value, String> {
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("the body is no JSON: {e}"))?;
        let text = body["query"].as_str().ok_or("the body has no `query`")?;
        let document = self.document(text)?;
        let name = body["operationName"].as_str();
        let operation = document.operations.get(name).map_err(|e| e.message().to_string())?;
        let variables = match &body["variables"] {
            Value::Null => JsonMap::new(),
            given => serde_json::from_value(given.clone()).map_err(|_| "`variables` is no object")?,
        };
        only_declared(operation, &variables)?;
        let root = Object {
            resolver,
            of: operation.object_type().to_string(),
            value: Cow::Owned(Value::Object(Map::new())),
            said: &RefCell::default(),
        };
        let answer = Execution::new(&self.schema, &document)
            .operation(operation)
            .implementers_map(&self.implementers)
            .raw_variable_values(&variables)
            .execute_sync(&root)
            .map_err(|e| e.message().to_string())?;
        let mut answer = serde_json::to_value(answer).map_err(|e| e.to_string())?;
        for error in answer.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(message) = error["message"].as_str().map(|m| m.strip_prefix(OURS).unwrap_or(m).to_owned()) else {
                continue;
            };
            if let Some(said) = root.said.borrow().get(&message) {
                error["extensions"] = said.clone();
            }
            error["message"] = message.into();
        }
        Ok(answer)
    }
}

/// A name that the document does not declare is a slip of the pen, which the service would pass over.
fn only_declared(operation: &Operation, variables: &JsonMap) -> Result<(), String> {
    let declared = |name: &str| operation.variables.iter().any(|v| v.name == name);
    match variables.keys().find(|name| !declared(name.as_str())) {
        Some(name) => Err(format!("the document declares no variable ${}", name.as_str())),
        None => Ok(()),
    }
}

fn first_lines(errors: &apollo_compiler::validation::DiagnosticList) -> String {
    errors.iter().map(|e| e.error.to_string()).take(3).collect::<Vec<_>>().join("; ")
}

/// What is said beside messages, by message.
type Said = RefCell<std::collections::BTreeMap<String, Value>>;

struct Object<'a> {
    resolver: &'a dyn Resolver,
    of: String,
    value: Cow<'a, Value>,
    said: &'a Said,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.of
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = serde_json::to_value(info.arguments()).unwrap_or_default();
        let field = Field { of: &self.of, object: &self.value, name: info.field_name(), arguments };
        let value = match self.resolver.resolve(&field) {
            Some(Ok(value)) => Cow::Owned(value),
            Some(Err(refused)) => {
                if !refused.extensions.is_null() {
                    self.said.borrow_mut().insert(refused.message.clone(), refused.extensions);
                }
                return Err(FieldError { message: refused.message });
            }
            None => match self.value.get(field.name) {
                Some(value) => Cow::Borrowed(value),
                None => {
                    return Err(FieldError { message: format!("this server has no {}.{}", self.of, field.name) });
                }
            },
        };
        let kind = &info.field_definition().ty;
        let value = match &*value {
            Value::Array(all) if kind.inner_named_type().ends_with("Connection") && !kind.is_list() => {
                Cow::Owned(page(all, &field.arguments))
            }
            _ => value,
        };
        Ok(self.resolved(info, kind, value))
    }
}

impl Object<'_> {
    fn resolved<'a>(&'a self, info: &'a ResolveInfo<'a>, kind: &'a Type, value: Cow<'a, Value>) -> ResolvedValue<'a> {
        if value.is_null() {
            return ResolvedValue::null();
        }
        if kind.is_list() {
            let all = match value {
                Cow::Borrowed(Value::Array(all)) => all.iter().map(Cow::Borrowed).collect(),
                Cow::Owned(Value::Array(all)) => all.into_iter().map(Cow::Owned).collect(),
                one => vec![one],
            };
            return ResolvedValue::list(all.into_iter().map(|v| self.resolved(info, kind.item_type(), v)));
        }
        let name = kind.inner_named_type();
        let schema = info.schema();
        let one_of_several = schema.get_interface(name).is_some() || schema.get_union(name).is_some();
        if schema.get_object(name).is_none() && !one_of_several {
            return ResolvedValue::Leaf(leaf(&value));
        }
        let said = value["__typename"].as_str().filter(|_| one_of_several);
        let of = said.unwrap_or(name.as_str()).to_owned();
        ResolvedValue::object(Object { resolver: self.resolver, of, value, said: self.said })
    }
}

fn leaf(value: &Value) -> JsonValue {
    serde_json::from_value(value.clone()).unwrap_or(JsonValue::Null)
}

/// A part of a list as connections give it: after a cursor, at most so many. A cursor is a place in the list.
fn page(all: &[Value], arguments: &Value) -> Value {
    let whole = |name: &str| arguments[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let from = arguments["after"].as_str().and_then(|c| c.parse::<usize>().ok()).map_or(0, |place| place + 1);
    let to = whole("first").map_or(all.len(), |first| from.saturating_add(first)).min(all.len());
    let shown = all.get(from..to).unwrap_or_default();
    let edges: Vec<Value> =
        shown.iter().enumerate().map(|(n, node)| json!({ "node": node, "cursor": (from + n).to_string() })).collect();
    let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |e| e["cursor"].clone());
    let info = json!({ "hasNextPage": to < all.len(), "hasPreviousPage": from > 0,
        "startCursor": cursor(edges.first()), "endCursor": cursor(edges.last()) });
    json!({ "edges": edges, "pageInfo": info })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = "
        type Query { project(id: String!): Project!, thing: Thing }
        type Mutation { rename(input: Rename!): Boolean! }
        input Rename { id: String!, name: String, kind: Kind = SMALL }
        enum Kind { SMALL LARGE }
        interface Thing { id: ID! }
        type Project implements Thing { id: ID!, name: String!, kinds: [Kind!]!, services(first: Int, after: String): ServiceConnection! }
        type ServiceConnection { edges: [ServiceEdge!]!, pageInfo: PageInfo! }
        type ServiceEdge { node: Service!, cursor: String! }
        type PageInfo { hasNextPage: Boolean!, endCursor: String }
        type Service { name: String! }";

    struct Service;

    impl Resolver for Service {
        fn resolve(&self, field: &Field<'_>) -> Option<Result<Value, Refused>> {
            let project = json!({ "__typename": "Project", "id": "1", "name": "kaia", "kinds": ["SMALL"],
                "services": [{ "name": "a" }, { "name": "b" }, {}] });
            Some(match (field.of, field.name) {
                ("Query", "project") if field.arguments["id"] == "1" => Ok(project),
                ("Query", "thing") => Ok(project),
                ("Mutation", "rename") if field.arguments["input"]["kind"] == "SMALL" => Ok(json!(true)),
                ("Query" | "Mutation", _) => {
                    Err(Refused { message: "Not Authorized".to_owned(), extensions: json!({ "code": "NO" }) })
                }
                _ => return None,
            })
        }
    }

    fn asked(query: &str, variables: Value) -> (u16, Value) {
        let body = json!({ "query": query, "variables": variables });
        GraphQl::read(SDL).unwrap().answer(body.to_string().as_bytes(), &Service)
    }

    #[test]
    fn an_answer_holds_what_was_asked_for_and_nothing_else() {
        let query = "query($id: String!) { it: project(id: $id) { kinds services(first: 2) { edges { node { name } } pageInfo { hasNextPage endCursor } } } }";
        let services = json!({ "edges": [{ "node": { "name": "a" } }, { "node": { "name": "b" } }],
            "pageInfo": { "hasNextPage": true, "endCursor": "1" } });
        let whole = json!({ "data": { "it": { "kinds": ["SMALL"], "services": services } } });
        assert_eq!(asked(query, json!({ "id": "1" })), (200, whole));
        let (_, answer) = asked("{ thing { __typename id ... on Project { name } } }", Value::Null);
        assert_eq!(answer["data"]["thing"], json!({ "__typename": "Project", "id": "1", "name": "kaia" }));
    }

    #[test]
    fn what_the_service_refuses_is_an_error_in_an_answer_of_200() {
        let (status, answer) = asked("{ project(id: \"2\") { name } }", Value::Null);
        assert_eq!((status, &answer["data"]), (200, &Value::Null));
        assert_eq!(answer["errors"][0]["message"], "Not Authorized");
        assert_eq!(answer["errors"][0]["extensions"], json!({ "code": "NO" }));
        let (_, answer) =
            asked("{ project(id: \"1\") { services(after: \"1\") { edges { node { name } } } } }", json!({}));
        assert_eq!(answer["errors"][0]["message"], "this server has no Service.name");
    }

    #[test]
    fn documents_and_variables_that_the_schema_does_not_allow_are_refused() {
        let rename = "mutation($input: Rename!) { rename(input: $input) }";
        assert_eq!(asked(rename, json!({ "input": { "id": "1" } })), (200, json!({ "data": { "rename": true } })));
        for (query, variables, why) in [
            (rename, json!({}), "missing value for non-null variable"),
            (rename, json!({ "input": {} }), "Rename.id"),
            (rename, json!({ "input": { "id": "1", "nmae": "x" } }), "nmae"),
            (rename, json!({ "input": { "id": 1 } }), "id"),
            (rename, json!({ "input": { "id": "1", "kind": "HUGE" } }), "HUGE"),
            (rename, json!({ "input": { "id": "1" }, "more": 1 }), "no variable $more"),
            (rename, json!([]), "no object"),
            ("mutation { rename }", json!({}), "input"),
            ("{ project(id: \"1\") { nmae } }", json!({}), "nmae"),
            ("{ project(id: \"1\") }", json!({}), "subselection"),
            ("query A { thing { id } } query B { thing { id } }", json!({}), "multiple"),
            ("{ ", json!({}), ""),
        ] {
            let (status, answer) = asked(query, variables);
            let said = answer["errors"][0]["message"].as_str().unwrap();
            assert!(status == 400 && said.contains(why), "{query}: {status} {said}");
        }
    }

    #[test]
    #[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
    fn the_published_schemas_are_read() {
        for path in ["railway/schema.graphql", "expo/schema.graphql"] {
            let Some(sdl) = crate::contract(path) else { continue };
            assert_eq!(GraphQl::read(&sdl).err(), None, "{path}");
        }
    }
}
