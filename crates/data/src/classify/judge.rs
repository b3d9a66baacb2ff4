//! One column.

use super::lexicon::{Meaning, Subject, meaning, subject};
use super::sampled::Sampled;
use super::table::Table;
use super::verdict::Verdict;
use super::words::words;
use super::{json, numbers, texts};
use crate::column::{ColumnFacts, Shape};
use crate::masking::{Mask, Masker, Rule};

/// What is known of a text or number, whether it is a column or a part of one.
pub(super) struct Place<'a> {
    pub(super) meaning: Option<Meaning>,
    /// Where the meaning comes from, for the reason.
    pub(super) said: String,
    pub(super) shape: &'a Shape,
    pub(super) not_null: bool,
    pub(super) table: &'a Table,
    /// Whether somebody wrote that it is personal.
    pub(super) personal: bool,
}

pub(super) fn judge(facts: &ColumnFacts, values: &[Option<String>], table: &Table) -> Verdict {
    if table.machinery {
        return Verdict::keep(0.98, "a framework's own table");
    }
    if facts.generated {
        return Verdict::keep(0.99, "PostgreSQL computes it from other columns");
    }
    let values = || values.iter().flatten().map(String::as_str);
    let name = words(&facts.name.column);
    let found = meaning(&name).map(|(what, said)| (resolved(what, &name, table), format!("its name says \"{said}\"")));
    let comment = facts.comment.as_deref().map(words).unwrap_or_default();
    let commented = meaning(&comment)
        .filter(|(what, _)| !matches!(what, Meaning::Plain | Meaning::Id | Meaning::Title))
        .map(|(what, said)| (resolved(what, &comment, table), format!("its comment says \"{said}\"")));
    let (meaning, said) = match (found, commented) {
        // A comment tells more than a name that tells nothing.
        (None | Some((Meaning::Plain | Meaning::Title | Meaning::Prose, _)), Some(comment)) => Some(comment),
        (found, _) => found,
    }
    .map_or((None, String::new()), |(what, said)| (Some(what), said));
    let personal = comment.iter().any(|w| {
        matches!(
            w.as_str(),
            "pii" | "personal" | "personales" | "sensitive" | "sensible" | "gdpr" | "rgpd" | "confidential"
        )
    });
    let place = Place { meaning, said, shape: &facts.shape, not_null: facts.not_null, table, personal };
    match &facts.shape {
        Shape::Array(element) => {
            let mut elements: Vec<String> = Vec::new();
            let mask = Mask::kept(&facts.shape);
            values().for_each(|v| mask.visit(v, &mut |leaf| elements.push(leaf.text.to_owned())));
            let place = Place { shape: innermost(element), ..place };
            of_shape(&place, &facts.data_type, &elements.iter().map(String::as_str).collect::<Vec<_>>())
        }
        _ => of_shape(&place, &facts.data_type, &values().collect::<Vec<_>>()),
    }
}

fn innermost(shape: &Shape) -> &Shape {
    match shape {
        Shape::Array(element) => innermost(element),
        shape => shape,
    }
}

/// A name is of what the words beside it are about, or else of what the table is about.
fn resolved(what: Meaning, name: &[String], table: &Table) -> Meaning {
    if what != Meaning::Name {
        return what;
    }
    let beside = subject(name);
    match if beside == Subject::Other && name.len() == 1 { table.subject } else { beside } {
        Subject::Person => Meaning::FullName,
        Subject::Company => Meaning::Company,
        Subject::Catalog | Subject::Content => Meaning::Title,
        Subject::Other => Meaning::Name,
    }
}

fn of_shape(place: &Place<'_>, data_type: &str, values: &[&str]) -> Verdict {
    match place.shape {
        Shape::Boolean => Verdict::keep(0.99, "yes or no"),
        Shape::Enum { .. } if place.meaning == Some(Meaning::Sensitive) => {
            Verdict::mask(Masker::Enum, 0.6, format!("an enum, and {}", place.said))
        }
        Shape::Enum { .. } => Verdict::keep(0.97, "an enum"),
        Shape::Uuid => match place.meaning {
            Some(Meaning::Token | Meaning::ForeignId | Meaning::Password) => {
                Verdict::mask(Masker::Uuid, 0.9, place.said.clone())
            }
            _ => Verdict::keep(0.95, "a UUID"),
        },
        Shape::Integer { .. } | Shape::Numeric { .. } | Shape::Float => numbers::judge(place, &sampled(values)),
        Shape::Date | Shape::Timestamp { .. } => match place.meaning {
            Some(Meaning::Birth) => Verdict::mask(birth(place.table), 0.95, format!("a date, and {}", place.said)),
            _ if place.personal => {
                Verdict::mask(birth(place.table), 0.6, "a date, and its comment says that it is personal")
            }
            _ => Verdict::keep(0.9, "when something was"),
        },
        Shape::Network => Verdict::mask(Masker::Ip { prefix: false }, 0.95, "an IP address"),
        Shape::Bytes => bytes(place),
        Shape::Json => json::judge(place.table, values),
        Shape::Hstore => Verdict::mask(
            Masker::Hstore { keys: Vec::new(), rest: None },
            0.4,
            "keys and values: name those that can be kept",
        ),
        Shape::Composite { fields } => composite(place.table, fields),
        Shape::Other => other(place, data_type),
        Shape::Text { .. } | Shape::Padded { .. } if data_type == "xml" => emptied(place, "<masked/>", 0.4, "XML"),
        Shape::Text { .. } | Shape::Padded { .. } => texts::judge(place, &sampled(values), values),
        Shape::Array(element) => {
            of_shape(&Place { shape: innermost(element), said: place.said.clone(), ..*place }, data_type, values)
        }
    }
}

fn sampled(values: &[&str]) -> Sampled {
    Sampled::new(values.iter().copied())
}

/// Half a year in either direction: ages stay what they are, birthdays do not.
pub(super) fn birth(table: &Table) -> Masker {
    Masker::DateShift { days: 180, by: table.whose.clone() }
}

fn bytes(place: &Place<'_>) -> Verdict {
    match place.meaning {
        Some(Meaning::Plain) => Verdict::keep(0.7, place.said.clone()),
        Some(Meaning::Picture | Meaning::Title) if place.table.is_catalog() => {
            Verdict::keep(0.6, format!("{} of something that is offered", place.said))
        }
        Some(_) => Verdict::mask(Masker::Bytes, 0.8, format!("bytes, and {}", place.said)),
        None => Verdict::mask(Masker::Bytes, 0.5, "bytes of whatever kind"),
    }
}

fn other(place: &Place<'_>, data_type: &str) -> Verdict {
    match data_type {
        t if t.starts_with("point") => Verdict::mask(Masker::Coordinates, 0.85, "a place"),
        "tsvector" => emptied(place, "", 0.6, "a search index holds the words of what it indexes"),
        "macaddr" | "macaddr8" => emptied(place, "02:00:00:00:00:00", 0.7, "the address of somebody's device"),
        t if [
            "time", "interval", "money", "bit", "oid", "pg_lsn", "int", "num", "ts", "date", "reg", "ltree", "txid",
            "xid",
        ]
        .iter()
        .any(|k| t.starts_with(k)) =>
        {
            Verdict::keep(0.85, "a time, an amount or a number")
        }
        t if t.starts_with("geo") || matches!(t, "polygon" | "path" | "circle" | "box" | "lseg" | "line") => {
            emptied(place, "", 0.3, "a place on the map")
        }
        _ => emptied(place, "", 0.2, "a type that nothing is known of"),
    }
}

/// NULL where that is allowed, else a value that says nothing.
fn emptied(place: &Place<'_>, empty: &str, confidence: f32, reason: &str) -> Verdict {
    let masker = if place.not_null { Masker::Fixed(empty.to_owned()) } else { Masker::Null };
    Verdict::mask(masker, confidence, reason)
}

fn composite(table: &Table, fields: &[(String, Shape)]) -> Verdict {
    let mut least: f32 = 0.9;
    let rules = fields
        .iter()
        .map(|(field, shape)| {
            let name = words(field);
            let found =
                meaning(&name).map(|(what, said)| (resolved(what, &name, table), format!("its name says \"{said}\"")));
            let (meaning, said) = found.map_or((None, String::new()), |(what, said)| (Some(what), said));
            let place = Place { meaning, said, shape, not_null: false, table, personal: false };
            let verdict = of_shape(&place, "", &[]);
            least = least.min(verdict.confidence);
            (field.clone(), verdict.rule)
        })
        .collect::<Vec<(String, Rule)>>();
    if rules.iter().all(|(_, rule)| *rule == Rule::Keep) {
        return Verdict::keep(least, "none of its fields is personal");
    }
    Verdict::mask(Masker::Composite(rules), least, "by the names of its fields")
}
