//! Whether secrets are worth their name. Values are looked at and never told.

use crate::{
    diagnostic::Diagnostic,
    model::{Environment, Kind, Project, Value},
    name::EnvironmentName,
};

/// Fewest characters of production's token secrets (RFC 7518, 3.2: a key of at least 256 bits for HS256).
const TOKEN_SECRET: usize = 32;

/// A value made of these words alone is a placeholder.
const PLACEHOLDERS: &[&str] = &[
    "a",
    "abc",
    "api",
    "change",
    "changeit",
    "changeme",
    "default",
    "dummy",
    "example",
    "fake",
    "foo",
    "bar",
    "here",
    "insert",
    "key",
    "me",
    "my",
    "none",
    "null",
    "pass",
    "passw0rd",
    "password",
    "placeholder",
    "please",
    "replace",
    "sample",
    "secret",
    "supersecret",
    "tbd",
    "test",
    "testing",
    "the",
    "this",
    "todo",
    "token",
    "undefined",
    "value",
    "xxx",
    "your",
];

/// What is wrong with a secret.
struct Finding {
    name: String,
    environments: Vec<EnvironmentName>,
    diagnostic: Diagnostic,
}

/// Tells weak secrets of production and secrets that environments share.
#[must_use]
pub fn check_secrets(project: &Project, value: &dyn Fn(&EnvironmentName, &str) -> Option<String>) -> Vec<Diagnostic> {
    findings(project, value).into_iter().map(|finding| finding.diagnostic).collect()
}

/// The secrets that something is wrong with, each with its environment.
#[must_use]
pub fn weak_secrets(
    project: &Project,
    value: &dyn Fn(&EnvironmentName, &str) -> Option<String>,
) -> Vec<(EnvironmentName, String)> {
    let pairs = |finding: Finding| finding.environments.into_iter().map(move |e| (e, finding.name.clone()));
    findings(project, value).into_iter().flat_map(pairs).collect()
}

fn findings(project: &Project, value: &dyn Fn(&EnvironmentName, &str) -> Option<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for environment in project.environments.values() {
        for (name, variable) in environment.variables.iter().filter(|(_, v)| v.value == Value::Secret) {
            let Some(secret) = value(&environment.name, name) else { continue };
            let fix = format!("ambit secret set {name} -e {} --generate", environment.name);
            let mut tell = |message: String| {
                found.push(Finding {
                    name: name.clone(),
                    environments: vec![environment.name.clone()],
                    diagnostic: Diagnostic::error(variable.span.clone(), message).help(fix.clone()),
                });
            };
            let length = secret.chars().count();
            let production = environment.kind == Kind::Production;
            let least = if production && is_token_secret(name) { TOKEN_SECRET } else { 0 };
            let least = variable.rules.min_length.unwrap_or(0).max(least);
            if length < least {
                tell(format!("{name} in {} is {length} characters long; {least} are required", environment.name));
            } else if production && is_placeholder(&secret) {
                tell(format!("{name} in {} is a placeholder", environment.name));
            }
        }
    }
    found.extend(shared(project, value));
    found
}

fn shared(project: &Project, value: &dyn Fn(&EnvironmentName, &str) -> Option<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    let environments: Vec<&Environment> = project.environments.values().collect();
    for (n, one) in environments.iter().enumerate() {
        for other in environments.iter().skip(n + 1) {
            for (name, variable) in one.variables.iter().filter(|(_, v)| v.value == Value::Secret) {
                if !is_key(name) || other.variables.get(name).is_none_or(|v| v.value != Value::Secret) {
                    continue;
                }
                let (Some(a), Some(b)) = (value(&one.name, name), value(&other.name, name)) else { continue };
                if a.is_empty() || a != b {
                    continue;
                }
                let production = [one, other].into_iter().find(|e| e.kind == Kind::Production);
                let message = format!("{name} is the same in {} and {}", one.name, other.name);
                let again = production.unwrap_or(other);
                let diagnostic = Diagnostic::error(variable.span.clone(), message)
                    .label("who knows one environment's would know the other's")
                    .help(format!("ambit secret set {name} -e {} --generate", again.name));
                found.push(Finding {
                    name: name.clone(),
                    environments: vec![one.name.clone(), other.name.clone()],
                    diagnostic: if production.is_some() || is_token_secret(name) {
                        diagnostic
                    } else {
                        diagnostic.warning()
                    },
                });
            }
        }
    }
    found
}

fn is_token_secret(name: &str) -> bool {
    name.split('_').any(|word| word == "JWT")
}

/// Names whose values open something; identifiers and addresses may well be shared.
fn is_key(name: &str) -> bool {
    is_token_secret(name)
        || ["SECRET", "KEY", "TOKEN", "PASSWORD"].iter().any(|end| name.split('_').next_back() == Some(end))
}

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let one_character = |w: &str| w.chars().all(|c| w.starts_with(c));
    let counting = |w: &str| {
        w.chars().all(|c| c.is_ascii_digit()) && ("01234567890".contains(w) || "12345678901234567890".contains(w))
    };
    words.iter().all(|w| PLACEHOLDERS.contains(w) || one_character(w) || counting(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known_by_all_of_their_words() {
        for value in [
            "changeme",
            "CHANGE_ME",
            "your-secret-key-here",
            "xxxxxxxxxxxxxxxx",
            "password",
            "12345678",
            "",
            "<todo>",
            "secret",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in
            ["ultra-secure-production-secret-min-32-chars", "SG.production-key", "production-token", "x9Kd02mf"]
        {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
