//! `id` and `digits`: characters exchanged for others of their kind, by a permutation.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Generate;
use super::checks::{cif_control, iban_digits, is_card, is_cif, is_iban, is_nif, luhn_digit, nif_letter};
use crate::masking::mask::MaskError;
use crate::masking::permutation::{Permutation, Symbols};

/// Texts with digits for digits, letters for letters.
#[derive(Clone)]
pub(super) struct Ids {
    pub(super) permutation: Arc<Permutation>,
}

/// What has to be the same before and after, so that texts of different forms cannot become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// At least 16 hexadecimal digits, of which some are letters and some are not: letters may become digits.
    Hex,
    Other,
}

impl Form {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let letters = |low: u8, high: u8| bytes.iter().filter(|b| (low..=high).contains(b)).count();
        if bytes.len() < 16 {
            return Self::Other;
        }
        let digits = letters(b'0', b'9');
        let some = digits.max(letters(b'a', b'f')).max(letters(b'A', b'F'));
        let hex = digits > 0
            && some < bytes.len()
            && (digits + letters(b'a', b'f') == bytes.len() || digits + letters(b'A', b'F') == bytes.len());
        if hex { Self::Hex } else { Self::Other }
    }
}

impl Generate for Ids {
    fn generate(&self, value: &str, _: Option<&str>, _: u32, out: &mut String) -> Result<(), MaskError> {
        self.exchange(value, |_| true, out);
        Ok(())
    }
}

impl Ids {
    /// Exchanges characters until what came out is `fit`, as the value itself has to be: a walk along the permutation's cycle, which
    /// is a permutation of what is fit.
    fn exchange(&self, value: &str, fit: impl Fn(&str) -> bool, out: &mut String) {
        let start = out.len();
        let form = Form::of(value);
        let mut symbols = Symbols::default();
        let mut tweak = SmallVec::<[u8; 32]>::new();
        for c in value.chars() {
            match symbol(c, form) {
                Some((value, size)) => symbols.push(value, size),
                None => tweak.push(c as u8),
            }
        }
        loop {
            self.permutation.exchange(&mut symbols, &tweak);
            out.truncate(start);
            let upper = form == Form::Hex && value.bytes().any(|b| b.is_ascii_uppercase());
            let mut values = symbols.values().iter();
            out.extend(value.chars().map(|c| match symbol(c, form) {
                Some(_) => character(c, values.next().copied().unwrap_or_default(), form, upper),
                None => c,
            }));
            let written = out.get(start..).unwrap_or_default();
            if (Form::of(written) == form && fit(written)) || written == value {
                return;
            }
        }
    }
}

/// A character's place in its alphabet, and the alphabet's size. Case is kept beside, so what differs in case alone still does
/// afterwards. Beyond ASCII, the alphabet is the sixteen neighbours in Unicode. ASCII punctuation stays.
fn symbol(c: char, form: Form) -> Option<(u8, u8)> {
    match c {
        _ if form == Form::Hex => Some((c.to_digit(16).unwrap_or_default() as u8, 16)),
        '0'..='9' => Some((c as u8 - b'0', 10)),
        'a'..='z' => Some((c as u8 - b'a', 26)),
        'A'..='Z' => Some((c as u8 - b'A', 26)),
        c if c.is_ascii() => None,
        c => Some((c as u32 as u8 & 0x0f, 16)),
    }
}

fn character(original: char, value: u8, form: Form, upper: bool) -> char {
    match original {
        _ if form == Form::Hex => {
            let digit = char::from_digit(u32::from(value), 16).unwrap_or('0');
            if upper { digit.to_ascii_uppercase() } else { digit }
        }
        '0'..='9' => char::from(b'0' + value),
        'a'..='z' => char::from(b'a' + value),
        'A'..='Z' => char::from(b'A' + value),
        c => char::from_u32(c as u32 & !0x0f | u32::from(value)).unwrap_or(c),
    }
}

/// Numbers with as many digits, within the type's range.
pub(super) struct NumberIds {
    pub(super) permutation: Arc<Permutation>,
    /// The largest integer; `None` where as many digits always fit.
    pub(super) most: Option<u64>,
    /// Whether card numbers stay card numbers.
    pub(super) cards: Option<Cards>,
}

impl Generate for NumberIds {
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        match &self.cards {
            Some(cards) if is_card(value.as_bytes()) => cards.generate(value, subject, turn, out),
            // Only from a number of the type does the walk come back to one.
            _ if !self.in_range(value, value.starts_with('-')) => Err(MaskError("not an integer of the column's type")),
            cards => {
                self.exchange(value, |written| cards.is_none() || !is_card(written.as_bytes()), out);
                Ok(())
            }
        }
    }
}

impl NumberIds {
    /// Values that are no decimal numbers (`NaN`) stay.
    fn exchange(&self, value: &str, fit: impl Fn(&str) -> bool, out: &mut String) {
        let start = out.len();
        // Digits behind an `e` are not the number's own.
        let mantissa = value.find(['e', 'E']).unwrap_or(value.len());
        let negative = value.starts_with('-');
        let whole = value.bytes().skip(usize::from(negative)).take_while(u8::is_ascii_digit).count();
        let first = usize::from(negative);
        // No number begins with a zero, except those below one, which stay below one; and there is no negative zero.
        let one_digit = value.len() == 1;
        let base = |i: usize| u8::from(i == first && !one_digit);
        let changes = |i: usize, b: u8| i < mantissa && b.is_ascii_digit() && b - b'0' >= base(i);
        let mut symbols = Symbols::default();
        for (i, b) in value.bytes().enumerate().filter(|(i, b)| changes(*i, *b)) {
            symbols.push(b - b'0' - base(i), 10 - base(i));
        }
        loop {
            self.permutation.exchange(&mut symbols, &[u8::from(negative), whole as u8]);
            out.truncate(start);
            let mut values = symbols.values().iter();
            out.extend(value.bytes().enumerate().map(|(i, b)| match changes(i, b) {
                true => char::from(b'0' + base(i) + values.next().copied().unwrap_or_default()),
                false => char::from(b),
            }));
            let written = out.get(start..).unwrap_or_default();
            if (self.in_range(written, negative) && fit(written)) || written == value {
                return;
            }
        }
    }

    fn in_range(&self, written: &str, negative: bool) -> bool {
        let Some(most) = self.most else { return true };
        written.trim_start_matches('-').parse::<u64>().is_ok_and(|n| n <= most + u64::from(negative))
    }
}

/// `digits`: as `id`, and numbers with check digits become numbers with right check digits.
#[derive(Clone)]
pub(super) struct Cards {
    pub(super) ids: Ids,
}

/// Numbers with check digits, by what they are: characters at the front that stay, and how many at the end are computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    Card,
    Iban,
    Nif,
    Cif,
}

impl Checked {
    /// Blanks, points and dashes are no part of the number.
    fn of(text: &str) -> Option<(Self, SmallVec<[u8; 36]>)> {
        if text.len() > 64 {
            return None;
        }
        let compact: SmallVec<[u8; 36]> =
            text.bytes().filter(|b| !matches!(b, b' ' | b'-' | b'.')).map(|b| b.to_ascii_uppercase()).collect();
        let what = match () {
            () if is_card(&compact) => Self::Card,
            () if is_iban(&compact) => Self::Iban,
            () if is_nif(&compact) => Self::Nif,
            () if is_cif(&compact) => Self::Cif,
            () => return None,
        };
        Some((what, compact))
    }
}

impl Generate for Cards {
    fn generate(&self, value: &str, _: Option<&str>, _: u32, out: &mut String) -> Result<(), MaskError> {
        match Checked::of(value) {
            Some((what, compact)) => self.exchange(value, what, compact, out),
            None => self.ids.exchange(value, |written| Checked::of(written).is_none(), out),
        }
        Ok(())
    }
}

impl Cards {
    fn exchange(&self, value: &str, what: Checked, mut compact: SmallVec<[u8; 36]>, out: &mut String) {
        let end = compact.len();
        let changes = match what {
            Checked::Card => 1..end - 1,
            Checked::Iban => 4..end,
            Checked::Nif => usize::from(compact[0].is_ascii_uppercase())..end - 1,
            Checked::Cif => 1..end - 1,
        };
        let tweak = &compact[..changes.start.min(2)];
        let mut symbols = Symbols::default();
        for b in &compact[changes.clone()] {
            match b {
                b'0'..=b'9' => symbols.push(b - b'0', 10),
                _ => symbols.push(b - b'A', 26),
            }
        }
        let tweak: SmallVec<[u8; 2]> = tweak.into();
        self.ids.permutation.exchange(&mut symbols, &tweak);
        for (b, value) in compact[changes].iter_mut().zip(symbols.values()) {
            *b = value + if b.is_ascii_digit() { b'0' } else { b'A' };
        }
        match what {
            Checked::Card => compact[end - 1] = luhn_digit(&compact[..end - 1]),
            Checked::Iban => {
                let check = iban_digits(&compact);
                compact[2..4].copy_from_slice(&check);
            }
            Checked::Nif => compact[end - 1] = nif_letter(&compact[..end - 1]).unwrap_or(compact[end - 1]),
            Checked::Cif => compact[end - 1] = cif_control(&compact[..end - 1]).unwrap_or(compact[end - 1]),
        }
        let mut replaced = compact.iter();
        out.extend(value.bytes().map(|b| match b {
            b' ' | b'-' | b'.' => char::from(b),
            _ => {
                let c = char::from(replaced.next().copied().unwrap_or_default());
                if b.is_ascii_lowercase() { c.to_ascii_lowercase() } else { c }
            }
        }));
    }
}
