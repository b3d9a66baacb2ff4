//! What a column's values look like.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::words::fold;
use crate::masking::kind::Kind;
use crate::masking::{family_names, given_names};

/// Figures of the values that are neither NULL nor blank.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub(super) values: usize,
    pub(super) distinct: usize,
    kinds: HashMap<Kind, usize>,
    /// Values that are names of persons; of these, single given and family names.
    people: usize,
    given: usize,
    family: usize,
    /// Values that read like sentences.
    prose: usize,
    /// Values of two words and more.
    phrases: usize,
    /// Values with an e-mail address or a long number among other things.
    mixed: usize,
    json: usize,
    /// Pairs of numbers that can be latitude and longitude.
    pairs: usize,
    /// Numbers with a fraction that can be a latitude.
    pub(super) degrees: usize,
    pub(super) longest: usize,
    /// URLs that have an address or a token in them.
    urls_with_data: usize,
}

impl Sampled {
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut sampled = Self::default();
        let mut distinct = HashSet::new();
        for value in values.map(str::trim).filter(|v| !v.is_empty()) {
            sampled.values += 1;
            distinct.insert(value);
            sampled.add(value);
        }
        sampled.distinct = distinct.len();
        sampled
    }

    fn add(&mut self, value: &str) {
        let kind = Kind::of(value);
        *self.kinds.entry(kind).or_default() += 1;
        self.longest = self.longest.max(value.chars().count());
        let words = value.split_whitespace().count();
        self.prose += usize::from(is_prose(value, words) && kind == Kind::Text);
        self.phrases += usize::from(words >= 2);
        let tokens = || {
            value.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '?' | '&' | '='))
        };
        let telling = |t: &str| {
            matches!(Kind::of(t), Kind::Email | Kind::Phone | Kind::Jwt | Kind::Iban | Kind::Card | Kind::Nif)
        };
        self.mixed += usize::from(kind == Kind::Text && words > 1 && tokens().any(telling));
        self.urls_with_data += usize::from(
            kind == Kind::Url
                && tokens().skip(1).any(|t| telling(t) || matches!(Kind::of(t), Kind::Token | Kind::Uuid)),
        );
        self.json += usize::from(
            value.starts_with(['{', '['])
                && serde_json::from_str::<serde_json::Value>(value).is_ok_and(|v| v.is_object() || v.is_array()),
        );
        let number = |t: &str| t.trim().parse::<f64>().ok();
        let pair = value.trim_matches(['(', ')']).split_once(',').and_then(|(a, b)| Some((number(a)?, number(b)?)));
        self.pairs +=
            usize::from(pair.is_some_and(|(a, b)| a.abs() <= 90.0 && b.abs() <= 180.0 && value.contains('.')));
        self.degrees += usize::from(value.contains('.') && number(value).is_some_and(|n| n.abs() <= 180.0));
        match person(value) {
            Person::Whole => self.people += 1,
            Person::Given => self.given += 1,
            Person::Family => self.family += 1,
            Person::None => {}
        }
    }

    fn share(&self, count: usize) -> f32 {
        if self.values == 0 { 0.0 } else { count as f32 / self.values as f32 }
    }

    pub(super) fn kind(&self, kind: Kind) -> f32 {
        self.share(self.kinds.get(&kind).copied().unwrap_or(0))
    }

    pub(super) fn people(&self) -> f32 {
        self.share(self.people)
    }

    pub(super) fn given(&self) -> f32 {
        self.share(self.given)
    }

    pub(super) fn family(&self) -> f32 {
        self.share(self.family)
    }

    pub(super) fn prose(&self) -> f32 {
        self.share(self.prose)
    }

    pub(super) fn phrases(&self) -> f32 {
        self.share(self.phrases)
    }

    pub(super) fn mixed(&self) -> f32 {
        self.share(self.mixed)
    }

    pub(super) fn json(&self) -> f32 {
        self.share(self.json)
    }

    pub(super) fn pairs(&self) -> f32 {
        self.share(self.pairs)
    }

    pub(super) fn urls_with_data(&self) -> f32 {
        self.share(self.urls_with_data)
    }

    /// Whether the same few short values come again and again.
    pub(super) fn few(&self) -> bool {
        self.values >= 20 && self.distinct <= (self.values / 8).clamp(1, 24) && self.longest <= 40
    }
}

/// Sentences have words that begin in lower case; titles and measures have few. What is long or has several lines is prose anyhow.
fn is_prose(value: &str, words: usize) -> bool {
    let small = |w: &&str| w.chars().take(2).filter(|c| c.is_lowercase()).count() == 2;
    words >= 12
        || value.contains('\n')
        || words >= 5
            && 5 * value.split_whitespace().filter(small).count() >= 2 * words
            && value.split_whitespace().filter(small).count() >= 3
}

enum Person {
    Whole,
    Given,
    Family,
    None,
}

/// Whether a text is somebody's name: up to five capitalised words, of which most are common names.
fn person(value: &str) -> Person {
    let particle =
        |w: &str| matches!(w, "de" | "del" | "la" | "las" | "los" | "y" | "van" | "von" | "der" | "da" | "di");
    let words: Vec<&str> = value.split([' ', ',']).filter(|w| !w.is_empty() && !particle(w)).collect();
    let shaped = (1..=5).contains(&words.len())
        && words.iter().all(|w| {
            w.chars().next().is_some_and(char::is_uppercase)
                && w.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-' | '.' | '’'))
        });
    if !shaped {
        return Person::None;
    }
    static GIVEN: LazyLock<HashSet<String>> = LazyLock::new(|| given_names().map(fold).collect());
    static FAMILY: LazyLock<HashSet<String>> = LazyLock::new(|| family_names().map(fold).collect());
    let known: Vec<(bool, bool)> =
        words.iter().map(|w| fold(w)).map(|w| (GIVEN.contains(&w), FAMILY.contains(&w))).collect();
    match known.as_slice() {
        [(given, family)] => match (given, family) {
            (true, _) => Person::Given,
            (_, true) => Person::Family,
            _ => Person::None,
        },
        known if 2 * known.iter().filter(|(g, f)| *g || *f).count() >= known.len() => Person::Whole,
        _ => Person::None,
    }
}
