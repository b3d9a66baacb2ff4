//! Reads variables and remembers what is wrong with them.

use std::fmt;

/// Every variable that is wrong, with what was expected. Never a value: it may be a secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrong(pub Vec<String>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|one| write!(f, "\n  {one}"))
    }
}

impl std::error::Error for Wrong {}

pub(super) struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    wrong: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, wrong: Vec::new(), warnings: Vec::new() }
    }

    /// A variable that is empty is one that is not set.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn wrong(&mut self, name: &str, expected: &str) {
        self.wrong.push(format!("{name}: expected {expected}"));
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// A variable with a default.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        default: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&self.text(name, default));
        if parsed.is_none() {
            self.wrong(name, expected);
        }
        parsed
    }

    /// A variable without a default.
    pub(super) fn needed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let Some(value) = self.optional(name) else {
            self.wrong.push(format!("{name} is not set: expected {expected}"));
            return None;
        };
        let parsed = parse(&value);
        if parsed.is_none() {
            self.wrong(name, expected);
        }
        parsed
    }

    pub(super) fn boolean(&mut self, name: &str, default: bool) -> bool {
        let default = if default { "true" } else { "false" };
        self.parsed(name, default, "true or false", |v| v.parse().ok()).unwrap_or_default()
    }

    /// An http(s) URL, without a slash at its end.
    pub(super) fn url(&mut self, name: &str, default: Option<&str>) -> String {
        let expected = "a URL such as https://api.kaia.ai";
        let found = match default {
            Some(default) => self.parsed(name, default, expected, url),
            None => self.needed(name, expected, url),
        };
        found.unwrap_or_default()
    }

    pub(super) fn finish(self) -> (Vec<String>, Option<Wrong>) {
        (self.warnings, (!self.wrong.is_empty()).then_some(Wrong(self.wrong)))
    }
}

fn url(text: &str) -> Option<String> {
    let uri: axum::http::Uri = text.parse().ok()?;
    let known = matches!(uri.scheme_str()?, "http" | "https");
    (known && !uri.host()?.is_empty() && uri.query().is_none()).then(|| text.trim_end_matches('/').to_owned())
}
