//! People, companies, streets and cities: taken from lists by language.

use std::sync::LazyLock;

use super::Generate;
use crate::masking::file::Language;
use crate::masking::key::{Draw, Prf, push_symbols};
use crate::masking::mask::MaskError;

/// Symbols behind a name in a column whose values are unique: 65 bits.
pub(in crate::masking) const SUFFIX: usize = 13;

/// The lists of one language. Given and family names are common ones; companies, streets and cities are invented.
pub(super) struct Dictionary {
    language: Language,
    first: Vec<&'static str>,
    last: Vec<&'static str>,
    words: Vec<&'static str>,
    companies: Vec<&'static str>,
    streets: Vec<&'static str>,
    cities: Vec<&'static str>,
}

macro_rules! list {
    ($file:literal) => {
        lines(include_str!(concat!("../words/", $file, ".txt")))
    };
}

static SPANISH: LazyLock<Dictionary> = LazyLock::new(|| Dictionary {
    language: Language::Spanish,
    first: list!("es-first"),
    last: list!("es-last"),
    words: list!("es-words"),
    companies: list!("es-companies"),
    streets: list!("es-streets"),
    cities: list!("es-cities"),
});

static ENGLISH: LazyLock<Dictionary> = LazyLock::new(|| Dictionary {
    language: Language::English,
    first: list!("en-first"),
    last: list!("en-last"),
    words: list!("en-words"),
    companies: list!("en-companies"),
    streets: list!("en-streets"),
    cities: list!("en-cities"),
});

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect()
}

impl Dictionary {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Spanish => &SPANISH,
        }
    }

    pub(super) fn first(&self, draw: &mut Draw) -> &'static str {
        draw.pick(&self.first)
    }

    pub(super) fn last(&self, draw: &mut Draw) -> &'static str {
        draw.pick(&self.last)
    }
}

/// Given names of all languages.
pub(crate) fn given_names() -> impl Iterator<Item = &'static str> {
    [&*SPANISH, &*ENGLISH].into_iter().flat_map(|d| d.first.iter().copied())
}

/// Family names of all languages.
pub(crate) fn family_names() -> impl Iterator<Item = &'static str> {
    [&*SPANISH, &*ENGLISH].into_iter().flat_map(|d| d.last.iter().copied())
}

/// What is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Person,
    First,
    Last,
    Company,
    Street,
    City,
    Address,
}

/// A name of something.
pub(super) struct Named {
    pub(super) prf: Prf,
    pub(super) what: What,
    pub(super) dictionary: &'static Dictionary,
    /// Whether a suffix tells apart whom chance gave the same name.
    pub(super) unique: bool,
    /// The most characters, for the suffix to fit.
    pub(super) longest: Option<usize>,
}

impl Generate for Named {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let start = out.len();
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let bits = draw.bits();
        self.name(value, &mut draw, out);
        if self.unique {
            if let Some(longest) = self.longest {
                let room = longest.saturating_sub(SUFFIX + 1);
                let end =
                    out.get(start..).and_then(|s| s.char_indices().nth(room)).map_or(out.len(), |(i, _)| start + i);
                out.truncate(end);
            }
            if out.len() > start {
                out.push(' ');
            }
            push_symbols(bits, SUFFIX, out);
        }
        Ok(())
    }
}

impl Named {
    fn name(&self, value: &str, draw: &mut Draw, out: &mut String) {
        let words = self.dictionary;
        match self.what {
            What::Person => {
                out.push_str(words.first(draw));
                // Who has one name keeps one; in Spanish who has three has two family names.
                let names = value.split_ascii_whitespace().take(3).count();
                if names > 1 {
                    push_spaced(words.last(draw), out);
                }
                if names > 2 && words.language == Language::Spanish {
                    push_spaced(words.last(draw), out);
                }
            }
            What::First => out.push_str(words.first(draw)),
            What::Last => {
                out.push_str(words.last(draw));
                if words.language == Language::Spanish && value.contains(' ') {
                    push_spaced(words.last(draw), out);
                }
            }
            What::Company => {
                out.push_str(draw.pick(&words.words));
                push_spaced(draw.pick(&words.companies), out);
            }
            What::Street => street(words, draw, out),
            What::City => out.push_str(draw.pick(&words.cities)),
            What::Address => {
                street(words, draw, out);
                out.push_str(", ");
                out.push_str(draw.pick(&words.cities));
            }
        }
    }
}

fn street(words: &Dictionary, draw: &mut Draw, out: &mut String) {
    use std::fmt::Write;
    let street = draw.pick(&words.streets);
    let number = 1 + draw.below(199);
    // Writing to a String cannot fail.
    let _ = match words.language {
        Language::English => write!(out, "{number} {street}"),
        Language::Spanish => write!(out, "{street}, {number}"),
    };
}

fn push_spaced(word: &str, out: &mut String) {
    out.push(' ');
    out.push_str(word);
}
