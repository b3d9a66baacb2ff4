//! `hstore`: `"key"=>"value", "other"=>NULL` (manual, F.18).

use std::collections::HashMap;
use std::sync::Arc;

use super::array::{push_quoted, quoted};
use super::by_kind::ByKind;
use crate::column::Shape;
use crate::masking::mask::{Leaf, MaskError, Masked};
use crate::masking::maskers::{Keep, Maskers, Transform};
use crate::masking::rule::Rule;

const MALFORMED: MaskError = MaskError("not an hstore in PostgreSQL's form");

pub(in crate::masking) struct Hstore {
    keys: HashMap<String, (Arc<dyn Transform>, bool)>,
    rest: Option<(Arc<dyn Transform>, bool)>,
    /// For what is not named; `None` where everything is kept.
    by_kind: Option<Arc<ByKind>>,
}

impl Hstore {
    pub(in crate::masking) fn new(maskers: &mut Maskers<'_>, keys: &[(String, Rule)], rest: Option<&Rule>) -> Self {
        let mut ready = |rule: &Rule| {
            let keep = *rule == Rule::Keep;
            (maskers.rule(rule, &Shape::Text { longest: None }), !keep)
        };
        let keys = keys.iter().map(|(key, rule)| (key.clone(), ready(rule))).collect();
        let rest = rest.map(&mut ready);
        Self { keys, rest, by_kind: Some(maskers.by_kind()) }
    }

    pub(in crate::masking) fn kept() -> Self {
        Self { keys: HashMap::new(), rest: Some((Arc::new(Keep), false)), by_kind: None }
    }

    fn rule(&self, key: &str) -> Option<&(Arc<dyn Transform>, bool)> {
        self.keys.get(key).or(self.rest.as_ref())
    }

    /// A key that nobody named may be somebody's address.
    fn replaces_key(&self, key: &str) -> Option<&ByKind> {
        self.by_kind.as_deref().filter(|_| self.rule(key).is_none() && ByKind::is_personal(key))
    }
}

impl Transform for Hstore {
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let start = out.len();
        let mut masked = String::new();
        walk(value, &mut |key, value| {
            if out.len() > start {
                out.push_str(", ");
            }
            masked.clear();
            match self.replaces_key(key) {
                Some(kinds) => drop(kinds.apply(key, &mut masked)?),
                None => masked.push_str(key),
            }
            push_quoted(&masked, out);
            out.push_str("=>");
            let Some(value) = value else {
                out.push_str("NULL");
                return Ok(());
            };
            masked.clear();
            let made = match (self.rule(key), &self.by_kind) {
                (Some((transform, _)), _) => transform.apply(value, subject, &mut masked)?,
                (None, Some(kinds)) => kinds.apply(value, &mut masked)?,
                (None, None) => Masked::Null,
            };
            match made {
                Masked::Null => out.push_str("NULL"),
                Masked::Value => push_quoted(&masked, out),
            }
            Ok(())
        })?;
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        let read = walk(value, &mut |key, value| {
            leaf(Leaf { text: key, masked: self.replaces_key(key).is_some() });
            match (self.rule(key), value) {
                (Some((transform, true)), Some(value)) => transform.visit(value, leaf),
                (rule, Some(value)) => leaf(Leaf { text: value, masked: rule.is_none() }),
                (_, None) => {}
            }
            Ok(())
        });
        if read.is_err() {
            leaf(Leaf { text: value, masked: self.by_kind.is_some() });
        }
    }
}

type Pair<'a> = &'a mut dyn FnMut(&str, Option<&str>) -> Result<(), MaskError>;

fn walk(value: &str, visit: Pair<'_>) -> Result<(), MaskError> {
    let (mut key, mut text) = (String::new(), String::new());
    let mut at = blanks(value, 0);
    while at < value.len() {
        key.clear();
        at = word(value, at, &mut key)?.0;
        at = blanks(value, at);
        if !value[at..].starts_with("=>") {
            return Err(MALFORMED);
        }
        text.clear();
        let (end, bare) = word(value, blanks(value, at + 2), &mut text)?;
        visit(&key, (!(bare && text.eq_ignore_ascii_case("null"))).then_some(&text))?;
        at = blanks(value, end);
        match value.as_bytes().get(at) {
            Some(b',') => at = blanks(value, at + 1),
            Some(_) => return Err(MALFORMED),
            None => {}
        }
    }
    Ok(())
}

fn blanks(value: &str, at: usize) -> usize {
    let rest = &value[at..];
    at + rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

/// Reads a key or a value; says what comes behind it and whether it was without quotes.
fn word(value: &str, at: usize, text: &mut String) -> Result<(usize, bool), MaskError> {
    if value[at..].starts_with('"') {
        return Ok((quoted(value, at + 1, text).map_err(|_| MALFORMED)?, false));
    }
    let end = value[at..].find(['=', ',', ' ', '"']).map_or(value.len(), |i| at + i);
    text.push_str(&value[at..end]);
    if end == at { Err(MALFORMED) } else { Ok((end, true)) }
}
