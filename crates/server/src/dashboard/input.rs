//! What is asked for, checked against the table of operations before anything is done with it.

use std::collections::BTreeMap;

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    ids::DeploymentId,
    spec::{EnvironmentName, ProjectName},
};
use serde_json::{Map, Value};

use super::endpoint::{Endpoint, Kind};

/// No text of a request is longer.
const LONGEST: usize = 10_000;

/// The fields of a request, each of the kind that the table says.
#[derive(Debug)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    /// Takes texts from a path, a query or a form. Empty ones count as absent.
    pub(crate) fn from_texts(endpoint: &Endpoint, texts: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let given = texts.iter().filter(|(_, text)| !text.is_empty());
        let read = given.map(|(name, text)| {
            let value = match endpoint.fields.iter().find(|field| field.name == name).map(|field| field.kind) {
                Some(Kind::Number) => {
                    text.parse::<u64>().map(Value::from).map_err(|_| wrong(name, "a whole number"))?
                }
                Some(Kind::Flag) => text.parse::<bool>().map(Value::from).map_err(|_| wrong(name, "true or false"))?,
                _ => Value::from(text.as_str()),
            };
            Ok((name.clone(), value))
        });
        Self::checked(endpoint, read.collect::<Result<_, Failure>>()?)
    }

    /// Takes the JSON of a body beside what the path says.
    pub(crate) fn from_json(
        endpoint: &Endpoint,
        path: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Self, Failure> {
        let mut fields = if body.is_empty() {
            Map::new()
        } else {
            serde_json::from_slice::<Map<String, Value>>(body)
                .map_err(|e| Failure::new(FailureKind::User, "the body is no JSON object").because(e.to_string()))?
        };
        if let Some(name) = fields.keys().find(|name| endpoint.in_path(name)) {
            return Err(Failure::new(FailureKind::User, format!("`{}` stands in the path", name.escape_debug())));
        }
        fields.retain(|_, value| !value.is_null());
        fields.extend(Self::path_fields(endpoint, path)?);
        Self::checked(endpoint, fields)
    }

    fn path_fields(endpoint: &Endpoint, path: &BTreeMap<String, String>) -> Result<Map<String, Value>, Failure> {
        let of = |name: &String| endpoint.fields.iter().find(|f| f.name == name).map_or(Kind::Text, |f| f.kind);
        path.iter()
            .map(|(name, text)| match of(name) {
                Kind::Number => {
                    let number = text.parse::<u64>().map_err(|_| wrong(name, "a whole number"))?;
                    Ok((name.clone(), number.into()))
                }
                _ => Ok((name.clone(), text.as_str().into())),
            })
            .collect()
    }

    fn checked(endpoint: &Endpoint, fields: Map<String, Value>) -> Result<Self, Failure> {
        for (name, value) in &fields {
            let Some(field) = endpoint.fields.iter().find(|field| field.name == name) else {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("there is no field `{}` here", name.escape_debug()),
                ));
            };
            match (field.kind, value) {
                (Kind::Text, Value::String(text)) if text.len() > LONGEST => {
                    return Err(Failure::new(FailureKind::User, format!("`{name}` is longer than {LONGEST} bytes")));
                }
                (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) => {}
                (Kind::Number, Value::Number(number)) if number.is_u64() => {}
                (Kind::Text, _) => return Err(wrong(name, "a text")),
                (Kind::Number, _) => return Err(wrong(name, "a whole number")),
                (Kind::Flag, _) => return Err(wrong(name, "true or false")),
            }
        }
        match endpoint.fields.iter().find(|field| field.required && !fields.contains_key(field.name)) {
            Some(missing) => Err(Failure::new(FailureKind::User, format!("`{}` is missing", missing.name))),
            None => Ok(Self(fields)),
        }
    }

    /// A text; `None` where it was not given or is blank.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Words with commas between them.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let all = self.text(name).unwrap_or_default();
        all.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A reason; empty where none was given.
    pub(crate) fn reason(&self) -> String {
        self.text("reason").unwrap_or_default()
    }

    pub(crate) fn project(&self) -> Result<ProjectName, Failure> {
        self.name("project")
    }

    pub(crate) fn environment(&self) -> Result<EnvironmentId, Failure> {
        Ok(EnvironmentId { project: self.project()?, environment: self.name("environment")? })
    }

    /// The environment where one was given.
    pub(crate) fn some_environment(&self) -> Result<Option<EnvironmentName>, Failure> {
        self.text("environment").map(|_| self.name("environment")).transpose()
    }

    pub(crate) fn deployment(&self) -> DeploymentId {
        DeploymentId(self.number("number").unwrap_or_default())
    }

    /// A name of some sort.
    pub(crate) fn name<T: std::str::FromStr>(&self, field: &str) -> Result<T, Failure>
    where
        T::Err: std::error::Error,
    {
        let text = self.text(field).unwrap_or_default();
        text.parse().map_err(|error: T::Err| Failure::from_error(FailureKind::User, &error))
    }
}

fn wrong(name: &str, wanted: &str) -> Failure {
    Failure::new(FailureKind::User, format!("`{}` has to be {wanted}", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use ambit_domain::access::Operation;

    use super::*;
    use crate::dashboard::operations::endpoint;

    fn path(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_the_table_does_not_say_is_refused() {
        let approve = endpoint(Operation::Approve);
        let at = path(&[("project", "kaia"), ("number", "7")]);
        let read = |body: &str| Input::from_json(&approve, &at, body.as_bytes());
        let good = read(r#"{"reason": "tried"}"#).unwrap();
        assert_eq!((good.deployment().0, good.reason().as_str()), (7, "tried"));
        assert_eq!(read("").unwrap().reason(), "");
        assert_eq!(read(r#"{"reason": null}"#).unwrap().reason(), "");
        for bad in
            [r#"{"number": 8}"#, r#"{"project": "other"}"#, r#"{"actor": "x"}"#, r#"{"reason": 5}"#, "[]", "{", "5"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&format!(r#"{{"reason": "{}"}}"#, "x".repeat(LONGEST + 1))).is_err());
        for number in ["-1", "x", "", "99999999999999999999"] {
            let at = path(&[("project", "kaia"), ("number", number)]);
            assert!(Input::from_json(&approve, &at, b"").is_err(), "{number}");
        }
    }

    #[test]
    fn a_form_says_flags_and_numbers_as_texts() {
        let verdict = endpoint(Operation::Verdict);
        let form = path(&[("project", "kaia"), ("about", "test-7"), ("yes", "false"), ("comment", "")]);
        let input = Input::from_texts(&verdict, &form).unwrap();
        assert_eq!((input.flag("yes"), input.text("comment")), (false, None));
        assert!(Input::from_texts(&verdict, &path(&[("project", "kaia"), ("yes", "maybe")])).is_err());
        assert!(Input::from_texts(&verdict, &path(&[("project", "kaia")])).is_err());
        let bad = Input::from_texts(&verdict, &path(&[("project", "../x"), ("yes", "true")])).unwrap();
        assert!(bad.project().is_err());
    }
}
