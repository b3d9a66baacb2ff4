//! JSON, path by path.

use std::collections::BTreeMap;

use serde_json::Value;

use super::judge::Place;
use super::lexicon::{Meaning, Subject, meaning, subject};
use super::sampled::Sampled;
use super::table::Table;
use super::verdict::Verdict;
use super::words::words;
use super::{numbers, texts};
use crate::column::Shape;
use crate::masking::kind::Kind;
use crate::masking::{Masker, Path, Rule, Segment};

/// An object with more different keys than this, over all values, is a map: its keys are values themselves.
const MAP: usize = 40;

/// How deep paths are learnt.
const DEPTH: usize = 12;

/// What is at a path.
#[derive(Default)]
struct Seen {
    members: BTreeMap<String, Seen>,
    items: Option<Box<Seen>>,
    strings: Vec<String>,
    numbers: Vec<String>,
}

pub(super) fn judge(table: &Table, values: &[&str]) -> Verdict {
    let mut seen = Seen::default();
    let mut count = 0;
    for value in values.iter().filter_map(|v| serde_json::from_str::<Value>(v).ok()) {
        seen.add(&value, 0);
        count += 1;
    }
    let mut paths = Vec::new();
    let mut least: f32 = 0.95;
    seen.rules(&mut Vec::new(), table, &mut |path, verdict| {
        least = least.min(verdict.confidence);
        paths.push((path, verdict.rule));
    });
    if paths.is_empty() {
        return Verdict::mask(
            Masker::Json(paths),
            0.4,
            "JSON, with no values to learn its paths from: all is masked by its kind",
        );
    }
    let masked = paths.iter().filter(|(_, rule)| *rule != Rule::Keep).count();
    let reason = format!("JSON: {masked} of {} paths in {count} values are personal or not understood", paths.len());
    Verdict::mask(Masker::Json(paths), least, reason)
}

impl Seen {
    fn add(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Object(members) if depth < DEPTH => {
                members
                    .iter()
                    .for_each(|(key, value)| self.members.entry(key.clone()).or_default().add(value, depth + 1));
            }
            Value::Array(items) if depth < DEPTH => {
                let seen = self.items.get_or_insert_default();
                items.iter().for_each(|item| seen.add(item, depth + 1));
            }
            Value::String(text) => self.strings.push(text.clone()),
            Value::Number(number) => self.numbers.push(number.to_string()),
            _ => {}
        }
    }

    fn merge(&mut self, other: Self) {
        other.members.into_iter().for_each(|(key, seen)| self.members.entry(key).or_default().merge(seen));
        if let Some(items) = other.items {
            self.items.get_or_insert_default().merge(*items);
        }
        self.strings.extend(other.strings);
        self.numbers.extend(other.numbers);
    }

    /// Whether keys are values, and of which kind.
    fn map(&self) -> Option<Option<Masker>> {
        let kinds = || self.members.keys().map(|key| Kind::of(key));
        let most = |kind| !self.members.is_empty() && 2 * kinds().filter(|k| *k == kind).count() > self.members.len();
        match () {
            () if most(Kind::Email) => Some(Some(Masker::Email)),
            () if most(Kind::Phone) => Some(Some(Masker::Phone)),
            () if most(Kind::Uuid) || most(Kind::Date) || most(Kind::Number) => Some(None),
            () if self.members.len() > MAP => Some(Some(Masker::Id)),
            () => None,
        }
    }

    fn rules(self, path: &mut Vec<Segment>, table: &Table, rule: &mut dyn FnMut(Path, Verdict)) {
        let map = self.map();
        if !self.strings.is_empty() || !self.numbers.is_empty() {
            rule(Path(path.clone()), leaf(path, table, &self.strings, &self.numbers));
        }
        if let Some(items) = self.items {
            path.push(Segment::Items);
            items.rules(path, table, rule);
            path.pop();
        }
        let Some(keys) = map else {
            for (key, seen) in self.members {
                path.push(Segment::Key(key));
                seen.rules(path, table, rule);
                path.pop();
            }
            return;
        };
        if let Some(keys) = keys {
            path.push(Segment::Keys);
            rule(Path(path.clone()), Verdict::mask(keys, 0.7, "keys that are values"));
            path.pop();
        }
        let all = self.members.into_values().fold(Seen::default(), |mut all, seen| {
            all.merge(seen);
            all
        });
        path.push(Segment::Any);
        all.rules(path, table, rule);
        path.pop();
    }
}

/// A path's strings and numbers, by its last key.
fn leaf(path: &[Segment], table: &Table, strings: &[String], numbers: &[String]) -> Verdict {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|s| match s {
            Segment::Key(key) => Some(key.as_str()),
            _ => None,
        })
        .collect();
    let name = keys.last().map(|key| words(key)).unwrap_or_default();
    // `customer.name` is the name of a customer.
    let around = keys.iter().rev().nth(1).map_or(Subject::Other, |key| subject(&words(key)));
    let found = meaning(&name).map(|(what, said)| {
        let what = match (what, around) {
            (Meaning::Name, Subject::Person) => Meaning::FullName,
            (Meaning::Name, Subject::Company) => Meaning::Company,
            (Meaning::Name, Subject::Catalog) => Meaning::Title,
            (Meaning::Name, _) if name.len() > 1 && subject(&name) == Subject::Catalog => Meaning::Title,
            (what, _) => what,
        };
        (Some(what), format!("its key says \"{said}\""))
    });
    let (meaning, said) = found.unwrap_or_default();
    let catalog = Table { subject: Subject::Catalog, machinery: false, secrets: false, owned: false, whose: None };
    let table = if around == Subject::Catalog { &catalog } else { table };
    let place = |shape| Place { meaning, said: said.clone(), shape, not_null: false, table, personal: false };
    if strings.is_empty() {
        let verdict = numbers::judge(&place(&Shape::Numeric { precision: None, scale: None }), &sample(numbers));
        return verdict;
    }
    let values: Vec<&str> = strings.iter().map(String::as_str).collect();
    texts::judge(&place(&Shape::Text { longest: None }), &sample(strings), &values)
}

fn sample(values: &[String]) -> Sampled {
    Sampled::new(values.iter().map(String::as_str))
}
