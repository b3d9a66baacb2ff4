//! New columns added to a `masking.toml` that a team has written in.

use std::collections::HashSet;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::file::{MaskingFile, Problem};
use super::proposal::Proposal;
use super::render::{push_lines, push_table, tables};
use crate::column::ColumnName;

/// The file with what was new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The whole text. Every byte that was there is there still, in its order.
    pub text: String,
    /// Columns that were added.
    pub added: Vec<ColumnName>,
    /// Columns that the file names and nobody proposes any longer. Their lines are left.
    pub vanished: Vec<ColumnName>,
}

/// Adds to the file the proposals for columns that it does not name. What the team decided stays as it is written.
pub fn merge(text: &str, proposals: &[Proposal]) -> Result<Merged, Vec<Problem>> {
    let file = MaskingFile::parse(text)?;
    let document = Document::parse(text).map_err(|error| {
        vec![Problem { message: error.message().to_owned(), span: error.span().unwrap_or(0..0), help: None }]
    })?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let new: Vec<Proposal> = proposals.iter().filter(|p| file.get(&p.name).is_none()).cloned().collect();
    let mut insertions: Vec<(usize, String)> = Vec::new();
    let mut tail = String::new();
    let mut problems = Vec::new();
    for table in tables(&new) {
        let Some(first) = table.first() else { continue };
        let (schema, name) = (&first.name.schema, &first.name.table);
        match find(document.as_table(), schema, name) {
            None => {
                tail.push_str(end);
                push_table(&table, end, &mut tail);
            }
            Some(Ok(last)) => {
                let (at, front) = line_end(text, last);
                let mut lines = String::from(if front { end } else { "" });
                push_lines(&table, end, &mut lines);
                insertions.push((at, lines));
            }
            Some(Err(span)) => problems.push(Problem {
                message: format!("lines cannot be added to the table `{schema}.{name}` as it is written"),
                span,
                help: Some(format!("write it under a header: `[{schema}.{name}]`")),
            }),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut merged = text.to_owned();
    if !tail.is_empty() {
        if !merged.is_empty() && !merged.ends_with('\n') {
            merged.push_str(end);
        }
        merged.push_str(&tail);
    }
    insertions.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, lines) in insertions {
        merged.insert_str(at, &lines);
    }
    let proposed: HashSet<&ColumnName> = proposals.iter().map(|p| &p.name).collect();
    let vanished = file.entries().map(|e| &e.name).filter(|n| !proposed.contains(n)).cloned().collect();
    // The text is read again: whatever it looked like, what comes out is a file that says what it should.
    let read = MaskingFile::parse(&merged)?;
    if let Some(lost) = new.iter().find(|p| read.get(&p.name).is_none_or(|e| e.rule != p.rule)) {
        let message = format!("the column `{}` cannot be added", lost.name.column);
        return Err(vec![Problem { message, span: 0..0, help: Some("add its line by hand".to_owned()) }]);
    }
    Ok(Merged { text: merged, added: new.into_iter().map(|p| p.name).collect(), vanished })
}

/// Where the last line of a table ends, or where the table is if lines cannot be added below it.
fn find(root: &toml_edit::Table, schema: &str, table: &str) -> Option<Result<usize, Range<usize>>> {
    let item = root.get(schema)?.as_table_like()?.get(table)?;
    let span = item.span().unwrap_or(0..0);
    let Item::Table(table) = item else { return Some(Err(span)) };
    if table.is_dotted() || table.is_implicit() {
        return Some(Err(span));
    }
    let values = TableLike::iter(table).filter_map(|(_, item)| item.as_value()?.span());
    Some(Ok(values.map(|s| s.end).max().unwrap_or(span.end)))
}

/// Behind the line break of the line where this is, and whether there is none.
fn line_end(text: &str, at: usize) -> (usize, bool) {
    match text.get(at..).and_then(|rest| rest.find('\n')) {
        Some(i) => (at + i + 1, false),
        None => (text.len(), true),
    }
}
