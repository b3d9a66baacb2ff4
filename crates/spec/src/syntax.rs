//! TOML as a tree in which every key and value knows its place.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::diagnostic::Diagnostic;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) item: Item,
}

#[derive(Debug, Clone)]
pub(crate) enum Item {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// A date: no key takes one.
    Date(String),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn table(&self) -> Option<&[Entry]> {
        match &self.item {
            Item::Table(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.table()?.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.item {
            Item::Text(_) => "text",
            Item::Integer(_) | Item::Float(_) => "a number",
            Item::Bool(_) => "true or false",
            Item::List(_) => "a list",
            Item::Table(_) => "a table",
            Item::Date(_) => "a date",
        }
    }

    /// A scalar as the text that a process is given.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.item {
            Item::Text(text) | Item::Date(text) => Some(text.clone()),
            Item::Integer(number) => Some(number.to_string()),
            Item::Float(number) => Some(number.to_string()),
            Item::Bool(value) => Some(value.to_string()),
            Item::List(_) | Item::Table(_) => None,
        }
    }
}

/// Reads as much as can be read; what cannot is told, and the rest is checked all the same.
pub(crate) fn read(text: &str) -> (Node, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let found = errors
        .iter()
        .map(|error| {
            let message = error.message().lines().next().unwrap_or("malformed").to_owned();
            let span = error.span().unwrap_or(0..0);
            Diagnostic::error(span, format!("this is not TOML: {message}"))
        })
        .collect();
    let span = table.span();
    (Node { span, item: Item::Table(entries(table.get_ref())) }, found)
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    table
        .iter()
        .map(|(key, value)| Entry { key: key.get_ref().to_string(), key_span: key.span(), node: node(value) })
        .collect()
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let item = match value.get_ref() {
        DeValue::String(text) => Item::Text(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            i64::from_str_radix(digits, number.radix()).map_or_else(|_| Item::Text(digits.to_owned()), Item::Integer)
        }
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Item::Text(number.as_str().to_owned()), Item::Float)
        }
        DeValue::Boolean(value) => Item::Bool(*value),
        DeValue::Datetime(date) => Item::Date(date.to_string()),
        DeValue::Array(list) => Item::List(list.iter().map(node).collect()),
        DeValue::Table(table) => Item::Table(entries(table)),
    };
    Node { span: value.span(), item }
}
