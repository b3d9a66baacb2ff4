//! `password = "…"` in any language, where what is assigned looks drawn at random.

use std::{ops::Range, sync::LazyLock};

use regex::bytes::Regex;

use super::plausible::{is_placeholder, looks_random};

/// Where the name of a secret could be.
pub(super) const KEYWORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "private_key",
    "privatekey",
    "access_key",
    "accesskey",
    "credential",
    "auth_key",
    "encryption_key",
    "signing_key",
];

/// Parts of names that say the value is something about a secret and not the secret.
const OTHER: &[&str] = &[
    "hash",
    "checksum",
    "digest",
    "sha1",
    "sha256",
    "sha512",
    "integrity",
    "commit",
    "revision",
    "url",
    "uri",
    "path",
    "file",
    "header",
    "pattern",
    "regex",
    "expires",
    "expiry",
    "length",
    "label",
    "title",
    "message",
    "error",
    "public",
    "fingerprint",
    "type",
    "class",
    "selector",
    "placeholder",
];

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"^(?-u)([A-Za-z0-9_-]{0,40})["'\]]{0,3}[ \t]{0,8}(?::[ \t]{0,3}&?(?:'static )?[A-Za-z]{2,12}[ \t]{0,3}=|=>|:=|={1,3}|:|,)"#,
        r#"[ \t]{0,8}(?:[bfru]{0,2}|String::from\(|new [A-Za-z]{1,20}\()["'`]([^"'`\s\x00-\x1f]{16,300})["'`]"#
    ))
    .expect("the pattern is a valid regular expression")
});

/// The literal within `text` and the name that it is assigned to, when the keyword at `keyword` begins such an assignment.
pub(super) fn literal(text: &[u8], keyword: Range<usize>) -> Option<(Range<usize>, String)> {
    let found = PATTERN.captures(&text[keyword.end..text.len().min(keyword.end + 420)])?;
    let value = found.get(2)?;
    let value = keyword.end + value.start()..keyword.end + value.end();
    let is_part_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let window = keyword.start.saturating_sub(40);
    let name_start = text[window..keyword.start]
        .iter()
        .rposition(|byte| !is_part_of_name(byte))
        .map_or(window, |place| window + place + 1);
    let name = String::from_utf8_lossy(&text[name_start..keyword.end + found.get(1)?.end()]).into_owned();
    let plain = name.to_ascii_lowercase();
    let literal = &text[value.clone()];
    let about = OTHER.iter().any(|other| plain.contains(other));
    // Argon2 and bcrypt hashes, paths, addresses and prose in brackets are not secrets that open something.
    // JSON web tokens are left to the rule that reads them.
    let other_thing = literal.starts_with(b"$")
        || literal.starts_with(b"eyJ") && literal.contains(&b'.')
        || literal.contains(&b'/') && literal.contains(&b'.')
        || literal.contains(&b'(')
        || literal.contains(&b'{')
        || literal.contains(&b'<');
    (!about && !other_thing && looks_random(literal) && !is_placeholder(literal)).then(|| (value, variable_name(&name)))
}

/// `jwtSecret`, `jwt-secret` → `JWT_SECRET`.
pub(super) fn variable_name(name: &str) -> String {
    let mut result = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            result.push('_');
        }
        result.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        before = c;
    }
    let trimmed = result.trim_matches('_');
    if crate::name::check_name(trimmed).is_ok() { trimmed.to_owned() } else { "NAME".to_owned() }
}
