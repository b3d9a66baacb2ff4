//! What is looked for: e-mail addresses and their local parts, telephone and other long numbers, identifiers, and words that
//! follow one another: two where that is the whole value, three where it is longer. Single everyday words are not: a first name
//! or a city found somewhere says nothing.
//!
//! One pass over a text finds all of them, in lower case, without copying any of it: this is done to every text of a database.

use std::{collections::HashSet, sync::OnceLock};

/// A fingerprint of one thing to look for; 64 bits, so that a coincidence between two things is out of reach of what a
/// database holds. The lowest bit tells phrases from the rest.
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
/// Most of them.
const LONGEST_NUMBER: usize = 24;
/// Digits by which a number is known without its country's code.
const NATIONAL: usize = 9;
/// Fewest characters of a word that may be somebody's local part.
const PART: usize = 3;

const NO_HASH: u64 = 0xcbf2_9ce4_8422_2325;
const DIGITS: u64 = 0x5851_f42d_4c95_7f2d;

/// ASCII letters in lower case; 0 for every other byte.
const LETTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 26 {
        table[b'a' as usize + n] = b'a' + n as u8;
        table[b'A' as usize + n] = b'a' + n as u8;
        n += 1;
    }
    table
};

/// FNV-1a; [`mix`] makes up for its weakness in the high bits.
fn feed(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

/// The finaliser of SplitMix64.
fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.rotate_left(23) ^ b;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Whether it is the fingerprint of words that follow one another.
pub(crate) fn is_phrase(fingerprint: Fingerprint) -> bool {
    fingerprint & 1 == 1
}

fn token(hash: u64) -> Fingerprint {
    hash & !1
}

fn phrase(words: &[Word]) -> Fingerprint {
    let order =
        |hash: u64, word: &Word| hash.rotate_left(21).wrapping_add(word.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mix(NO_HASH, words.iter().fold(0, order)) | 1
}

/// By what a word of letters alone would be known if it were somebody's local part.
pub(crate) fn plain_words(room: &mut Words, text: &str, mut each: impl FnMut(Fingerprint)) {
    room.read(text);
    room.words.iter().filter(|w| w.letters && !w.digits).for_each(|w| each(token(mix(NO_HASH, w.hash))));
}

fn number(digits: &[u8]) -> Fingerprint {
    token(mix(DIGITS, digits.iter().fold(NO_HASH, |hash, d| feed(hash, *d))))
}

#[derive(Clone, Copy)]
struct Word {
    hash: u64,
    length: usize,
    letters: bool,
    digits: bool,
}

/// Letters and digits with `@ . _ - + %` between them.
#[derive(Clone, Copy, Default)]
struct Token {
    hash: u64,
    length: usize,
    digits: usize,
    letters: usize,
    marks: usize,
    dots: usize,
    /// Of an e-mail address: the hash of what stands before `@` and `+`, and whether that may be somebody's name.
    local: Option<(u64, bool)>,
    /// Whether `@` came.
    address: bool,
    dots_before_at: usize,
    /// Marks that come before the next letter; those at the end are not part of it.
    pending: [u8; 4],
    waiting: usize,
}

impl Token {
    fn word(&mut self, word: &Word, digits: usize) {
        for mark in self.pending.iter().take(self.waiting.min(self.pending.len())) {
            self.hash = mix(self.hash, u64::from(*mark));
            self.marks += 1;
            self.length += 1;
            self.dots += usize::from(*mark == b'.');
        }
        self.waiting = 0;
        self.hash = mix(self.hash, word.hash);
        self.length += word.length;
        self.digits += digits;
        self.letters += word.length - digits;
    }

    fn mark(&mut self, mark: u8) {
        if self.length == 0 {
            return;
        }
        if (mark == b'@' || mark == b'+') && self.local.is_none() {
            let known = self.length >= 5 || self.length >= PART && (self.digits > 0 || self.marks > 0);
            self.local = Some((self.hash, known));
        }
        if mark == b'@' && !self.address {
            self.address = true;
            self.dots_before_at = self.dots;
        }
        if let Some(place) = self.pending.get_mut(self.waiting) {
            *place = mark;
        }
        self.waiting += 1;
    }

    /// The local part of an address, where this is one.
    fn local_part(&self) -> Option<(u64, bool)> {
        self.local.filter(|_| self.address && self.dots > self.dots_before_at)
    }

    /// An identifier that nobody writes by chance. Dates and version numbers are digits with marks: an address of a machine has
    /// three dots and is long.
    fn is_distinctive(&self) -> bool {
        (self.digits > 0 && self.letters > 0 && self.length >= 6)
            || (self.letters == 0 && self.marks == 3 && self.dots == 3 && self.digits >= 5)
    }
}

/// Room that is used again for every text.
#[derive(Default)]
pub(crate) struct Words {
    words: Vec<Word>,
    tokens: Vec<Token>,
    /// Hashes of what stands between `_`, `-` and `%` within a token.
    parts: Vec<u64>,
    numbers: Vec<[Fingerprint; 2]>,
    letters: bool,
}

impl Words {
    fn read(&mut self, text: &str) {
        self.words.clear();
        self.tokens.clear();
        self.parts.clear();
        self.numbers.clear();
        self.letters = false;
        let mut word = Word { hash: NO_HASH, length: 0, letters: false, digits: false };
        let (mut digits, mut in_token) = (0, Token { hash: NO_HASH, ..Token::default() });
        let (mut part, mut part_length, mut divided) = (NO_HASH, 0, false);
        let mut run = Run::default();
        let bytes = text.as_bytes();
        let mut at = 0;
        // One more round with a blank ends what is open.
        while at <= bytes.len() {
            let byte = bytes.get(at).copied().unwrap_or(b' ');
            let mut step = 1;
            if LETTERS[usize::from(byte)] != 0 {
                let (begin, mut hash) = (at, word.hash);
                while let Some(letter) = bytes.get(at).map(|b| LETTERS[usize::from(*b)]).filter(|l| *l != 0) {
                    hash = feed(hash, letter);
                    at += 1;
                }
                word.hash = hash;
                word.length += at - begin;
                word.letters = true;
                run.end(&mut self.numbers);
                continue;
            }
            if byte.is_ascii_digit() {
                word.hash = feed(word.hash, byte);
                word.length += 1;
                word.digits = true;
                digits += 1;
                run.digit(byte);
                at += 1;
                continue;
            }
            // Most letters beyond ASCII are those of Western Europe: two bytes, capitals 32 before the others.
            if let (0xc3, Some(second)) = (byte, bytes.get(at + 1).copied())
                && !matches!(second, 0x97 | 0xb7)
            {
                let small = if second < 0x9f { second + 0x20 } else { second };
                word.hash = feed(feed(word.hash, byte), small);
                word.length += 1;
                word.letters = true;
                run.end(&mut self.numbers);
                at += 2;
                continue;
            }
            if byte >= 0x80 {
                let c = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or('\u{fffd}');
                step = c.len_utf8();
                if is_letter(c) {
                    lower(c, |b| word.hash = feed(word.hash, b));
                    word.length += 1;
                    word.letters = true;
                    run.end(&mut self.numbers);
                    at += step;
                    continue;
                }
            }
            at += step;
            if word.length > 0 {
                self.letters |= word.letters;
                in_token.word(&word, digits);
                part = mix(part, word.hash);
                part_length += word.length;
                self.words.push(word);
                word = Word { hash: NO_HASH, length: 0, letters: false, digits: false };
                digits = 0;
            }
            run.gap(byte, &mut self.numbers);
            let mark = matches!(byte, b'@' | b'.' | b'_' | b'-' | b'+' | b'%');
            let divides = matches!(byte, b'_' | b'-' | b'%');
            if divides {
                if part_length >= PART {
                    self.parts.push(part);
                }
                divided = true;
                (part, part_length) = (NO_HASH, 0);
            } else if mark && part_length > 0 {
                part = mix(part, u64::from(byte));
            }
            if mark {
                in_token.mark(byte);
                continue;
            }
            if in_token.length > 0 {
                if divided && part_length >= PART {
                    self.parts.push(part);
                }
                if in_token.length >= PART {
                    self.tokens.push(in_token);
                }
            }
            in_token = Token { hash: NO_HASH, ..Token::default() };
            (part, part_length, divided) = (NO_HASH, 0, false);
        }
        run.end(&mut self.numbers);
    }
}

/// A run of digits as people group them: `+34 612 345 678`.
#[derive(Default)]
struct Run {
    digits: [u8; LONGEST_NUMBER],
    length: usize,
    gap: u8,
}

impl Run {
    fn digit(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.length) {
            *place = digit;
        }
        self.length += 1;
        self.gap = 0;
    }

    fn gap(&mut self, byte: u8, numbers: &mut Vec<[Fingerprint; 2]>) {
        if self.length == 0 {
            return;
        }
        self.gap += 1;
        if self.gap > 2 || !matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/') {
            self.end(numbers);
        }
    }

    /// With the country's code and without.
    #[inline]
    fn end(&mut self, numbers: &mut Vec<[Fingerprint; 2]>) {
        if self.length == 0 {
            return;
        }
        if let Some(digits) = self.digits.get(..self.length).filter(|d| d.len() >= NUMBER) {
            let national = digits.get(digits.len().saturating_sub(NATIONAL)..).unwrap_or(digits);
            numbers.push([number(digits), number(national)]);
        }
        self.length = 0;
        self.gap = 0;
    }
}

/// Letters of Latin alphabets are known at a glance.
fn is_letter(c: char) -> bool {
    match c {
        '\u{c0}'..='\u{24f}' => c != '×' && c != '÷',
        _ => c.is_alphanumeric(),
    }
}

fn lower(c: char, mut feed: impl FnMut(u8)) {
    let mut bytes = [0; 4];
    for lower in c.to_lowercase() {
        lower.encode_utf8(&mut bytes).bytes().for_each(&mut feed);
    }
}

/// A phrase says something when it is long enough and not made of digits alone: dates and numbers are no phrases.
fn speaks(words: &[Word]) -> bool {
    words.iter().map(|w| w.length).sum::<usize>() >= PHRASE && words.iter().any(|w| w.letters)
}

fn is_role(local: u64) -> bool {
    static HASHES: OnceLock<HashSet<u64>> = OnceLock::new();
    let hashes = HASHES.get_or_init(|| {
        let mut words = Words::default();
        ROLES
            .iter()
            .filter_map(|role| {
                words.read(role);
                words.tokens.first().map(|t| t.hash)
            })
            .collect()
    });
    hashes.contains(&local)
}

/// Everything by which a value of production is known.
pub(crate) fn sensitive(room: &mut Words, value: &str, mut known: impl FnMut(Fingerprint)) {
    room.read(value);
    for one in &room.tokens {
        match one.local_part() {
            Some((local, somebodys)) if somebodys && !is_role(local) => {
                known(token(one.hash));
                known(token(local));
            }
            // `al@…` is too short to be found by itself, the address is not.
            Some((local, _)) if !is_role(local) => known(token(one.hash)),
            Some(_) => {}
            None if one.is_distinctive() => known(token(one.hash)),
            None => {}
        }
    }
    if !room.letters {
        room.numbers.iter().flatten().for_each(|f| known(*f));
    }
    match room.words.len() {
        0 | 1 => {}
        2 if speaks(&room.words) => known(phrase(&room.words)),
        2 => {}
        _ => {
            for three in room.words.windows(3).filter(|w| speaks(w)) {
                known(phrase(three));
            }
        }
    }
}

/// Everything in a text that could be one of those.
pub(crate) fn occurrences(room: &mut Words, text: &str, mut found: impl FnMut(Fingerprint)) {
    room.read(text);
    for one in &room.tokens {
        found(token(one.hash));
        if let Some((local, _)) = one.local {
            found(token(local));
        }
    }
    // `contact_ana.garcia`, `id-a1b2c3`: a part may be what is looked for.
    room.parts.iter().for_each(|part| found(token(*part)));
    room.numbers.iter().flatten().for_each(|f| found(*f));
    room.words.windows(2).for_each(|pair| found(phrase(pair)));
    room.words.windows(3).for_each(|three| found(phrase(three)));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

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
        assert!(found("ana.garcia@corp.com", "el usuario es ana.garcia."));
        assert!(found("ana.garcia@corp.com", "contact_ana.garcia-2024"));
        assert!(found("ana.garcia+news@corp.com", "ana.garcia@other.org"));
        assert!(found("ana.garcia@corp.com", "mailto:ana.garcia@corp.com."));
        assert!(found("al@corp.com", "ask al@corp.com"));
        assert!(!found("al@corp.com", "ask al"));
        assert!(!found("info@corp.com", "more info at the desk"));
        assert!(!found("no-reply@corp.com", "no-reply"));
    }

    #[test]
    fn a_name_is_found_whole_and_not_by_one_of_its_words() {
        assert!(found("Ana García", "llamó ANA GARCÍA ayer"));
        assert!(!found("Ana García", "llamó Ana ayer"));
        assert!(!found("Ana", "llamó Ana ayer"));
        assert!(found("Calle Mayor 12, 3º B, Madrid", "vive en calle mayor 12 de"));
        assert!(found("Ana\u{0} García", "ana garcía"));
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        assert!(found("+34 612 345 678", "tel 612345678"));
        assert!(found("612345678", "tel. +34-612-345-678."));
        assert!(found("+34612345678", "(612) 34 56 78"));
        assert!(found("+34612345678", "x612345678"));
        assert!(!found("2024-01-15", "am 2024-01-16"));
    }

    #[test]
    fn identifiers_are_found_and_everyday_words_are_not() {
        assert!(found("sk_live_9aF3kd02", "key=sk_live_9aF3kd02;"));
        assert!(found("85.214.12.9", "from 85.214.12.9 at noon"));
        assert!(!found("active", "it is active"));
        assert!(!found("1.2.3", "version 1.2.3"));
    }

    #[test]
    fn a_word_of_letters_is_known_as_the_local_part_that_it_is() {
        let mut local = HashSet::new();
        sensitive(&mut Words::default(), "cross@corp.com", |f| {
            local.insert(f);
        });
        let mut plain = HashSet::new();
        plain_words(&mut Words::default(), "item_category.Cross_selling sha256", |f| {
            plain.insert(f);
        });
        assert_eq!(local.intersection(&plain).count(), 1, "the address itself is more than a word");
        assert_eq!(plain.len(), 4, "what has digits in it is no word");
    }

    proptest! {
        #[test]
        fn any_three_words_of_a_value_are_found_in_any_text_around_them(
            words in prop::collection::vec("[a-zñáü]{3,9}", 3..12), before in "[ -~]{0,20}", after in "[ -~]{0,20}", at in any::<prop::sample::Index>(),
        ) {
            let start = at.index(words.len() - 2);
            let text = format!("{before} {} {after}", words[start..start + 3].join(" ").to_uppercase());
            prop_assert!(found(&words.join(", "), &text));
        }

        #[test]
        fn no_text_makes_it_panic_and_upper_case_changes_nothing(text in "\\PC{0,60}") {
            let read = |text: &str| {
                let mut all = Vec::new();
                occurrences(&mut Words::default(), text, |f| all.push(f));
                all
            };
            prop_assert_eq!(read(&text.to_lowercase()), read(&text.to_lowercase().to_lowercase()));
            if text.is_ascii() {
                prop_assert_eq!(read(&text), read(&text.to_ascii_uppercase()));
            }
        }
    }
}
