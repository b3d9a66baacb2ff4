//! `phone`: another number of the same country and kind.

use smallvec::SmallVec;

use super::Generate;
use super::ids::Ids;
use crate::masking::file::Language;
use crate::masking::mask::MaskError;
use crate::masking::permutation::Symbols;

/// Country codes of one and two digits; all others have three (ITU-T E.164, list of assigned codes).
const SHORT_CODES: &[&str] = &[
    "1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
    "86", "90", "91", "92", "93", "94", "95", "98",
];

/// The fewest digits that change, whatever the plan says: a number of ten thousand is no longer somebody's.
const LEAST: usize = 4;

pub(super) struct Phone {
    pub(super) ids: Ids,
    pub(super) language: Language,
}

/// What stays of a number: so many digits at its front.
struct Plan {
    kept: usize,
    /// Whether the first digit that changes is at least 2, as the North American plan wants it.
    from_two: bool,
}

/// How many digits behind the country code say what kind of number it is and where: after them every digit is possible. From the
/// countries' numbering plans (ITU-T E.129, national presentations).
fn national(code: &str, number: &[u8]) -> usize {
    let first = number.first().copied().unwrap_or_default();
    match code {
        // Mobile 6x and 7x; provinces have two or three digits.
        "34" => {
            if matches!(first, b'6' | b'7') {
                2
            } else {
                3
            }
        }
        // Mexican numbers once had a 1 for mobiles in front; area codes have two or three digits.
        "52" => 3 + usize::from(number.len() == 11 && first == b'1'),
        // A 9 for mobiles in front; area codes have two to four digits.
        "54" => 4 + usize::from(number.len() == 11 && first == b'9'),
        "57" => {
            if first == b'3' {
                3
            } else {
                4
            }
        }
        "44" => 4,
        "33" => 3,
        "49" => {
            if first == b'1' {
                3
            } else {
                4
            }
        }
        "351" => {
            if first == b'9' {
                2
            } else {
                3
            }
        }
        "39" => {
            if first == b'3' {
                3
            } else {
                4
            }
        }
        "1" => 3,
        _ => 2,
    }
}

impl Phone {
    fn plan(&self, digits: &[u8], international: bool) -> Plan {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        let zeros = if text.starts_with("00") && international { 2 } else { 0 };
        let (code, front) = if international {
            let rest = &text[zeros..];
            let short = SHORT_CODES.iter().find(|c| rest.starts_with(**c));
            let code = short.map_or(rest.get(..3).unwrap_or(rest), |c| *c);
            // The trunk zero that people write in parentheses: +44 (0) 20 …
            let trunk = usize::from(code != "39" && rest.as_bytes().get(code.len()) == Some(&b'0'));
            (code, zeros + code.len() + trunk)
        } else {
            let trunk = usize::from(text.starts_with('0'));
            let code = match (self.language, digits.len()) {
                (Language::Spanish, 9) if matches!(digits[0], b'6'..=b'9') => "34",
                (Language::English, 10) if trunk == 0 => "1",
                (_, 10..) if trunk == 1 => "44",
                _ => "",
            };
            (code, trunk)
        };
        let kept = (front + national(code, &digits[front.min(digits.len())..])).min(digits.len().saturating_sub(LEAST));
        Plan { kept, from_two: code == "1" && kept == front + 3 }
    }
}

impl Generate for Phone {
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let digits: SmallVec<[u8; 24]> = value.bytes().filter(u8::is_ascii_digit).collect();
        // What has no number in it, or words too, is no phone number alone.
        if digits.len() < 3 || value.chars().any(char::is_alphabetic) || !value.is_ascii() {
            return self.ids.generate(value, subject, turn, out);
        }
        let international = value.trim_start_matches([' ', '(']).starts_with('+') || digits.starts_with(b"00");
        let plan = self.plan(&digits, international);
        let mut symbols = Symbols::default();
        let base = |i: usize, b: u8| match b {
            b'2'..=b'9' if plan.from_two && i == plan.kept => (b'2', 8),
            _ if plan.from_two && i == plan.kept => (b'0', 2),
            _ => (b'0', 10),
        };
        for (i, b) in digits.iter().enumerate().skip(plan.kept) {
            let (base, size) = base(i, *b);
            symbols.push(b - base, size);
        }
        // With and without its country code the same number becomes the same, where the code is the language's own.
        let national = &digits[plan.kept.saturating_sub(2)..plan.kept];
        self.ids.permutation.exchange(&mut symbols, national);
        let mut values = symbols.values().iter();
        let mut at = 0;
        out.extend(value.chars().map(|c| {
            if !c.is_ascii_digit() {
                return c;
            }
            let i = at;
            at += 1;
            if i < plan.kept {
                return c;
            }
            char::from(base(i, c as u8).0 + values.next().copied().unwrap_or_default())
        }));
        Ok(())
    }
}
