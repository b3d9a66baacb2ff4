//! What a column's table says about it.

use super::TableSample;
use super::lexicon::{Subject, is_machinery, is_of_secrets, subject};
use super::words::words;
use crate::column::{ColumnFacts, ColumnName, Shape};

/// A table, seen from its columns.
pub(super) struct Table {
    pub(super) subject: Subject,
    /// Whether it is a framework's own.
    pub(super) machinery: bool,
    /// Whether it is of keys and tokens.
    pub(super) secrets: bool,
    /// Whether its rows are somebody's: they point to a table of people.
    pub(super) owned: bool,
    /// The column that says whose a row is, for dates that move together.
    pub(super) whose: Option<String>,
}

impl Table {
    pub(super) fn new(columns: &[ColumnFacts], tables: &[TableSample]) -> Self {
        let name = columns.first().map(|c| c.name.table.as_str()).unwrap_or_default();
        let about = subject(&words(name));
        let owner = columns.iter().find(|c| c.references.as_ref().is_some_and(|to| is_of_people(to, tables)));
        let own = columns.iter().find(|c| c.unique && c.not_null && is_key(&c.shape));
        let whose = if about == Subject::Person { own.or(owner) } else { owner.or(own) };
        Self {
            subject: about,
            machinery: is_machinery(name),
            secrets: is_of_secrets(&words(name)),
            owned: owner.is_some(),
            whose: whose.map(|c| c.name.column.clone()),
        }
    }

    /// Whether its texts are the team's own or public rather than somebody's.
    pub(super) fn is_catalog(&self) -> bool {
        self.subject == Subject::Catalog && !self.owned
    }
}

fn is_key(shape: &Shape) -> bool {
    matches!(shape, Shape::Integer { .. } | Shape::Uuid | Shape::Text { .. })
}

fn is_of_people(to: &ColumnName, tables: &[TableSample]) -> bool {
    let known = tables.iter().any(|t| t.columns.iter().any(|c| c.name == *to));
    known && subject(&words(&to.table)) == Subject::Person
}
