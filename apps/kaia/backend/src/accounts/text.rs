//! What people write about themselves, looked at before it is kept.

use crate::http::problem::{FieldError, Problem};

/// Collects what is wrong with fields, so that all of it is told at once.
#[derive(Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    pub fn wrong(&mut self, field: &str, message: &str) {
        self.0.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    }

    pub fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::Invalid(self.0)) }
    }

    /// A text of so many characters, without those that no text holds.
    pub fn text(&mut self, field: &str, text: &str, least: usize, most: usize) -> String {
        // What is written counts in the length, what is kept has no space around it.
        let written = text.chars().count();
        let text = text.trim();
        if text.contains('\0') {
            self.wrong(field, "holds a character that cannot be stored");
        } else if text.chars().count() < least {
            self.wrong(field, "may not be empty");
        } else if written > most {
            self.wrong(field, &format!("has at most {most} characters"));
        }
        text.to_owned()
    }

    /// One line: it goes into the head of a mail.
    pub fn line(&mut self, field: &str, text: &str, most: usize) -> String {
        let text = self.text(field, text, 1, most);
        if text.chars().any(char::is_control) {
            self.wrong(field, "is one line");
        }
        text
    }

    pub fn email(&mut self, field: &str, text: &str) -> String {
        let written = text.chars().count();
        let text = text.trim();
        let plain = |s: &str| !s.chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;:\"()[]\\".contains(c));
        let form = text.rsplit_once('@').is_some_and(|(local, domain)| {
            let labels = domain.split('.').all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'));
            (1..=64).contains(&local.len()) && !local.contains('@') && domain.contains('.') && labels
        });
        if written > 254 || text.len() > 254 || !plain(text) || !form {
            self.wrong(field, "is not an e-mail address");
        }
        text.to_owned()
    }

    pub fn password(&mut self, field: &str, text: &str) {
        let length = text.chars().count();
        if !(8..=200).contains(&length) {
            self.wrong(field, "has 8 to 200 characters");
        }
    }

    pub fn phone(&mut self, field: &str, text: &str) {
        let digits = text.strip_prefix('+').unwrap_or_default();
        if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with('0') {
            self.wrong(field, "is a number with its country, such as +34600123456");
        }
    }

    pub fn time_zone(&mut self, field: &str, text: &str) {
        if text.parse::<chrono_tz::Tz>().is_err() {
            self.wrong(field, "is not a time zone such as Europe/Madrid");
        }
    }

    pub fn language(&mut self, field: &str, text: &str) {
        if !matches!(text, "es" | "en") {
            self.wrong(field, "is es or en");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> bool {
        let mut fields = Fields::default();
        fields.email("email", text);
        fields.finish().is_ok()
    }

    #[test]
    fn addresses_are_addresses() {
        for good in ["ana@kaia.ai", " ana+x@kaia.ai ", "añá@españa.es", "a@b.c.d"] {
            assert!(email(good), "{good}");
        }
        let wrong =
            ["", "ana", "ana@", "@kaia.ai", "ana@kaia", "a@b@c.d", "ana@.ai", "a\r\nBcc: x@y.z", "a b@c.d", "<a@b.c>"];
        for wrong in wrong {
            assert!(!email(wrong), "{wrong:?}");
        }
    }
}
