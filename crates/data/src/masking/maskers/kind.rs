//! What a text is, by its form alone. Used for texts that no rule names, and by the classification.

use std::net::IpAddr;

use super::calendar::Date;
use super::checks::{is_card, is_cif, is_iban, is_nif};
pub(crate) use super::password::is_password_hash;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An e-mail address.
    Email,
    /// `scheme://…`.
    Url,
    /// A UUID.
    Uuid,
    /// A date, or a date and a time.
    Date,
    /// An IP address.
    Ip,
    /// A JSON Web Token.
    Jwt,
    /// A hash of a password.
    PasswordHash,
    /// A card number with its check digit.
    Card,
    /// An IBAN with its check digits.
    Iban,
    /// A Spanish NIF, NIE or CIF with its control.
    Nif,
    /// A phone number with its country code, or written as phone numbers are.
    Phone,
    /// Digits and what stands between them, otherwise.
    Number,
    /// A random text: long, without blanks, of letters and digits.
    Token,
    /// Anything else.
    Text,
}

impl Kind {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut digits, mut letters, mut blanks, mut at) = (0, 0, 0, 0);
        for b in bytes {
            match b {
                b'0'..=b'9' => digits += 1,
                b' ' | b'\t' | b'\n' | b'\r' => blanks += 1,
                b'@' => at += 1,
                b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => letters += 1,
                _ => {}
            }
        }
        if at == 1 && blanks == 0 && is_email(text) {
            return Self::Email;
        }
        if is_url(text) {
            return Self::Url;
        }
        if blanks == 0 {
            if is_uuid(text) {
                return Self::Uuid;
            }
            if is_jwt(text) {
                return Self::Jwt;
            }
            if is_password_hash(text) {
                return Self::PasswordHash;
            }
            if (bytes.contains(&b'.') || bytes.contains(&b':')) && is_ip(text) {
                return Self::Ip;
            }
        }
        if digits > 0 {
            if digits <= 14 && is_date(text) {
                return Self::Date;
            }
            if let Some(kind) = numbered(text, digits, letters) {
                return kind;
            }
        }
        if blanks == 0 && is_token(text, digits, letters) { Self::Token } else { Self::Text }
    }
}

/// Numbers with check digits, phone numbers, and other digits.
fn numbered(text: &str, digits: usize, letters: usize) -> Option<Kind> {
    if text.len() > 48 || !text.is_ascii() {
        return None;
    }
    let mut compact = [0u8; 48];
    let mut length = 0;
    for b in text.bytes().filter(|b| !matches!(b, b' ' | b'-' | b'.')) {
        compact[length] = b.to_ascii_uppercase();
        length += 1;
    }
    let compact = &compact[..length];
    if letters == 0 && is_card(compact) {
        return Some(Kind::Card);
    }
    if letters > 0 {
        if is_iban(compact) {
            return Some(Kind::Iban);
        }
        return (is_nif(compact) || is_cif(compact)).then_some(Kind::Nif);
    }
    if is_phone(text, digits) {
        return Some(Kind::Phone);
    }
    text.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b',' | b'/' | b'+' | b'(' | b')'))
        .then_some(Kind::Number)
}

/// An address as people have them: one `@`, a domain with a dot, nothing that has to be quoted (RFC 5321 allows more).
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    !local.is_empty()
        && local.len() <= 64
        && !local.contains(|c: char| c.is_whitespace() || matches!(c, '@' | '<' | '>' | ',' | ';' | ':' | '/' | '"'))
        && domain.len() >= 3
        && domain.chars().all(named)
        && domain.rsplit_once('.').is_some_and(|(front, top)| !front.is_empty() && top.chars().count() >= 2)
}

pub(crate) fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        (2..=8).contains(&scheme.len())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
            && !rest.is_empty()
            && !rest.contains(char::is_whitespace)
    })
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Three parts in base64url, of which the first is the JSON object that RFC 7519 wants there: `{"` is always `eyJ`.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ")
        && text.split('.').count() == 3
        && text.len() > 40
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

pub(crate) fn is_ip(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.len() >= 7 && address.parse::<IpAddr>().is_ok()
        || address.contains("::") && address.parse::<IpAddr>().is_ok()
}

/// A date in ISO form, alone or with a time, or as `31/12/1984`.
pub(crate) fn is_date(text: &str) -> bool {
    if let Some((_, rest)) = Date::leading(text) {
        return rest.is_empty() || rest.starts_with(['T', ' ', 't']) && rest.contains(':');
    }
    let mut parts = text.split('/');
    let part = |p: Option<&str>| p.and_then(|p| p.parse::<u16>().ok());
    let (Some(day), Some(month), Some(year), None) =
        (part(parts.next()), part(parts.next()), part(parts.next()), parts.next())
    else {
        return false;
    };
    (1900..2100).contains(&year)
        && Date::checked(year.into(), month as u8, day as u8).is_some()
        && day < 32
        && month < 13
}

/// With a country code, seven to fifteen digits (E.164); without, written in groups as numbers never are.
pub(crate) fn is_phone(text: &str, digits: usize) -> bool {
    let shaped =
        text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b'(' | b')' | b'+' | b'/'));
    let plus = text.starts_with('+') || text.starts_with("(+") || text.starts_with("00");
    let grouped = || text.contains([' ', '(']) || text.matches('-').count() >= 2;
    shaped && (8..=15).contains(&digits) && text.rfind('+').is_none_or(|i| i <= 1) && (plus || digits >= 9 && grouped())
}

/// Long, without blanks, and of letters and digits as words are not.
pub(crate) fn is_token(text: &str, digits: usize, letters: usize) -> bool {
    let hex = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let shaped =
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'+' | b'/' | b'~'));
    let changes = text.as_bytes().windows(2).filter(|w| class(w[0]) != class(w[1])).count();
    hex || shaped && text.len() >= 20 && digits >= 2 && letters >= 6 && changes * 4 >= text.len()
}

fn class(b: u8) -> u8 {
    match b {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    }
}
