//! What is looked for: e-mail addresses and their local parts, telephone and other long numbers, identifiers, and words that
//! follow one another: two where that is the whole value, three where it is longer. Single everyday words are not: a first name
//! or a city found somewhere says nothing.

use std::hash::{DefaultHasher, Hasher};

/// A fingerprint of one thing to look for; 64 bits, so that a coincidence between two things is out of reach of what a
/// database holds.
pub(crate) type Fingerprint = u64;

/// Local parts that belong to nobody.
const ROLES: &[&str] = &[
    "admin",
    "administrator",
    "billing",
    "contact",
    "contacto",
    "developer",
    "hello",
    "hola",
    "info",
    "marketing",
    "news",
    "newsletter",
    "no-reply",
    "noreply",
    "office",
    "postmaster",
    "sales",
    "soporte",
    "support",
    "system",
    "tester",
    "ventas",
    "webmaster",
];

/// Fewest letters and digits that a phrase has to have.
const PHRASE: usize = 7;
/// Fewest digits of a number that is looked for.
const NUMBER: usize = 7;
/// Digits by which a number is known without its country's code.
const NATIONAL: usize = 9;
/// Longest piece that is looked at as one: longer ones are hashed in full but never allocated twice.
const PIECE: usize = 512;

/// Room that is used again for every text.
#[derive(Default)]
pub(crate) struct Words {
    lower: String,
    words: Vec<Word>,
}

struct Word {
    hash: u64,
    length: usize,
    letters: bool,
}

fn hash(kind: u8, text: &str) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(kind);
    hasher.write(text.as_bytes());
    hasher.finish() & !1
}

fn phrase(words: &[Word]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    for word in words {
        hasher.write_u64(word.hash);
    }
    hasher.finish() | 1
}

/// Whether it is the fingerprint of words that follow one another.
pub(crate) fn is_phrase(fingerprint: Fingerprint) -> bool {
    fingerprint & 1 == 1
}

const TOKEN: u8 = 1;
const DIGITS: u8 = 2;

/// What belongs to an identifier, besides letters and digits.
fn within(c: char) -> bool {
    matches!(c, '@' | '.' | '_' | '-' | '+' | '%')
}

impl Words {
    fn lower(&mut self, text: &str) {
        self.lower.clear();
        if text.is_ascii() {
            self.lower.push_str(text);
            self.lower.make_ascii_lowercase();
        } else {
            self.lower.extend(text.chars().flat_map(char::to_lowercase));
        }
    }

    fn split(&mut self) {
        self.words.clear();
        for word in self.lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            self.words.push(Word {
                hash: hash(0, word),
                length: word.len(),
                letters: word.bytes().any(|b| !b.is_ascii_digit()),
            });
        }
    }
}

/// A phrase says something when it is long enough and not made of digits alone: dates and numbers are no phrases.
fn speaks(words: &[Word]) -> bool {
    words.iter().map(|w| w.length).sum::<usize>() >= PHRASE && words.iter().any(|w| w.letters)
}

/// An identifier that nobody writes by chance.
fn distinctive(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let marks = token.bytes().filter(|b| within(char::from(*b))).count();
    let letters = token.chars().filter(|c| c.is_alphabetic()).count();
    // Dates and version numbers are digits with marks: an address of a machine has three of them and is long.
    (digits > 0 && letters > 0 && token.len() >= 6)
        || (letters == 0 && marks == 3 && digits >= 5 && token.contains('.'))
}

fn local_part(token: &str) -> Option<&str> {
    let (local, domain) = token.split_once('@')?;
    let local = local.split_once('+').map_or(local, |(name, _)| name);
    let known =
        local.len() >= 5 || local.len() >= 3 && local.bytes().any(|b| b.is_ascii_digit() || within(char::from(b)));
    (domain.contains('.') && known && !ROLES.contains(&local)).then_some(local)
}

/// The runs of digits of a text, as people group them: `+34 612 345 678`.
fn numbers(text: &str, mut found: impl FnMut(&str)) {
    let mut run = String::new();
    let mut gap = 0;
    for c in text.chars().chain(['x']) {
        if c.is_ascii_digit() {
            run.push(c);
            gap = 0;
        } else if !run.is_empty() && gap < 2 && matches!(c, ' ' | '-' | '.' | '(' | ')' | '/') {
            gap += 1;
        } else if !run.is_empty() {
            if (NUMBER..=24).contains(&run.len()) {
                found(&run);
            }
            run.clear();
            gap = 0;
        }
    }
}

fn national(digits: &str) -> Option<&str> {
    (digits.len() > NATIONAL).then(|| &digits[digits.len() - NATIONAL..])
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || within(c)))
        .map(|t| t.trim_matches(|c| within(c) && c != '+'))
        .filter(|t| t.len() >= 3 && t.len() <= PIECE)
}

/// Everything by which a value of production is known.
pub(crate) fn sensitive(room: &mut Words, value: &str, mut known: impl FnMut(Fingerprint)) {
    room.lower(value);
    room.split();
    for token in tokens(&room.lower) {
        if let Some(local) = local_part(token) {
            known(hash(TOKEN, token));
            known(hash(TOKEN, local));
        } else if distinctive(token) {
            known(hash(TOKEN, token));
        }
    }
    if !room.lower.chars().any(char::is_alphabetic) {
        numbers(&room.lower, |digits| {
            known(hash(DIGITS, digits));
            if let Some(national) = national(digits) {
                known(hash(DIGITS, national));
            }
        });
    }
    match room.words.len() {
        0 | 1 => {}
        2 if speaks(&room.words) => known(phrase(&room.words)),
        2 => {}
        _ => room.words.windows(3).filter(|w| speaks(w)).for_each(|w| known(phrase(w))),
    }
}

/// Everything in a text that could be one of those.
pub(crate) fn occurrences(room: &mut Words, text: &str, mut found: impl FnMut(Fingerprint)) {
    room.lower(text);
    room.split();
    for token in tokens(&room.lower) {
        found(hash(TOKEN, token));
        if let Some((local, _)) = token.split_once('@') {
            let local = local.split_once('+').map_or(local, |(name, _)| name);
            found(hash(TOKEN, local));
        }
        // `contact_ana.garcia`, `id-a1b2c3`: a part may be what is looked for.
        if token.contains(['_', '-', '%']) {
            for part in token.split(['_', '-', '%']).filter(|p| p.len() >= 3) {
                found(hash(TOKEN, part));
            }
        }
    }
    if room.lower.bytes().filter(u8::is_ascii_digit).count() >= NUMBER {
        numbers(&room.lower, |digits| {
            found(hash(DIGITS, digits));
            if let Some(national) = national(digits) {
                found(hash(DIGITS, national));
            }
        });
    }
    for pair in room.words.windows(2) {
        found(phrase(pair));
    }
    for three in room.words.windows(3) {
        found(phrase(three));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn found(value: &str, text: &str) -> bool {
        let (mut room, mut known) = (Words::default(), HashSet::new());
        sensitive(&mut room, value, |f| {
            known.insert(f);
        });
        let mut hit = false;
        occurrences(&mut room, text, |f| hit |= known.contains(&f));
        hit
    }

    #[test]
    fn an_address_is_found_in_a_sentence_and_so_is_its_local_part() {
        assert!(found("Ana.Garcia@corp.com", "escribe a <ana.garcia@corp.com>, por favor"));
        assert!(found("ana.garcia@corp.com", "usuario: ana.garcia"));
        assert!(found("ana.garcia+news@corp.com", "ana.garcia@other.org"));
        assert!(found("ana.garcia@corp.com", "mailto:ana.garcia@corp.com."));
        assert!(!found("info@corp.com", "more info at the desk"));
    }

    #[test]
    fn a_name_is_found_whole_and_not_by_one_of_its_words() {
        assert!(found("Ana García", "llamó ANA GARCÍA ayer"));
        assert!(!found("Ana García", "llamó Ana ayer"));
        assert!(!found("Ana", "llamó Ana ayer"));
        assert!(found("Calle Mayor 12, 3º B, Madrid", "vive en calle mayor 12 de"));
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        assert!(found("+34 612 345 678", "tel 612345678"));
        assert!(found("612345678", "tel. +34-612-345-678."));
        assert!(found("+34612345678", "(612) 34 56 78"));
        assert!(!found("2024-01-15", "am 2024-01-15"));
    }

    #[test]
    fn identifiers_are_found_and_everyday_words_are_not() {
        assert!(found("sk_live_9aF3kd02", "key=sk_live_9aF3kd02;"));
        assert!(found("85.214.12.9", "from 85.214.12.9 at noon"));
        assert!(!found("active", "it is active"));
        assert!(!found("1.2.3", "version 1.2.3"));
    }
}
