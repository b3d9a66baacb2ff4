//! Check digits of numbers that people are known by.

/// Letters of a Spanish NIF, by the number's remainder modulo 23 (Real Decreto 1553/2005, article 11; Orden INT/2058/2008).
const NIF_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// The digit that makes a number right (ISO/IEC 7812-1, annex B), behind these ASCII digits.
pub(in crate::masking) fn luhn_digit(digits: &[u8]) -> u8 {
    let mut sum = 0u32;
    for (i, digit) in digits.iter().rev().enumerate() {
        let value = u32::from(digit.wrapping_sub(b'0'));
        let doubled = if i % 2 == 0 { value * 2 } else { value };
        sum += if doubled > 9 { doubled - 9 } else { doubled };
    }
    b'0' + ((10 - sum % 10) % 10) as u8
}

/// Whether ASCII digits are a card number: its length, first digit and check digit.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    let Some((check, payload)) = digits.split_last() else { return false };
    (13..=19).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(digits[0], b'2'..=b'6')
        && luhn_digit(payload) == *check
}

/// An IBAN's remainder modulo 97 (ISO 13616; ISO 7064, MOD 97-10). Takes upper-case letters and digits without blanks.
fn iban_remainder(iban: &[u8]) -> u32 {
    let (head, tail) = iban.split_at(4.min(iban.len()));
    tail.iter().chain(head).fold(0, |rest, c| {
        let value = u32::from(match c {
            b'0'..=b'9' => c - b'0',
            _ => (c & 0xdf).wrapping_sub(b'A').wrapping_add(10),
        });
        (if value > 9 { rest * 100 } else { rest * 10 } + value) % 97
    })
}

/// Whether this is an IBAN with the right check digits; blanks removed, letters in upper case.
pub(crate) fn is_iban(iban: &[u8]) -> bool {
    (15..=34).contains(&iban.len())
        && iban[..2].iter().all(u8::is_ascii_uppercase)
        && iban[2..4].iter().all(u8::is_ascii_digit)
        && iban[4..].iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        && matches!((iban[2] - b'0') * 10 + iban[3] - b'0', 2..=98)
        && iban_remainder(iban) == 1
}

/// The two check digits of an IBAN.
pub(in crate::masking) fn iban_digits(iban: &[u8]) -> [u8; 2] {
    let mut zeroed = iban.to_vec();
    if let Some(check) = zeroed.get_mut(2..4) {
        check.fill(b'0');
    }
    let check = 98 - iban_remainder(&zeroed);
    [b'0' + (check / 10) as u8, b'0' + (check % 10) as u8]
}

/// The letter of a NIF or NIE whose first eight characters these are; `None` if they cannot be.
pub(in crate::masking) fn nif_letter(front: &[u8]) -> Option<u8> {
    let (first, rest) = front.split_first()?;
    let first = match first {
        b'0'..=b'9' => u32::from(first - b'0'),
        b'X' | b'Y' | b'Z' => u32::from(first - b'X'),
        _ => return None,
    };
    if rest.len() != 7 || !rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = rest.iter().fold(first, |sum, d| sum * 10 + u32::from(d - b'0'));
    Some(NIF_LETTERS[(number % 23) as usize])
}

/// Whether this is a NIF or NIE with the right letter, in upper case.
pub(crate) fn is_nif(text: &[u8]) -> bool {
    text.len() == 9 && nif_letter(&text[..8]) == Some(text[8])
}

/// The control of a CIF whose first eight characters these are (Orden EHA/451/2008): a digit for companies, a letter for public
/// bodies and foreigners.
pub(in crate::masking) fn cif_control(front: &[u8]) -> Option<u8> {
    let (kind, digits) = front.split_first()?;
    if !b"ABCDEFGHJNPQRSUVW".contains(kind) || digits.len() != 7 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let value = u32::from(d - b'0');
            if i % 2 == 0 { value * 2 / 10 + value * 2 % 10 } else { value }
        })
        .sum();
    let control = (10 - sum % 10) % 10;
    Some(if b"NPQRSW".contains(kind) { b"JABCDEFGHI"[control as usize] } else { b'0' + control as u8 })
}

/// Whether this is a CIF with the right control, in upper case.
pub(crate) fn is_cif(text: &[u8]) -> bool {
    text.len() == 9 && cif_control(&text[..8]) == Some(text[8])
}
