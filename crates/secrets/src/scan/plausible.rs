//! Whether a text is somebody's secret, or a placeholder, a word, a hash.

/// Words that placeholders are made of.
const WORDS: &[&str] = &[
    "abc",
    "access",
    "add",
    "admin",
    "an",
    "any",
    "api",
    "app",
    "auth",
    "backend",
    "bar",
    "baz",
    "change",
    "changeit",
    "changeme",
    "db",
    "database",
    "default",
    "demo",
    "dev",
    "development",
    "dummy",
    "enter",
    "env",
    "example",
    "fake",
    "fill",
    "foo",
    "generate",
    "generated",
    "goes",
    "guest",
    "here",
    "in",
    "insert",
    "it",
    "jwt",
    "key",
    "local",
    "localhost",
    "me",
    "mongo",
    "must",
    "my",
    "mysql",
    "new",
    "none",
    "not",
    "null",
    "of",
    "ok",
    "one",
    "or",
    "pass",
    "passw",
    "passwd",
    "password",
    "paste",
    "placeholder",
    "please",
    "postgres",
    "postgresql",
    "prod",
    "production",
    "put",
    "pw",
    "pwd",
    "random",
    "real",
    "redacted",
    "redis",
    "replace",
    "root",
    "sample",
    "secret",
    "secure",
    "set",
    "some",
    "staging",
    "string",
    "strong",
    "super",
    "supersecret",
    "test",
    "testing",
    "text",
    "the",
    "this",
    "to",
    "todo",
    "token",
    "true",
    "false",
    "undefined",
    "use",
    "user",
    "username",
    "value",
    "with",
    "xxx",
    "you",
    "your",
    "yours",
];

/// Whether nobody would mistake it for a real value: empty, a reference, a mask, or made of such words and numbers alone.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    if value.len() < 4 || value.contains("${") || value.contains("$(") || value.contains("{{") || value.contains("...")
    {
        return true;
    }
    let reference = value.starts_with(['$', '%', '<', '{', '[', '@']) || value.contains('…') || value.contains('<');
    let first = value.chars().next();
    if reference || value.chars().all(|c| Some(c) == first || c == '*') {
        return true;
    }
    let value = value.to_ascii_lowercase();
    if value.contains("example")
        || value.contains("xxxx")
        || value.contains("placeholder")
        || value.contains("changeme")
        || value.contains("****")
    {
        return true;
    }
    value.split(|c: char| !c.is_ascii_alphabetic()).all(made_of_words) && longest_number(&value) <= 8
}

/// Words of those who ask for a value instead of giving one.
const REQUESTS: &[&str] =
    &["your", "change", "replace", "insert", "here", "placeholder", "todo", "paste", "enter", "fill", "example"];

/// Whether a variable's value in a committed file is none: a placeholder that is short or asks for a value. A long one
/// such as `dev-secret-not-secure-ok` is made of words and works all the same.
pub(super) fn is_unset(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
    is_placeholder(value) && (!plain || value.len() < 14 || REQUESTS.iter().any(|request| text.contains(request)))
}

fn longest_number(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}

/// Whether a text is a run of [`WORDS`]. Reachable positions are kept as bits, so that no input is slow.
fn made_of_words(text: &str) -> bool {
    if text.len() > 63 {
        return false;
    }
    let mut reached: u64 = 1;
    for position in 0..text.len() {
        if reached & (1 << position) != 0 {
            for word in WORDS.iter().filter(|word| text[position..].starts_with(**word)) {
                reached |= 1 << (position + word.len());
            }
        }
    }
    reached & (1 << text.len()) != 0
}

/// Bits of information for each character, by the characters' frequencies.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in value {
        counts[usize::from(byte)] += 1;
    }
    let total = value.len() as f64;
    counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / total).map(|p| -p * p.log2()).sum()
}

/// Whether a text looks drawn at random rather than written by a person: enough characters, enough different ones, and
/// letters, capitals and digits that change places more often than they do in words and identifiers.
pub(super) fn looks_random(value: &[u8]) -> bool {
    if value.len() < 16 || !value.iter().all(u8::is_ascii_graphic) || is_uuid(value) {
        return false;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    if entropy(value) < if hex { 2.8 } else { 3.3 } {
        return false;
    }
    // Words divided by hyphens and dots are judged by their longest part: `sha-256-of-the-v2-file` is not random.
    let part =
        value.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/_".contains(byte)).max_by_key(|part| part.len());
    let Some(part) = part.filter(|part| part.len() >= 10) else { return false };
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    // A capital before a small letter begins a word; that is no sign of chance.
    let changes = part.windows(2).filter(|pair| {
        let (a, b) = (class(pair[0]), class(pair[1]));
        a != b && (a, b) != (1, 0) && a != 3 && b != 3
    });
    let changes = changes.count();
    match digits {
        0 => false,
        1 => changes * 3 >= part.len(),
        _ => changes * 4 >= part.len(),
    }
}

/// Whether it is a UUID, which names things and opens nothing.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for text in [
            "",
            "pass",
            "password",
            "changeme",
            "your-api-key-here",
            "my_secret_token",
            "${DB_PASSWORD}",
            "<password>",
            "***",
            "xxxxxxxx",
            "password123",
            "$PASSWORD",
            "{{ password }}",
            "test-secret-key",
            "postgres",
            "YOUR_TOKEN",
            "abc123",
            "%s",
            "guest",
            "secret...",
        ] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["hunter2", "kR7xq02LmN", "correct-horse-battery", "Tr0ub4dor&3"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_drawn_at_random_is_told_from_what_people_write() {
        for length in [20, 24, 32, 48, 64] {
            let hits =
                (0..200).filter(|_| looks_random(crate::generate::random_text(length).unwrap().expose().as_bytes()));
            assert!(hits.count() >= 170, "random texts of {length} characters");
        }
        for text in [
            "ultra-secure-production-secret-min-32-chars",
            "getUserAccessTokenFromHeader2",
            "https://api.example.com/v1/token",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "application/x-www-form-urlencoded",
            "AccessTokenExpiredError",
            "00000000000000000000",
            "refresh_token_v2_expires_at",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "SELECT-1-FROM-users-WHERE-id-2",
            "com.kaia.app.v12.release34",
        ] {
            assert!(!looks_random(text.as_bytes()), "{text}");
        }
    }
}
