//! `[variables]` and `[secrets]` of one environment.

use std::ops::Range;

use indexmap::IndexMap;

use crate::{
    diagnostic::Diagnostic,
    format::{Key, SECRET, Takes, VARIABLE},
    model::{Environment, Origin, Piece, Rules, Value, Variable},
    name::ServiceName,
    project::key,
    reader::{Reader, nearest, shown},
    syntax::{Entry, Item, Node},
    text::{self, is_variable},
};

/// Names that Ambit or the system sets.
const RESERVED: &[&str] = &["PATH", "HOME"];

/// What is said where a key names a secret that the environment does not have.
pub(crate) fn undeclared_secret(key: &str, name: &str, span: Range<usize>, environment: &Environment) -> Diagnostic {
    let message = format!("`{key}` names the secret `{}`, which {} does not have", shown(name), environment.name);
    let known: Vec<&str> = environment.secrets().collect();
    let diagnostic = Diagnostic::error(span, message);
    match nearest(name, &known) {
        Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
        None => diagnostic.label("not declared").help(format!("add to [secrets]: {} = {{}}", shown(name))),
    }
}

pub(crate) fn read(reader: &mut Reader, root: &Node, environment: &str) -> IndexMap<String, Variable> {
    let mut all = IndexMap::new();
    for section in ["variables", "secrets"] {
        let Some(entries) = root.get(section).and_then(Node::table) else { continue };
        for entry in entries {
            if !check_name(reader, entry) {
                continue;
            }
            if section == "secrets" && root.get("variables").is_some_and(|v| v.get(&entry.key).is_some()) {
                reader.error(&entry.key_span, format!("`{}` is a variable and a secret", entry.key));
                continue;
            }
            let variable = if section == "secrets" {
                secret(reader, entry, environment)
            } else {
                variable(reader, entry, environment)
            };
            if let Some(variable) = variable {
                all.insert(entry.key.clone(), variable);
            }
        }
    }
    all
}

fn check_name(reader: &mut Reader, entry: &Entry) -> bool {
    if !is_variable(&entry.key) {
        reader.tell(
            Diagnostic::error(entry.key_span.clone(), format!("`{}` is not a variable's name", shown(&entry.key)))
                .help("use letters, digits and underscores, beginning with a letter"),
        );
        return false;
    }
    if RESERVED.contains(&entry.key.as_str()) || entry.key.starts_with("AMBIT_") {
        reader.error(&entry.key_span, format!("`{}` is set by ambit", entry.key));
        return false;
    }
    true
}

/// Long form, short form with a table per environment, or one value for all.
fn variable(reader: &mut Reader, entry: &Entry, environment: &str) -> Option<Variable> {
    let long = entry.node.table().is_some_and(|t| t.iter().any(|e| VARIABLE.iter().any(|k| k.name == e.key)));
    if !long {
        if let Some(entries) = entry.node.table() {
            let known: Vec<&str> = VARIABLE.iter().map(|k| k.name).collect();
            let misspelt = entries.iter().find(|e| {
                !reader.environments.contains(&e.key)
                    && nearest(&e.key, &reader.environments.iter().map(String::as_str).collect::<Vec<_>>()).is_none()
                    && nearest(&e.key, &known).is_some()
            });
            if let Some(misspelt) = misspelt {
                reader.unknown(
                    &misspelt.key_span,
                    &format!("unknown key `{}` in `{}`", shown(&misspelt.key), entry.key),
                    &misspelt.key,
                    &known,
                );
                return None;
            }
        }
        let (node, own) = reader.pick_value(&entry.node, Takes::Scalar, environment)?;
        return Some(Variable {
            value: text_value(reader, node, &entry.key)?,
            origin: if own { Origin::Own } else { Origin::Shared },
            rules: Rules::default(),
            services: Vec::new(),
            span: node.span.clone(),
        });
    }
    let entries = entry.node.table()?;
    reader.known_keys(entries, VARIABLE, &format!("the variable `{}`", entry.key));
    if !wanted(reader, &entry.node, environment) {
        return None;
    }
    let (rules, services) = rules(reader, &entry.node, VARIABLE, environment);
    let value = reader.pick(&entry.node, key(VARIABLE, "value"), environment);
    let generate = reader.pick(&entry.node, key(VARIABLE, "generate"), environment);
    if let (Some(_), Some((node, _))) = (&value, &generate) {
        reader.error(&node.span, format!("`{}` has a value and is generated", entry.key));
    }
    let (value, node, own) = match (value, generate) {
        (Some((node, own)), _) => (text_value(reader, node, &entry.key)?, node, own),
        (None, Some((node, own))) => {
            let length = reader.whole(node, "generate", 8..=1024)?;
            (Value::Generated(usize::try_from(length).ok()?), node, own)
        }
        (None, None) => {
            if rules.required {
                reader.error(&entry.key_span, format!("`{}` is required and has no value in {environment}", entry.key));
            }
            return None;
        }
    };
    let origin = if own { Origin::Own } else { Origin::Shared };
    Some(Variable { value, origin, rules, services, span: node.span.clone() })
}

fn secret(reader: &mut Reader, entry: &Entry, environment: &str) -> Option<Variable> {
    let Some(entries) = entry.node.table() else {
        reader.tell(
            Diagnostic::error(entry.node.span.clone(), format!("the secret `{}` has its value in the file", entry.key))
                .label("anybody who can read the file can read this")
                .help(format!("write {} = {{}} here and run: ambit secret set {} -e ENV", entry.key, entry.key)),
        );
        return None;
    };
    reader.known_keys(entries, SECRET, &format!("the secret `{}`", entry.key));
    if !wanted(reader, &entry.node, environment) {
        return None;
    }
    let (mut rules, services) = rules(reader, &entry.node, SECRET, environment);
    if entry.node.get("required").is_none() {
        rules.required = true;
    }
    Some(Variable { value: Value::Secret, origin: Origin::Own, rules, services, span: entry.key_span.clone() })
}

/// Whether the environment is among those of `only`.
pub(crate) fn wanted(reader: &mut Reader, node: &Node, environment: &str) -> bool {
    let Some(only) = node.get("only") else { return true };
    let Item::List(list) = &only.item else {
        reader.texts(only, "only");
        return true;
    };
    let known = reader.environments.clone();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut found = false;
    for one in list {
        let Some(name) = reader.words(one, "only") else { continue };
        if !known.contains(&name.as_str()) {
            reader.unknown(&one.span, &format!("unknown environment `{}`", shown(&name)), &name, &known);
        }
        found |= name == environment;
    }
    found
}

fn rules(reader: &mut Reader, node: &Node, keys: &'static [Key], environment: &str) -> (Rules, Vec<ServiceName>) {
    let mut rules = Rules::default();
    if let Some((node, _)) = reader.pick(node, key(keys, "required"), environment) {
        rules.required = reader.bool(node, "required").unwrap_or(false);
    }
    if let Some((node, _)) = reader.pick(node, key(keys, "min-length"), environment) {
        rules.min_length = reader.whole(node, "min-length", 1..=65_536).and_then(|n| usize::try_from(n).ok());
    }
    if let Some((node, _)) = reader.pick(node, key(keys, "one-of"), environment) {
        rules.one_of = reader.texts(node, "one-of").unwrap_or_default();
    }
    if let Some((node, _)) = reader.pick(node, key(keys, "url"), environment) {
        rules.url = reader.bool(node, "url").unwrap_or(false);
    }
    let mut services = Vec::new();
    if let Some(node) = node.get("services") {
        for name in reader.texts(node, "services").unwrap_or_default() {
            match name.parse() {
                Ok(name) => services.push(name),
                Err(_) => reader.error(&node.span, format!("unknown service `{}`", shown(&name))),
            }
        }
    }
    (rules, services)
}

fn text_value(reader: &mut Reader, node: &Node, name: &str) -> Option<Value> {
    let Some(value) = node.scalar() else {
        reader.error(&node.span, format!("`{name}` takes a text, a number, true or false, not {}", node.kind()));
        return None;
    };
    if value.contains('\0') {
        reader.error(&node.span, format!("`{name}` holds a NUL character"));
        return None;
    }
    match text::pieces(&value) {
        Ok(pieces) => Some(Value::Text(pieces.into_iter().map(|(piece, _)| piece).collect::<Vec<Piece>>())),
        Err(unknown) => {
            reader.tell(
                Diagnostic::error(within(node, &value, &unknown.at), format!("`{name}` refers to what is not there"))
                    .label(unknown.why),
            );
            None
        }
    }
}

/// Where a part of a text's value stands in the file: exact where the text is written without escapes.
pub(crate) fn within(node: &Node, value: &str, at: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    // One quote on each side and nothing that is longer in the file than in the value.
    if node.span.len() == value.len() + 2 {
        return node.span.start + 1 + at.start..node.span.start + 1 + at.end;
    }
    node.span.clone()
}
