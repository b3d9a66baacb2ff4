//! Adding a teammate to the text of an `ambit.toml`, without touching anything else in it.

use ambit_spec::EnvironmentName;
use toml_edit::{Array, DocumentMut, Item, Value};

use crate::recipients::{RecipientError, Recipients};

const KEY: &str = "recipients";

/// Why a recipient cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is no public key.
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    /// The text is not TOML.
    #[error("ambit.toml is not valid TOML: {0}")]
    Toml(String),
    /// `recipients` is something that no recipient can be added to.
    #[error("`recipients` in ambit.toml should be a list, or a table with a list for each environment")]
    Shape,
    /// One environment was asked for, and the file has one list for all.
    #[error("ambit.toml has one list of recipients for all environments, so {environment} cannot have one of its own")]
    OneListForAll {
        /// The environment asked for.
        environment: EnvironmentName,
    },
}

impl EditError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipient(error) => Some(error.hint()),
            Self::Toml(_) => Some("`ambit check` shows the place".to_owned()),
            Self::Shape | Self::OneListForAll { .. } => {
                Some("write `recipients = { dev = [\"age1…\"], prod = [\"age1…\"] }`".to_owned())
            }
        }
    }
}

/// Adds a recipient to the one list, or to every environment's list; the text comes back as it was where it is there
/// already.
pub fn add_recipient(text: &str, recipient: &str) -> Result<String, EditError> {
    edit(text, recipient, None)
}

/// Adds a recipient to one environment's list, which is made where the table does not have it yet.
pub fn add_recipient_to(text: &str, recipient: &str, environment: &EnvironmentName) -> Result<String, EditError> {
    edit(text, recipient, Some(environment))
}

fn edit(text: &str, recipient: &str, only: Option<&EnvironmentName>) -> Result<String, EditError> {
    let recipient = recipient.trim();
    Recipients::parse(&[recipient])?;
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| EditError::Toml(error.to_string()))?;
    let Some(item) = document.get_mut(KEY) else {
        return insert(text, recipient, only);
    };
    let added = match (item, only) {
        (Item::Value(Value::Array(list)), None) => push(list, recipient),
        (Item::Value(Value::Array(list)), Some(_)) if holds(list, recipient) => false,
        (Item::Value(Value::Array(_) | Value::String(_)), Some(environment)) => {
            return Err(EditError::OneListForAll { environment: environment.clone() });
        }
        (item @ Item::Value(Value::String(_)), None) => push_to_item(item, recipient)?,
        (item, only) => {
            let table = item.as_table_like_mut().ok_or(EditError::Shape)?;
            match only {
                None if table.is_empty() => return Err(EditError::Shape),
                None => {
                    let mut added = false;
                    for (_, list) in table.iter_mut() {
                        added |= push_to_item(list, recipient)?;
                    }
                    added
                }
                Some(environment) => match table.get_mut(environment.as_str()) {
                    Some(list) => push_to_item(list, recipient)?,
                    None => {
                        table.insert(environment.as_str(), toml_edit::value(Array::from_iter([recipient])));
                        true
                    }
                },
            }
        }
    };
    Ok(if added { document.to_string() } else { text.to_owned() })
}

fn push_to_item(item: &mut Item, recipient: &str) -> Result<bool, EditError> {
    let value = item.as_value_mut().ok_or(EditError::Shape)?;
    match value {
        Value::Array(list) => Ok(push(list, recipient)),
        Value::String(only) if only.value() == recipient => Ok(false),
        Value::String(only) => {
            let decor = only.decor().clone();
            let mut list = Array::from_iter([only.value().as_str(), recipient]);
            *list.decor_mut() = decor;
            *value = Value::Array(list);
            Ok(true)
        }
        _ => Err(EditError::Shape),
    }
}

fn holds(list: &Array, recipient: &str) -> bool {
    list.iter().any(|entry| entry.as_str().is_some_and(|entry| entry.trim() == recipient))
}

/// Adds to a list in the list's own style: beside the others, or on a line of its own below them.
fn push(list: &mut Array, recipient: &str) -> bool {
    if holds(list, recipient) {
        return false;
    }
    let style = list.iter().last().and_then(|last| last.decor().prefix()).and_then(|prefix| prefix.as_str());
    let Some(indent) = style.and_then(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| indent.to_owned()) else {
        list.push(recipient);
        return true;
    };
    // A comment behind the last entry is kept by the parser as what precedes the bracket; it stays on its line.
    let had_comma = list.trailing_comma();
    let trailing = list.trailing().as_str().unwrap_or_default().to_owned();
    let mut entry = Value::from(recipient);
    if had_comma {
        let (kept, before_bracket) = trailing.rsplit_once('\n').unwrap_or((trailing.as_str(), ""));
        entry.decor_mut().set_prefix(format!("{}\n{indent}", kept.trim_end()));
        list.push_formatted(entry);
        list.set_trailing(format!("\n{before_bracket}"));
    } else {
        let last = list.len().saturating_sub(1);
        if let Some(last) = list.get_mut(last) {
            let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default().to_owned();
            let (kept, before_bracket) = suffix.rsplit_once('\n').unwrap_or((suffix.as_str(), ""));
            entry.decor_mut().set_prefix(format!("{}\n{indent}", kept.trim_end()));
            entry.decor_mut().set_suffix(format!("\n{before_bracket}"));
            last.decor_mut().set_suffix("");
        }
        list.push_formatted(entry);
    }
    true
}

/// Puts the key in as text, since the document itself would add it behind all other keys of the top.
fn insert(text: &str, recipient: &str, only: Option<&EnvironmentName>) -> Result<String, EditError> {
    let line = match only {
        None => format!("{KEY} = [\"{recipient}\"]\n"),
        Some(environment) => format!("{KEY} = {{ {environment} = [\"{recipient}\"] }}\n"),
    };
    let document = toml_edit::Document::parse(text).map_err(|error| EditError::Toml(error.to_string()))?;
    let after = ["project", "domain"]
        .iter()
        .filter_map(|key| document.get(key).and_then(Item::span))
        .map(|span| span.end)
        .max()
        .map(|end| text[end..].find('\n').map_or(text.len(), |length| end + length + 1));
    let place = after.unwrap_or_else(|| {
        text.split_inclusive('\n').take_while(|line| line.trim_start().starts_with('#')).map(str::len).sum()
    });
    let (before, behind) = text.split_at(place);
    let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{separator}{line}{behind}"))
}
