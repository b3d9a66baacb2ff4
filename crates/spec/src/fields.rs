//! One table of the file as one environment sees it: values by their names, with the types and bounds of the format.

use std::{path::PathBuf, time::Duration};

use crate::{
    diagnostic::Diagnostic,
    format::{Key, Takes},
    nearest::shown,
    reader::Reader,
    syntax::{Entry, Item, Node},
};

pub(crate) struct Fields<'r, 'n> {
    pub(crate) reader: &'r mut Reader,
    pub(crate) node: &'n Node,
    keys: &'static [Key],
    environment: &'r str,
}

impl<'r, 'n> Fields<'r, 'n> {
    /// Nothing where the node is no table. Unknown keys are told, and keys that have to be there.
    pub(crate) fn open(
        reader: &'r mut Reader,
        node: &'n Node,
        keys: &'static [Key],
        title: &str,
        environment: &'r str,
    ) -> Option<Self> {
        let Some(entries) = node.table() else {
            reader.error(&node.span, format!("{title} takes a table, not {}", node.kind()));
            return None;
        };
        reader.known_keys(entries, keys, title);
        for key in keys.iter().filter(|k| k.needed && node.get(k.name).is_none()) {
            reader.tell(
                Diagnostic::error(node.span.clone(), format!("{title} does not say `{}`", key.name)).help(key.about),
            );
        }
        Some(Self { reader, node, keys, environment })
    }

    fn key(&self, name: &str) -> &'static Key {
        self.keys.iter().find(|k| k.name == name).expect("the name stands in the format")
    }

    /// The node of a key for the environment, and whether it is the environment's own.
    pub(crate) fn own(&mut self, name: &str) -> Option<(&'n Node, bool)> {
        let key = self.key(name);
        let node = self.node.get(name)?;
        if !key.per_environment {
            return Some((node, false));
        }
        self.reader.pick(node, key.long_form(), &format!("`{name}`"), self.environment)
    }

    pub(crate) fn node(&mut self, name: &str) -> Option<&'n Node> {
        self.own(name).map(|(node, _)| node)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let node = self.node(name)?;
        self.reader.words(node, name)
    }

    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(node) = self.node(name) else { return Vec::new() };
        self.reader.texts(node, name).unwrap_or_default()
    }

    /// The nodes of a text or a list of texts.
    pub(crate) fn nodes(&mut self, name: &str) -> Vec<&'n Node> {
        match self.node(name) {
            Some(Node { item: Item::List(list), .. }) => list.iter().collect(),
            Some(node) => vec![node],
            None => Vec::new(),
        }
    }

    pub(crate) fn path(&mut self, name: &str) -> Option<PathBuf> {
        let node = self.node(name)?;
        self.reader.path(node, name)
    }

    pub(crate) fn bool(&mut self, name: &str) -> Option<bool> {
        let node = self.node(name)?;
        self.reader.bool(node, name)
    }

    /// A whole number within the format's bounds.
    pub(crate) fn whole<N: TryFrom<i64>>(&mut self, name: &str) -> Option<N> {
        let node = self.node(name)?;
        let Takes::Whole(low, high) = self.key(name).takes else { return None };
        self.reader.whole(node, name, low, high).and_then(|n| N::try_from(n).ok())
    }

    /// A number within the format's bounds.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        let node = self.node(name)?;
        let Takes::Number(low, high) = self.key(name).takes else { return None };
        self.reader.number(node, name, low, high)
    }

    pub(crate) fn size(&mut self, name: &str) -> Option<u64> {
        let node = self.node(name)?;
        self.reader.size(node, name)
    }

    pub(crate) fn duration(&mut self, name: &str) -> Option<Duration> {
        let node = self.node(name)?;
        self.reader.duration(node, name)
    }

    /// One of the words that the format allows.
    pub(crate) fn choice(&mut self, name: &str) -> Option<&'static str> {
        let node = self.node(name)?;
        let Takes::OneOf(allowed) = self.key(name).takes else { return None };
        self.reader.one_of(node, name, allowed)
    }

    /// Some of the words that the format allows; nothing where the key is absent.
    pub(crate) fn choices(&mut self, name: &str) -> Option<Vec<String>> {
        let node = self.node(name)?;
        let Takes::Several(allowed) = self.key(name).takes else { return None };
        let list = self.reader.list(node, name)?;
        Some(list.iter().filter_map(|n| self.reader.one_of(n, name, allowed)).map(str::to_owned).collect())
    }

    /// The table that a key takes, by its own keys.
    pub(crate) fn table(&mut self, name: &str) -> Option<Fields<'_, 'n>> {
        let node = self.node(name)?;
        let (Takes::Table(keys) | Takes::TextOrTable(keys)) = self.key(name).takes else { return None };
        Fields::open(self.reader, node, keys, &format!("`{name}`"), self.environment)
    }

    /// The entries of a table whose keys the team chooses.
    pub(crate) fn named(&mut self, name: &str) -> &'n [Entry] {
        let Some(node) = self.node(name) else { return &[] };
        if node.table().is_none() {
            self.reader.error(&node.span, format!("`{name}` takes a table, not {}", node.kind()));
        }
        node.entries()
    }

    /// Whether the environment is among those of `only`.
    pub(crate) fn wanted(&mut self) -> bool {
        let Some(list) = self.node.get("only") else { return true };
        let Some(list) = self.reader.list(list, "only") else { return true };
        let mut found = false;
        for one in list {
            let Some(name) = self.reader.words(one, "only") else { continue };
            if !self.reader.environments.contains(&name) {
                self.reader.unknown_environment(&one.span, &name);
            }
            found |= name == self.environment;
        }
        found
    }

    /// Tells that a key cannot be as it is.
    pub(crate) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        if let Some(node) = self.node(name) {
            self.reader.error(&node.span, message);
        }
    }

    /// A text that names something, kept only where a check finds it in order.
    pub(crate) fn checked(&mut self, name: &str, check: impl Fn(&str) -> bool, what: &str) -> Option<String> {
        let node = self.node(name)?;
        let text = self.reader.words(node, name)?;
        if !check(&text) {
            self.reader.error(&node.span, format!("`{}` is not {what}", shown(&text)));
            return None;
        }
        Some(text)
    }
}
