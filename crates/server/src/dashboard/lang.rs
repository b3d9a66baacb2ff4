//! The two languages of the pages. What the application itself says (failures, evidence, logs) is in English in both.

use axum::http::{HeaderMap, header};

use super::guard::{cookie, header_text};

/// The cookie that remembers a choice.
pub(crate) const COOKIE: &str = "ambit_language";

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    Es,
}

impl Lang {
    /// What was chosen, else what the browser would rather read.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie(headers, COOKIE).and_then(|code| Self::coded(&code));
        chosen.unwrap_or_else(|| Self::accepted(header_text(headers, &header::ACCEPT_LANGUAGE).unwrap_or_default()))
    }

    /// The language of a code such as `es-MX`.
    pub(crate) fn coded(code: &str) -> Option<Self> {
        match code.split(['-', '_']).next()?.trim().to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "es" => Some(Self::Es),
            _ => None,
        }
    }

    /// By `Accept-Language` (RFC 9110, section 12.5.4).
    fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::En);
        for range in header.split(',').take(20) {
            let (code, rest) = range.split_once(';').unwrap_or((range, ""));
            let weight = rest.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok());
            if let (Some(lang), Some(weight)) = (Self::coded(code), weight)
                && weight > best.0
            {
                best = (weight, lang);
            }
        }
        best.1
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The text of this language.
    pub(crate) fn t<'a>(self, english: &'a str, spanish: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::Es => spanish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_what_it_would_rather_read() {
        for (header, wanted) in [
            ("", Lang::En),
            ("es", Lang::Es),
            ("es-MX,es;q=0.9,en;q=0.8", Lang::Es),
            ("en;q=0.5, es;q=0.7", Lang::Es),
            ("fr, en;q=0.1", Lang::En),
            ("de", Lang::En),
            ("es;q=x", Lang::En),
            ("es;q=0", Lang::En),
        ] {
            assert_eq!(Lang::accepted(header), wanted, "{header}");
        }
    }
}
