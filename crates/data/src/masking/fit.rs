//! Whether a masker fits a column: its shape, its uniqueness, whether it may be NULL.

use std::net::IpAddr;

use super::maskers::kind::is_uuid;
use super::maskers::{calendar, limits};
use super::rule::{Decimal, Masker, Rule, TemplatePart};
use super::shapes;
use crate::column::{ColumnFacts, Shape};

/// Says why the masker does not fit.
pub(crate) fn check(masker: &Masker, facts: &ColumnFacts) -> Result<(), String> {
    if facts.generated {
        return Err("PostgreSQL computes this column from others, which are masked themselves: keep it".to_owned());
    }
    if *masker == Masker::Null && facts.not_null {
        return Err("the column is NOT NULL".to_owned());
    }
    if facts.data_type == "xml" && !matches!(masker, Masker::Null | Masker::Fixed(_)) {
        return Err("XML is kept, null or fixed: not supported yet: masking what is inside".to_owned());
    }
    shape(masker, &facts.shape, &facts.data_type)?;
    if facts.unique { unique(masker, element(&facts.shape)) } else { Ok(()) }
}

/// The column that the masker takes the subject from.
pub(super) fn subject(masker: &Masker) -> Result<Option<&str>, String> {
    let nested: Vec<&Rule> = match masker {
        Masker::DateShift { by, .. } => return Ok(by.as_deref()),
        Masker::Json(paths) => paths.iter().map(|(_, rule)| rule).collect(),
        Masker::Hstore { keys, rest } => keys.iter().map(|(_, rule)| rule).chain(rest.as_deref()).collect(),
        Masker::Composite(fields) => fields.iter().map(|(_, rule)| rule).collect(),
        _ => return Ok(None),
    };
    let mut found = None;
    for rule in nested {
        let Rule::Mask(masker) = rule else { continue };
        match (found, subject(masker)?) {
            (Some(one), Some(other)) if one != other => {
                return Err(format!("dates are shifted by `{one}` and by `{other}`: one column has one subject"));
            }
            (_, Some(by)) => found = Some(by),
            _ => {}
        }
    }
    Ok(found)
}

fn element(shape: &Shape) -> &Shape {
    match shape {
        Shape::Array(inner) => element(inner),
        shape => shape,
    }
}

fn shape(masker: &Masker, shape: &Shape, data_type: &str) -> Result<(), String> {
    match (masker, shape) {
        (Masker::Null, _) => return Ok(()),
        (Masker::Fixed(value), shape) => return fixed(value, shape),
        (masker, Shape::Array(inner)) => return self::shape(masker, inner, data_type),
        _ => {}
    }
    let texts = matches!(shape, Shape::Text { .. } | Shape::Padded { .. });
    let integers = matches!(shape, Shape::Integer { .. });
    let numbers = integers || matches!(shape, Shape::Numeric { .. } | Shape::Float);
    let fits = match masker {
        Masker::Id | Masker::Digits => texts || integers || matches!(shape, Shape::Numeric { .. } | Shape::Uuid),
        Masker::Phone | Masker::Postcode => texts || integers || matches!(shape, Shape::Numeric { .. }),
        Masker::Number { .. } | Masker::Noise { .. } => numbers,
        Masker::DateShift { .. } => texts || matches!(shape, Shape::Date | Shape::Timestamp { .. }),
        Masker::Ip { .. } => texts || *shape == Shape::Network,
        Masker::Uuid => texts || *shape == Shape::Uuid,
        Masker::Json(_) => texts || *shape == Shape::Json,
        Masker::Hstore { .. } => *shape == Shape::Hstore,
        Masker::Composite(_) => matches!(shape, Shape::Composite { .. }),
        Masker::Bytes => *shape == Shape::Bytes,
        Masker::Enum => matches!(shape, Shape::Enum { .. }),
        Masker::Coordinates => texts || data_type.starts_with("point") || numbers && !integers,
        _ => texts,
    };
    if !fits {
        let instead = match shape {
            Shape::Json => "; for JSON there is `json(path: masker, …)`",
            Shape::Hstore => "; for hstore there is `hstore(key: masker, …)`",
            Shape::Composite { .. } => "; for a composite type there is `composite(field: masker, …)`",
            Shape::Bytes => "; for bytea there is `bytes`",
            Shape::Date | Shape::Timestamp { .. } => "; for dates there is `date-shift(days, by=column)`",
            Shape::Integer { .. } | Shape::Numeric { .. } => {
                "; for numbers there are `number`, `noise`, `id` and `digits`"
            }
            Shape::Other | Shape::Boolean => "; it can be kept, null or fixed",
            _ => "",
        };
        return Err(format!("`{masker}` does not fit the type {data_type}{instead}"));
    }
    match masker {
        Masker::Number { least, most } => number(*least, *most, shape),
        Masker::Enum if matches!(shape, Shape::Enum { labels } if labels.len() < 2) => {
            Err("the enum has no other label".to_owned())
        }
        Masker::Json(paths) => paths.iter().try_for_each(|(path, rule)| nested(rule, &TEXT, &path.to_string())),
        Masker::Hstore { keys, rest } => {
            let rest = rest.iter().map(|rule| ("*", &**rule));
            let mut all = keys.iter().map(|(key, rule)| (key.as_str(), rule)).chain(rest);
            all.try_for_each(|(key, rule)| nested(rule, &TEXT, key))
        }
        Masker::Composite(rules) => composite(rules, shape),
        _ => Ok(()),
    }
}

const TEXT: Shape = Shape::Text { longest: None };

fn nested(rule: &Rule, of: &Shape, place: &str) -> Result<(), String> {
    match rule {
        Rule::Keep => Ok(()),
        // Numbers in JSON may be masked as numbers.
        Rule::Mask(Masker::Number { .. } | Masker::Noise { .. }) if *of == TEXT => Ok(()),
        Rule::Mask(Masker::Fixed(_)) if *of == TEXT => Ok(()),
        Rule::Mask(masker) => shape(masker, of, if *of == TEXT { "text" } else { "of the field" })
            .map_err(|why| format!("{place}: {why}")),
    }
}

fn composite(rules: &[(String, Rule)], shape: &Shape) -> Result<(), String> {
    let Shape::Composite { fields } = shape else { return Ok(()) };
    if let Some((name, _)) = rules.iter().find(|(name, _)| !fields.iter().any(|(f, _)| f == name)) {
        return Err(format!("the type has no field `{name}`"));
    }
    for (name, of) in fields {
        match rules.iter().find(|(n, _)| n == name) {
            Some((_, rule)) => nested(rule, of, name)?,
            None => return Err(format!("the field `{name}` is not named: say `{name}: keep`, or a masker")),
        }
    }
    Ok(())
}

fn number(least: Decimal, most: Decimal, shape: &Shape) -> Result<(), String> {
    let (scale, largest) = match shape {
        Shape::Integer { bytes } => (0, (1i128 << (8 * u32::from(*bytes) - 1)) - 1),
        Shape::Numeric { precision: Some(precision), scale } => {
            let scale = u32::try_from(scale.unwrap_or(0)).unwrap_or(0).min(30);
            (scale, 10i128.checked_pow(u32::from(*precision)).map_or(i128::MAX, |n| n - 1))
        }
        _ => return Ok(()),
    };
    let (low, high) = limits::bounds(least, most, scale)
        .ok_or_else(|| format!("between {least} and {most} there are no two numbers of this type"))?;
    if low < -largest || high > largest {
        return Err(format!("{least}..{most} is more than the type takes"));
    }
    Ok(())
}

fn fixed(value: &str, shape: &Shape) -> Result<(), String> {
    let right = match shape {
        Shape::Text { longest: Some(longest) } | Shape::Padded { length: longest } => value.chars().count() <= *longest,
        Shape::Text { longest: None } | Shape::Float | Shape::Hstore | Shape::Composite { .. } | Shape::Other => true,
        Shape::Integer { bytes } => {
            let bits = 8 * u32::from(*bytes) - 1;
            value.parse::<i128>().is_ok_and(|n| n >= -(1 << bits) && n < (1 << bits))
        }
        Shape::Numeric { .. } => value.parse::<Decimal>().is_ok(),
        Shape::Boolean => matches!(value, "t" | "f" | "true" | "false"),
        Shape::Uuid => is_uuid(value),
        Shape::Date | Shape::Timestamp { .. } => calendar::Date::leading(value).is_some(),
        Shape::Network => value.split('/').next().is_some_and(|v| v.parse::<IpAddr>().is_ok()),
        Shape::Bytes => value.starts_with("\\x"),
        Shape::Enum { labels } => labels.iter().any(|l| l == value),
        Shape::Json => shapes::is_json(value),
        Shape::Array(_) => value.starts_with('{') && value.ends_with('}'),
    };
    if right { Ok(()) } else { Err("the fixed value is none of the column's type".to_owned()) }
}

/// Whether no two values become one. Permutations never make them; pseudonyms have to be long enough.
fn unique(masker: &Masker, shape: &Shape) -> Result<(), String> {
    let room = limits::longest(shape);
    let long = |least: usize| match room {
        Some(room) if room < least => Err(format!(
            "values are unique, and the column takes {room} characters: a pseudonym that is unique too has {least}; `id` fits any length"
        )),
        _ => Ok(()),
    };
    let never =
        |instead: &str| Err(format!("values are unique, and `{masker}` can make two of them the same{instead}"));
    match masker {
        Masker::Phone
        | Masker::Postcode
        | Masker::Id
        | Masker::Digits
        | Masker::Uuid
        | Masker::Token
        | Masker::Bytes
        | Masker::Enum
        | Masker::Ip { prefix: true }
        | Masker::Null => Ok(()),
        Masker::Email => long(limits::EMAIL),
        Masker::Username => long(limits::USERNAME),
        Masker::Url => long(limits::URL),
        Masker::Hash => long(limits::HASH),
        Masker::Name
        | Masker::FirstName
        | Masker::LastName
        | Masker::Company
        | Masker::Street
        | Masker::City
        | Masker::Address => long(limits::SUFFIX),
        // Dates of one subject stay apart. Two subjects' may meet, which only an index over the date alone would refuse.
        Masker::DateShift { by: Some(_), .. } => Ok(()),
        Masker::DateShift { by: None, .. } => never(": say whose dates they are, `by=column`"),
        Masker::Template(template) => {
            let bits: usize = template
                .0
                .iter()
                .map(|part| match part {
                    TemplatePart::Hash(n) => 5 * n,
                    TemplatePart::Digits(n) => 3 * n,
                    _ => 0,
                })
                .max()
                .unwrap_or(0);
            if bits < 60 { never(": use {hash:12} or longer") } else { long(template_length(&template.0)) }
        }
        Masker::Ip { prefix: false } => never("; `ip(prefix)` does not"),
        Masker::Text => never("; `id` and `username` do not"),
        Masker::Number { .. } | Masker::Noise { .. } | Masker::Coordinates => never("; `id` does not"),
        Masker::Password { .. } | Masker::Fixed(_) | Masker::Json(_) | Masker::Hstore { .. } | Masker::Composite(_) => {
            never("")
        }
    }
}

/// The most characters that the template writes up to the end of its longest pseudonym: what comes after may be cut.
fn template_length(parts: &[TemplatePart]) -> usize {
    const LONGEST_NAME: usize = 16;
    let lengths = parts.iter().map(|part| match part {
        TemplatePart::Text(text) => text.chars().count(),
        TemplatePart::Hash(n) | TemplatePart::Digits(n) => *n,
        TemplatePart::FirstName | TemplatePart::LastName => LONGEST_NAME,
    });
    lengths.sum()
}
