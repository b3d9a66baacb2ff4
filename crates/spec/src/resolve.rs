//! From a variable as it is declared to the value that a process is given.

use std::collections::HashMap;

use crate::{
    diagnostic::Diagnostic,
    model::{Environment, Origin, Piece, Project, Reference, Rules, ServerPart, Value, Variable},
    name::{EnvironmentName, ServiceName},
};

/// What resolution asks for.
pub trait Inputs {
    /// The text that a reference stands for; variables are resolved without asking.
    fn reference(&self, reference: &Reference) -> Option<String>;
    /// The value of a secret.
    fn secret(&self, name: &str) -> Option<String>;
    /// The value of a generated variable.
    fn generated(&self, name: &str) -> Option<String>;
}

/// A variable with its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the value is a secret or holds one.
    pub secret: bool,
    /// Whether the environment has a value of its own.
    pub origin: Origin,
    /// The services that get it; empty is all.
    pub services: Vec<ServiceName>,
}

/// What is known of the values of an environment.
fn values<'a>(environment: &'a Environment, inputs: &dyn Inputs) -> HashMap<&'a str, Option<String>> {
    let mut values: HashMap<&str, Option<String>> = HashMap::new();
    // Each round resolves what the rounds before made possible; a checked project has no circles, so this ends.
    for _ in 0..=environment.variables.len() {
        let mut progress = false;
        for (name, variable) in &environment.variables {
            if values.contains_key(name.as_str()) {
                continue;
            }
            let value = match &variable.value {
                Value::Secret => Some(inputs.secret(name)),
                Value::Generated(_) => Some(inputs.generated(name)),
                Value::Text(pieces) => text(pieces, &values, environment, inputs),
            };
            if let Some(value) = value {
                values.insert(name, value);
                progress = true;
            }
        }
        if !progress {
            break;
        }
    }
    values
}

/// The values of an environment that hold no secret, whether or not everything else has one.
#[must_use]
pub fn plain_values(environment: &Environment, inputs: &dyn Inputs) -> HashMap<String, String> {
    let known = values(environment, inputs).into_iter();
    known.filter(|(name, _)| !holds_secret(environment, name)).filter_map(|(n, v)| Some((n.to_owned(), v?))).collect()
}

/// Resolves every variable of an environment, or tells every one that has no valid value.
pub fn resolve(environment: &Environment, inputs: &dyn Inputs) -> Result<Vec<Resolved>, Vec<Diagnostic>> {
    let mut values = values(environment, inputs);
    let mut found = Vec::new();
    let mut all = Vec::new();
    for (name, variable) in &environment.variables {
        if is_for_ambit_alone(environment, name) {
            continue;
        }
        let value = values.remove(name.as_str()).flatten();
        match value {
            Some(value) => {
                let broken = breaks(&value, &variable.rules);
                found.extend(broken.into_iter().map(|why| {
                    let fix = match variable.value {
                        Value::Secret => format!("ambit secret set {name} -e {}", environment.name),
                        _ => format!("change {name} in ambit.toml"),
                    };
                    Diagnostic::error(variable.span.clone(), format!("{name} in {} {why}", environment.name)).help(fix)
                }));
                all.push(Resolved {
                    name: name.clone(),
                    value,
                    secret: holds_secret(environment, name),
                    origin: variable.origin,
                    services: variable.services.clone(),
                });
            }
            None if variable.value == Value::Secret && !variable.rules.required => {}
            None => {
                let message = match variable.value {
                    Value::Secret => format!("the secret {name} is not set in {}", environment.name),
                    _ => format!("{name} has no value in {}", environment.name),
                };
                let diagnostic = Diagnostic::error(variable.span.clone(), message);
                found.push(match variable.value {
                    Value::Secret => diagnostic.help(format!("ambit secret set {name} -e {}", environment.name)),
                    _ => diagnostic,
                });
            }
        }
    }
    if found.is_empty() { Ok(all) } else { Err(found) }
}

/// What only sending or storing needs is given to no process, and its absence stops none.
fn is_for_ambit_alone(environment: &Environment, name: &str) -> bool {
    let place = environment.backup.as_ref().and_then(|b| b.to.as_ref());
    let mut kept = place.into_iter().flat_map(|place| place.secrets());
    let token = environment.mobile.as_ref().and_then(|mobile| mobile.token.as_deref());
    environment.variables.get(name).is_some_and(|v| v.services.is_empty())
        && (environment.notifications.secrets().any(|told| told == name)
            || kept.any(|secret| secret == name)
            || token == Some(name)
            || environment.provider_tokens.iter().any(|token| token == name))
}

/// A warning for each environment that cannot come up since secrets that it requires have no value.
pub fn unset_secrets(project: &Project, value: &dyn Fn(&EnvironmentName, &str) -> Option<String>) -> Vec<Diagnostic> {
    let of = |environment: &Environment| {
        let name = &environment.name;
        let unset: Vec<(&String, &Variable)> = environment
            .variables
            .iter()
            .filter(|(_, v)| v.value == Value::Secret && v.rules.required)
            .filter(|(n, _)| !is_for_ambit_alone(environment, n) && value(name, n).is_none())
            .collect();
        let (_, first) = unset.first()?;
        let names: Vec<&str> = unset.iter().map(|(n, _)| n.as_str()).collect();
        let commands: Vec<String> = names.iter().map(|n| format!("ambit secret set {n} -e {name}")).collect();
        let (noun, verb) = if names.len() == 1 { ("secret", "is") } else { ("secrets", "are") };
        let message = format!("{name} cannot come up: the {noun} {} {verb} not set", names.join(", "));
        Some(Diagnostic::error(first.span.clone(), message).help(commands.join(" · ")).warning())
    };
    project.environments.values().filter_map(of).collect()
}

/// `None` while a variable that it names has not been resolved.
#[allow(clippy::option_option)]
fn text(
    pieces: &[Piece],
    values: &HashMap<&str, Option<String>>,
    environment: &Environment,
    inputs: &dyn Inputs,
) -> Option<Option<String>> {
    let mut whole = String::new();
    for piece in pieces {
        let part = match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Reference(Reference::Variable(name)) if environment.variables.contains_key(name) => {
                values.get(name.as_str())?.clone()
            }
            Piece::Reference(reference) => inputs.reference(reference),
        };
        match part {
            Some(part) => whole.push_str(&part),
            None => return Some(None),
        }
    }
    Some(Some(whole))
}

fn breaks(value: &str, rules: &Rules) -> Vec<String> {
    let mut why = Vec::new();
    if rules.required && value.is_empty() {
        why.push("is empty".to_owned());
    }
    let length = value.chars().count();
    if let Some(least) = rules.min_length.filter(|least| length < *least) {
        why.push(format!("is {length} characters long; {least} are required"));
    }
    if !rules.one_of.is_empty() && !rules.one_of.iter().any(|o| o == value) {
        why.push(format!("is none of {}", rules.one_of.join(", ")));
    }
    if rules.url && !value.is_empty() && !is_url(value) {
        why.push("is not a URL".to_owned());
    }
    why
}

fn is_url(value: &str) -> bool {
    value.split_once("://").is_some_and(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !host.is_empty()
            && !value.contains(char::is_whitespace)
    })
}

/// Whether a variable's value is a secret or holds one, directly or through others.
pub(crate) fn holds_secret(environment: &Environment, name: &str) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut left = vec![name];
    while let Some(name) = left.pop() {
        if !seen.insert(name) {
            continue;
        }
        match environment.variables.get(name).map(|v| &v.value) {
            Some(Value::Secret | Value::Generated(_)) => return true,
            Some(Value::Text(pieces)) => {
                for piece in pieces {
                    match piece {
                        Piece::Reference(Reference::Variable(other)) => left.push(other),
                        Piece::Reference(Reference::Postgres(part) | Reference::Redis(part))
                            if matches!(part, ServerPart::Url | ServerPart::Password) =>
                        {
                            return true;
                        }
                        _ => {}
                    }
                }
            }
            None => {}
        }
    }
    false
}
