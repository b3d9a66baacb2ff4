//! Takes values out of the tree by the rules of the format, and remembers everything that does not fit.

use std::{
    collections::HashSet,
    ops::Range,
    path::{Component, PathBuf},
    time::Duration,
};

use crate::{
    diagnostic::Diagnostic,
    format::Key,
    nearest::{nearest, shown},
    quantity,
    syntax::{Entry, Item, Node},
};

/// So many findings are told at once; more help nobody.
pub(crate) const MOST_FINDINGS: usize = 200;

/// Reads values for one environment after the other; findings that repeat are told once.
pub(crate) struct Reader {
    pub(crate) environments: Vec<String>,
    found: Vec<Diagnostic>,
    told: HashSet<(Option<(usize, usize)>, String, Option<String>)>,
    line_starts: Vec<usize>,
}

impl Reader {
    pub(crate) fn new(text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { environments: Vec::new(), found: Vec::new(), told: HashSet::new(), line_starts }
    }

    pub(crate) fn into_findings(self) -> Vec<Diagnostic> {
        self.found
    }

    /// The line, from 1, that a place stands on.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    pub(crate) fn tell(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.span.as_ref().map(|s| (s.start, s.end));
        if self.found.len() <= MOST_FINDINGS
            && self.told.insert((place, diagnostic.message.clone(), diagnostic.label.clone()))
        {
            self.found.push(diagnostic);
        }
    }

    pub(crate) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.tell(Diagnostic::error(span.clone(), message));
    }

    pub(crate) fn environment_names(&self) -> Vec<String> {
        self.environments.clone()
    }

    /// Tells keys that the section does not know.
    pub(crate) fn known_keys(&mut self, entries: &[Entry], keys: &[Key], section: &str) {
        for entry in entries.iter().filter(|e| keys.iter().all(|k| k.name != e.key)) {
            let names: Vec<&str> = keys.iter().map(|k| k.name).collect();
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
            None if (1..=24).contains(&known.len()) => {
                diagnostic.label("not known here").help(format!("known: {}", known.join(", ")))
            }
            None => diagnostic.label("not known here"),
        });
    }

    /// A name that stands where an environment's has to.
    pub(crate) fn unknown_environment(&mut self, span: &Range<usize>, name: &str) {
        let known = self.environment_names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let diagnostic = Diagnostic::error(span.clone(), format!("unknown environment `{}`", shown(name)));
        self.tell(match nearest(name, &known) {
            Some(near) => diagnostic.label(format!("not declared; did you mean `{near}`?")),
            None => diagnostic.label("not declared").help(format!("declared: {}", known.join(", "))),
        });
    }

    /// The value for an environment: the one for all, or the environment's own out of a table. The second part tells
    /// whether it is the environment's own.
    pub(crate) fn pick<'n>(
        &mut self,
        node: &'n Node,
        long_form: &[Key],
        title: &str,
        environment: &str,
    ) -> Option<(&'n Node, bool)> {
        let Some(entries) = node.table() else { return Some((node, false)) };
        if entries.iter().any(|e| long_form.iter().any(|k| k.name == e.key)) {
            return Some((node, false));
        }
        self.environment_keys(entries, long_form, title);
        node.get(environment).map(|own| (own, true))
    }

    /// Tells the keys of a table per environment that are no environments. Where it may have a long form, a key that is
    /// nearer to one of its keys is taken for that.
    pub(crate) fn environment_keys(&mut self, entries: &[Entry], long_form: &[Key], title: &str) {
        for entry in entries.iter().filter(|e| !self.environments.contains(&e.key)).collect::<Vec<_>>() {
            let keys: Vec<&str> = long_form.iter().map(|k| k.name).collect();
            let names = self.environment_names();
            let both: Vec<&str> = names.iter().map(String::as_str).chain(keys.iter().copied()).collect();
            match nearest(&entry.key, &both) {
                Some(near) if keys.contains(&near) => {
                    let message = format!("unknown key `{}` in {title}", shown(&entry.key));
                    self.tell(
                        Diagnostic::error(entry.key_span.clone(), message).label(format!("did you mean `{near}`?")),
                    );
                }
                _ => self.unknown_environment(&entry.key_span, &entry.key),
            }
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

    pub(crate) fn list<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n [Node]> {
        match &node.item {
            Item::List(list) => Some(list),
            _ => {
                self.wrong(node, key, "a list of texts");
                None
            }
        }
    }

    pub(crate) fn texts(&mut self, node: &Node, key: &str) -> Option<Vec<String>> {
        Some(self.list(node, key)?.iter().filter_map(|n| self.words(n, key)).collect())
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

    pub(crate) fn whole(&mut self, node: &Node, key: &str, low: i64, high: i64) -> Option<i64> {
        match node.item {
            Item::Integer(number) if (low..=high).contains(&number) => Some(number),
            Item::Integer(_) => {
                self.error(&node.span, format!("`{key}` takes a whole number from {low} to {high}"));
                None
            }
            _ => {
                self.wrong(node, key, "a whole number");
                None
            }
        }
    }

    pub(crate) fn number(&mut self, node: &Node, key: &str, low: f64, high: f64) -> Option<f64> {
        let number = match node.item {
            #[allow(clippy::cast_precision_loss)]
            Item::Integer(number) => number as f64,
            Item::Float(number, _) => number,
            _ => {
                self.wrong(node, key, "a number");
                return None;
            }
        };
        if !(low..=high).contains(&number) {
            let most = if high.is_finite() { format!(" to {high}") } else { " upwards".to_owned() };
            self.error(&node.span, format!("`{key}` takes a number from {low}{most}"));
            return None;
        }
        Some(number)
    }

    pub(crate) fn duration(&mut self, node: &Node, key: &str) -> Option<Duration> {
        let text = self.text(node, key)?;
        let read = quantity::duration(&text);
        if read.is_none() {
            self.tell(
                Diagnostic::error(node.span.clone(), format!("`{key}` is not a time: `{}`", shown(&text)))
                    .help("write 30s, 15m, 6h, 7d, 2w, hourly, daily or weekly"),
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

    /// A path below the project's folder.
    pub(crate) fn path(&mut self, node: &Node, key: &str) -> Option<PathBuf> {
        let text = self.words(node, key)?;
        let path = PathBuf::from(&text);
        let inside = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside || text.chars().any(char::is_control) {
            self.tell(
                Diagnostic::error(node.span.clone(), format!("`{key}` leaves the project: `{}`", shown(&text)))
                    .help("write it relative to ambit.toml, without `..`"),
            );
            return None;
        }
        Some(path.components().filter(|c| matches!(c, Component::Normal(_))).collect())
    }
}
