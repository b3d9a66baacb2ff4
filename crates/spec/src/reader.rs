//! Takes values out of the tree by the rules of the format, and remembers everything that does not fit.

use std::{ops::Range, time::Duration};

use crate::{
    diagnostic::Diagnostic,
    format::{Key, Takes},
    quantity,
    syntax::{Entry, Item, Node},
};

/// Reads values for one environment after the other; findings that repeat are told once.
pub(crate) struct Reader {
    pub(crate) environments: Vec<String>,
    pub(crate) found: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn tell(&mut self, diagnostic: Diagnostic) {
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    pub(crate) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.tell(Diagnostic::error(span.clone(), message));
    }

    /// Tells keys that the section does not know.
    pub(crate) fn known_keys(&mut self, entries: &[Entry], keys: &[Key], section: &str) {
        let names: Vec<&str> = keys.iter().map(|k| k.name).collect();
        for entry in entries.iter().filter(|e| !names.contains(&e.key.as_str())) {
            self.unknown(
                &entry.key_span,
                &format!("unknown key `{}` in {section}", shown(&entry.key)),
                &entry.key,
                &names,
            );
        }
    }

    pub(crate) fn unknown(&mut self, span: &Range<usize>, message: &str, word: &str, known: &[&str]) {
        let diagnostic = Diagnostic::error(span.clone(), message);
        self.tell(match nearest(word, known) {
            Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
            None if known.len() <= 12 => {
                diagnostic.label("not known here").help(format!("known: {}", known.join(", ")))
            }
            None => diagnostic.label("not known here"),
        });
    }

    /// The value of a key for an environment: the one for all, or the environment's own out of a table. The second part
    /// tells whether it is the environment's own.
    pub(crate) fn pick<'n>(&mut self, table: &'n Node, key: &Key, environment: &str) -> Option<(&'n Node, bool)> {
        let node = table.get(key.name)?;
        if !key.per_environment {
            return Some((node, false));
        }
        self.pick_value(node, key.takes, environment)
    }

    pub(crate) fn pick_value<'n>(
        &mut self,
        node: &'n Node,
        takes: Takes,
        environment: &str,
    ) -> Option<(&'n Node, bool)> {
        let Some(entries) = node.table() else { return Some((node, false)) };
        let own_keys: &[Key] = match takes {
            Takes::Table(keys) | Takes::TextOrTable(keys) => keys,
            _ => &[],
        };
        if !own_keys.is_empty() && entries.iter().any(|e| own_keys.iter().any(|k| k.name == e.key)) {
            return Some((node, false));
        }
        self.environment_keys(entries);
        entries.iter().find(|e| e.key == environment).map(|e| (&e.node, true))
    }

    /// Tells the keys of a table per environment that are no environments.
    pub(crate) fn environment_keys(&mut self, entries: &[Entry]) {
        let known = self.environments.clone();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let diagnostic =
                Diagnostic::error(entry.key_span.clone(), format!("unknown environment `{}`", shown(&entry.key)));
            self.tell(match nearest(&entry.key, &known) {
                Some(near) => diagnostic.label(format!("not declared; did you mean `{near}`?")),
                None => diagnostic.label("not declared").help(format!("declared: {}", known.join(", "))),
            });
        }
    }

    fn wrong(&mut self, node: &Node, key: &str, wanted: &str) {
        self.tell(
            Diagnostic::error(node.span.clone(), format!("`{key}` takes {wanted}, not {}", node.kind()))
                .label(format!("{wanted} expected")),
        );
    }

    pub(crate) fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.item {
            Item::Text(text) if text.contains('\0') => {
                self.error(&node.span, format!("`{key}` holds a NUL character"));
                None
            }
            Item::Text(text) => Some(text.clone()),
            _ => {
                self.wrong(node, key, "text");
                None
            }
        }
    }

    /// Text that says something.
    pub(crate) fn words(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = self.text(node, key)?;
        if text.trim().is_empty() {
            self.error(&node.span, format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    pub(crate) fn texts(&mut self, node: &Node, key: &str) -> Option<Vec<String>> {
        match &node.item {
            Item::List(list) => Some(list.iter().filter_map(|n| self.words(n, key)).collect()),
            _ => {
                self.wrong(node, key, "a list of texts");
                None
            }
        }
    }

    pub(crate) fn bool(&mut self, node: &Node, key: &str) -> Option<bool> {
        match node.item {
            Item::Bool(value) => Some(value),
            _ => {
                self.wrong(node, key, "true or false");
                None
            }
        }
    }

    pub(crate) fn whole(&mut self, node: &Node, key: &str, allowed: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match node.item {
            Item::Integer(number) if allowed.contains(&number) => Some(number),
            Item::Integer(_) => {
                let (low, high) = (allowed.start(), allowed.end());
                self.error(&node.span, format!("`{key}` takes a whole number from {low} to {high}"));
                None
            }
            _ => {
                self.wrong(node, key, "a whole number");
                None
            }
        }
    }

    pub(crate) fn number(&mut self, node: &Node, key: &str) -> Option<f64> {
        match node.item {
            #[allow(clippy::cast_precision_loss)]
            Item::Integer(number) => Some(number as f64),
            Item::Float(number) if number.is_finite() => Some(number),
            _ => {
                self.wrong(node, key, "a number");
                None
            }
        }
    }

    pub(crate) fn duration(&mut self, node: &Node, key: &str) -> Option<Duration> {
        let text = self.text(node, key)?;
        let read = quantity::duration(&text);
        if read.is_none() {
            self.tell(
                Diagnostic::error(node.span.clone(), format!("`{key}` is not a time: `{}`", shown(&text)))
                    .help("write 30s, 15m, 6h, 7d, 2w, daily or weekly"),
            );
        }
        read
    }

    pub(crate) fn size(&mut self, node: &Node, key: &str) -> Option<u64> {
        let text = self.text(node, key)?;
        let read = quantity::size(&text);
        if read.is_none() {
            self.tell(
                Diagnostic::error(node.span.clone(), format!("`{key}` is not a size: `{}`", shown(&text)))
                    .help("write 256MB or 2GB"),
            );
        }
        read
    }

    pub(crate) fn one_of(&mut self, node: &Node, key: &str, allowed: &[&'static str]) -> Option<&'static str> {
        let text = self.text(node, key)?;
        let found = allowed.iter().find(|a| **a == text).copied();
        if found.is_none() {
            self.unknown(&node.span, &format!("`{key}` cannot be `{}`", shown(&text)), &text, allowed);
        }
        found
    }
}

/// Names and values of the file in messages: bounded, without control characters.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    short.escape_debug().to_string()
}

/// The known word that a misspelt one most likely means.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word: String = word.chars().take(60).collect::<String>().to_lowercase();
    let prefix = |k: &str| k.len() >= 3 && (word.starts_with(k) || (word.len() >= 3 && k.starts_with(word.as_str())));
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), *k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 4 || prefix(&k.to_lowercase()))
        .min()
        .map(|(_, k)| k)
}
