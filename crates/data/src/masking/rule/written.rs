//! Rules as they are written in the file.

use std::fmt;

use super::{Masker, Path, Rule, Segment, Template, TemplatePart};

/// A text in quotes, as an argument.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a key, field or column can stand without quotes.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn key(text: &str) -> String {
    if is_bare(text) { text.to_owned() } else { quoted(text) }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Mask(masker) => masker.fmt(f),
        }
    }
}

impl fmt::Display for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Name => "name",
            Self::FirstName => "first-name",
            Self::LastName => "last-name",
            Self::Company => "company",
            Self::Username => "username",
            Self::Address => "address",
            Self::Street => "street",
            Self::City => "city",
            Self::Postcode => "postcode",
            Self::Text => "text",
            Self::Number { least, most } => return write!(f, "number({least}..{most})"),
            Self::Noise { percent } => return write!(f, "noise({percent}%)"),
            Self::DateShift { days, by: None } => return write!(f, "date-shift({days})"),
            Self::DateShift { days, by: Some(by) } => return write!(f, "date-shift({days}, by={})", key(by)),
            Self::Ip { prefix: false } => "ip",
            Self::Ip { prefix: true } => "ip(prefix)",
            Self::Uuid => "uuid",
            Self::Id => "id",
            Self::Digits => "digits",
            Self::Token => "token",
            Self::Url => "url",
            Self::Password { usable: true } => "password",
            Self::Password { usable: false } => "password(unusable)",
            Self::Json(paths) => return list(f, "json", paths.iter().map(|(p, r)| (p.to_string(), r))),
            Self::Hstore { keys, rest } => {
                let rest = rest.iter().map(|r| ("*".to_owned(), &**r));
                return list(f, "hstore", keys.iter().map(|(k, r)| (key(k), r)).chain(rest));
            }
            Self::Composite(fields) => return list(f, "composite", fields.iter().map(|(k, r)| (key(k), r))),
            Self::Bytes => "bytes",
            Self::Enum => "enum",
            Self::Null => "null",
            Self::Fixed(value) => return write!(f, "fixed({})", quoted(value)),
            Self::Template(template) => return write!(f, "template({})", quoted(&template.to_string())),
            Self::Hash => "hash",
            Self::Coordinates => "coordinates",
        })
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    arguments: impl Iterator<Item = (String, &'a Rule)>,
) -> fmt::Result {
    let arguments: Vec<String> = arguments.map(|(what, rule)| format!("{what}: {rule}")).collect();
    if arguments.is_empty() { f.write_str(name) } else { write!(f, "{name}({})", arguments.join(", ")) }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for (i, segment) in self.0.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            match segment {
                Segment::Key(k) => write!(f, "{dot}{}", key(k))?,
                Segment::Any => write!(f, "{dot}*")?,
                Segment::Items => f.write_str("[*]")?,
                Segment::Keys => write!(f, "{dot}@keys")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                TemplatePart::Hash(n) => write!(f, "{{hash:{n}}}")?,
                TemplatePart::Digits(n) => write!(f, "{{digits:{n}}}")?,
                TemplatePart::FirstName => f.write_str("{first-name}")?,
                TemplatePart::LastName => f.write_str("{last-name}")?,
            }
        }
        Ok(())
    }
}
