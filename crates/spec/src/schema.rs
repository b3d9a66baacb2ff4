//! The format as a JSON Schema, for editors that complete and check TOML by one.

use serde_json::{Map, Value, json};

use crate::format::{self, Key, Takes};

/// JSON Schema (draft 2020-12) of `ambit.toml`.
#[must_use]
pub fn schema() -> Value {
    let mut properties = keys(format::TOP);
    for (name, about) in format::ROOTS {
        let mut section = match *name {
            "environments" => named(&object(format::ENVIRONMENT)),
            "services" => json!({
                "type": "object",
                "properties": { "postgres": object(format::POSTGRES), "redis": object(format::REDIS) },
                "additionalProperties": { "anyOf": [object(format::APP), object(format::SITE)] },
            }),
            "variables" => named(&json!({ "anyOf": [scalar(), per_environment(&scalar()), object(format::VARIABLE)] })),
            "secrets" => named(&object(format::SECRET)),
            "mobile" => object(format::MOBILE),
            "monitoring" => object(format::MONITORING),
            "costs" => {
                let mut costs = object(format::COSTS);
                costs["additionalProperties"] = takes(Takes::Prices);
                costs
            }
            "providers" => {
                let all = format::PROVIDERS.iter().map(|(name, keys)| ((*name).to_owned(), object(keys)));
                json!({ "type": "object", "properties": all.collect::<Map<_, _>>(), "additionalProperties": false })
            }
            "tls" => object(format::TLS),
            _ => object(format::NOTIFICATIONS),
        };
        section["description"] = json!(about);
        properties.insert((*name).to_owned(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ambit.toml",
        "type": "object",
        "properties": properties,
        "required": ["project", "environments"],
        "additionalProperties": false,
    })
}

/// Every section and key of the format as tables in Markdown: the body of `docs/ambit-toml.md`.
#[must_use]
pub fn reference() -> String {
    let mut out = String::new();
    for section in format::SECTIONS {
        let title = if section.header.is_empty() { "At the top".to_owned() } else { format!("`[{}]`", section.header) };
        out.push_str(&format!("## {title}\n\n{}\n\n| key | takes | for |\n| --- | --- | --- |\n", section.about));
        for key in section.keys {
            let each = if key.per_environment { " *" } else { "" };
            out.push_str(&format!("| `{}`{each} | {} | {} |\n", key.name, words(key.takes), key.about));
            let (inner, below) = match key.takes {
                Takes::Table(keys) | Takes::TextOrTable(keys) => (keys, ""),
                Takes::Named(keys) => (keys, ".NAME"),
                _ => continue,
            };
            for inner in inner {
                out.push_str(&format!(
                    "| `{}{below}.{}` | {} | {} |\n",
                    key.name,
                    inner.name,
                    words(inner.takes),
                    inner.about
                ));
            }
        }
        out.push('\n');
    }
    out
}

fn words(takes: Takes) -> String {
    match takes {
        Takes::Text => "text".to_owned(),
        Takes::Texts => "list of texts".to_owned(),
        Takes::TextOrTexts => "text or list of texts".to_owned(),
        Takes::Bool => "true or false".to_owned(),
        Takes::Number => "number".to_owned(),
        Takes::Size => "size: `512MB`, `2GB`".to_owned(),
        Takes::Duration => "time: `30s`, `15m`, `6h`, `7d`, `weekly`".to_owned(),
        Takes::Scalar => "text, number, true or false".to_owned(),
        Takes::OneOf(values) => values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", "),
        Takes::Table(_) => "table".to_owned(),
        Takes::TextOrTable(_) => "text or table".to_owned(),
        Takes::Free => "table of names and values".to_owned(),
        Takes::Price => "`5`, `[minimum, recommended]`, `[minimum, recommended, paid]`, `{ yearly = … }`".to_owned(),
        Takes::Prices => "table of line items".to_owned(),
        Takes::PricesEach => "table of line items for each environment".to_owned(),
        Takes::Named(_) => "table of names and tables".to_owned(),
        Takes::Amount => "number or `[from, to]`".to_owned(),
    }
}

fn keys(keys: &[Key]) -> Map<String, Value> {
    keys.iter()
        .map(|key| {
            let value = takes(key.takes);
            let mut value =
                if key.per_environment { json!({ "anyOf": [value.clone(), per_environment(&value)] }) } else { value };
            value["description"] = json!(key.about);
            (key.name.to_owned(), value)
        })
        .collect()
}

fn object(of: &[Key]) -> Value {
    json!({ "type": "object", "properties": keys(of), "additionalProperties": false })
}

fn named(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

fn per_environment(value: &Value) -> Value {
    named(value)
}

fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn amount() -> Value {
    json!({ "type": "number", "minimum": 0 })
}

fn amounts(least: usize, most: usize) -> Value {
    json!({ "type": "array", "items": amount(), "minItems": least, "maxItems": most })
}

fn takes(takes_: Takes) -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    match takes_ {
        Takes::Text => json!({ "type": "string" }),
        Takes::Texts => texts,
        Takes::TextOrTexts => json!({ "anyOf": [{ "type": "string" }, texts] }),
        Takes::Bool => json!({ "type": "boolean" }),
        Takes::Number => json!({ "type": "number" }),
        Takes::Size => json!({ "type": "string", "pattern": "^[0-9.]+ ?(KB|kB|KiB|MB|MiB|GB|GiB)$" }),
        Takes::Duration => json!({ "type": "string", "pattern": "^([1-9][0-9]*[smhdw]|hourly|daily|weekly)$" }),
        Takes::Scalar => scalar(),
        Takes::OneOf(values) => json!({ "enum": values }),
        Takes::Table(keys) => object(keys),
        Takes::TextOrTable(keys) => json!({ "anyOf": [{ "type": "string" }, object(keys)] }),
        Takes::Free => named(&scalar()),
        Takes::Price => {
            let price = json!({ "anyOf": [amount(), amounts(2, 3)] });
            let yearly = json!({ "type": "object", "properties": { "yearly": price }, "required": ["yearly"], "additionalProperties": false });
            json!({ "anyOf": [price, yearly] })
        }
        Takes::Prices => named(&takes(Takes::Price)),
        Takes::PricesEach => named(&takes(Takes::Prices)),
        Takes::Named(keys) => named(&object(keys)),
        Takes::Amount => json!({ "anyOf": [amount(), amounts(2, 2)] }),
    }
}
