//! `username`, `hash`, `template` and `uuid`: pseudonyms so long that no two values share one.

use super::Generate;
use super::ids::Ids;
use super::names::Dictionary;
use crate::masking::key::{Prf, push_symbols};
use crate::masking::mask::MaskError;
use crate::masking::rule::{Template, TemplatePart};

/// Symbols of a login name: 65 bits.
pub(in crate::masking) const USERNAME: usize = 13;

/// Digits of a `hash`, and the fewest that can be called unique.
pub(in crate::masking) const HASH: usize = 32;
pub(in crate::masking) const LEAST_HASH: usize = 16;

pub(super) struct Username {
    pub(super) prf: Prf,
    pub(super) longest: Option<usize>,
}

impl Generate for Username {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let bits = self.prf.draw(value.as_bytes(), turn).bits();
        let room = self.longest.unwrap_or(usize::MAX);
        if room > USERNAME + "user-".len() {
            out.push_str("user-");
        }
        push_symbols(bits, USERNAME.min(room), out);
        Ok(())
    }
}

pub(super) struct Hash {
    pub(super) prf: Prf,
    pub(super) length: usize,
}

impl Generate for Hash {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        push_hex(self.prf.draw(value.as_bytes(), turn).bits(), self.length, out);
        Ok(())
    }
}

fn push_hex(mut bits: u128, length: usize, out: &mut String) {
    for _ in 0..length {
        out.push(char::from_digit((bits & 15) as u32, 16).unwrap_or('0'));
        bits >>= 4;
    }
}

pub(super) struct Templated {
    pub(super) prf: Prf,
    pub(super) template: Template,
    pub(super) dictionary: &'static Dictionary,
}

impl Generate for Templated {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        // A hash says the same wherever in the template it stands; what is longer than 128 bits goes on with the generator.
        let bits = draw.bits();
        for part in &self.template.0 {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Hash(length) => {
                    push_symbols(bits, (*length).min(25), out);
                    if *length > 25 {
                        push_symbols(u128::from(draw.next()), length - 25, out);
                    }
                }
                TemplatePart::Digits(length) => {
                    for _ in 0..*length {
                        out.push(char::from(b'0' + draw.below(10) as u8));
                    }
                }
                TemplatePart::FirstName => out.push_str(self.dictionary.first(&mut draw)),
                TemplatePart::LastName => out.push_str(self.dictionary.last(&mut draw)),
            }
        }
        Ok(())
    }
}

pub(super) struct Uuid {
    pub(super) prf: Prf,
    /// For texts that are no UUIDs, where the column is one of texts.
    pub(super) otherwise: Ids,
}

impl Generate for Uuid {
    /// Version and variant stay (RFC 9562, section 4), and how the text is written.
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let mut digits = [0u8; 32];
        let mut count = 0;
        for b in value.bytes() {
            match char::from(b).to_digit(16) {
                Some(digit) if count < 32 => {
                    digits[count] = digit as u8;
                    count += 1;
                }
                None if matches!(b, b'-' | b'{' | b'}') => {}
                _ => return self.otherwise.generate(value, None, turn, out),
            }
        }
        if count != 32 {
            return self.otherwise.generate(value, None, turn, out);
        }
        let mut bits = self.prf.draw(&digits, turn).bits();
        let upper = value.bytes().any(|b| b.is_ascii_uppercase());
        let mut at = 0;
        for c in value.chars() {
            if !c.is_ascii_hexdigit() {
                out.push(c);
                continue;
            }
            let drawn = (bits & 15) as u32;
            bits >>= 4;
            let digit = match at {
                12 => u32::from(digits[12]),
                16 => u32::from(digits[16]) & 0b1100 | drawn & 0b0011,
                _ => drawn,
            };
            at += 1;
            let c = char::from_digit(digit, 16).unwrap_or('0');
            out.push(if upper { c.to_ascii_uppercase() } else { c });
        }
        Ok(())
    }
}
