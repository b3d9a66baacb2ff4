//! Secrets are taken out of what a process prints before it is written anywhere.

use std::borrow::Cow;

use memchr::memmem::Finder;

/// What stands in the place of a secret.
const INSTEAD: &[u8] = b"[secret]";
/// A shorter value is no secret worth the name, and taking it out would garble every line.
const SHORTEST: usize = 6;

/// Knows the values that are never written.
pub(crate) struct Redactor {
    /// The longest first: one may be a part of another.
    finders: Vec<Finder<'static>>,
}

impl Redactor {
    pub(crate) fn new(secrets: &[String]) -> Self {
        let mut values: Vec<Vec<u8>> = secrets
            .iter()
            // The log is one of lines: so are the values that have several, such as keys in PEM.
            .flat_map(|secret| secret.lines().map(str::trim))
            .filter(|line| line.len() >= SHORTEST)
            .flat_map(|line| [Cow::Borrowed(line), in_json(line), in_url(line)])
            .map(|value| value.into_owned().into_bytes())
            .collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { finders: values.iter().map(|value| Finder::new(value).into_owned()).collect() }
    }

    /// The length of the longest value: as many bytes at the end of an unfinished line may be the beginning of one.
    pub(crate) fn longest(&self) -> usize {
        self.finders.first().map_or(0, |finder| finder.needle().len())
    }

    /// Takes every secret out.
    pub(crate) fn redact(&self, text: &mut Vec<u8>) {
        for finder in &self.finders {
            let Some(first) = finder.find(text) else { continue };
            let mut clean = Vec::with_capacity(text.len());
            let (mut done, mut next) = (0, Some(first));
            while let Some(at) = next {
                clean.extend_from_slice(text.get(done..at).unwrap_or_default());
                clean.extend_from_slice(INSTEAD);
                done = at + finder.needle().len();
                next = text.get(done..).and_then(|rest| finder.find(rest)).map(|offset| done + offset);
            }
            clean.extend_from_slice(text.get(done..).unwrap_or_default());
            *text = clean;
        }
    }
}

/// As it stands in a text of JSON, which structured logs are.
fn in_json(value: &str) -> Cow<'_, str> {
    match serde_json::to_string(value) {
        Ok(text) => Cow::Owned(text.trim_matches('"').to_owned()),
        Err(_) => Cow::Borrowed(value),
    }
}

/// As it stands in a URL.
fn in_url(value: &str) -> Cow<'_, str> {
    let escaped = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<String> = secrets.iter().map(|s| (*s).to_owned()).collect();
        let mut bytes = text.as_bytes().to_vec();
        Redactor::new(&secrets).redact(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_place_of_every_secret_is_taken_out_the_longer_first() {
        let text = "a s3cret-value b s3cret-value-long s3cret-value";
        assert_eq!(redacted(&["s3cret-value", "s3cret-value-long"], text), "a [secret] b [secret] [secret]");
    }

    #[test]
    fn it_is_found_in_json_and_in_urls() {
        assert_eq!(redacted(&["pass\"wörd/1"], r#"{"key":"pass\"wörd/1"}"#), r#"{"key":"[secret]"}"#);
        assert_eq!(redacted(&["pass\"wörd/1"], "redis://x:pass%22w%C3%B6rd%2F1@h"), "redis://x:[secret]@h");
    }

    #[test]
    fn a_key_of_several_lines_is_found_line_by_line() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nab\n";
        assert_eq!(redacted(&[pem], "read MIIEvQIBADANBg, ab"), "read [secret], ab");
    }

    #[test]
    fn short_words_stay() {
        assert_eq!(redacted(&["dev", ""], "dev is developed"), "dev is developed");
    }
}
