//! `masking.toml` written from proposals.

use std::fmt::Write;

use super::file::Language;
use super::proposal::Proposal;

/// The whole file. Tables are sorted by schema and name; columns are in the order of the proposals, which is the table's own.
pub fn render(language: Language, proposals: &[Proposal]) -> String {
    let mut out = String::from(
        "# What becomes of each column in a masked copy: `keep`, or a masker. A column that is not here stops the copy.\n",
    );
    let _ = writeln!(out, "language = \"{language}\"");
    for table in tables(proposals) {
        out.push('\n');
        push_table(&table, "\n", &mut out);
    }
    out
}

/// Proposals by table, sorted.
pub(super) fn tables(proposals: &[Proposal]) -> Vec<Vec<&Proposal>> {
    let mut sorted: Vec<&Proposal> = proposals.iter().collect();
    // The sort is stable: columns stay in their order.
    sorted.sort_by(|a, b| (&a.name.schema, &a.name.table).cmp(&(&b.name.schema, &b.name.table)));
    sorted
        .chunk_by(|a, b| (&a.name.schema, &a.name.table) == (&b.name.schema, &b.name.table))
        .map(<[&Proposal]>::to_vec)
        .collect()
}

/// A table with its header.
pub(super) fn push_table(table: &[&Proposal], end: &str, out: &mut String) {
    if let Some(first) = table.first() {
        out.push_str(&format!("[{}.{}]{end}", key(&first.name.schema), key(&first.name.table)));
        push_lines(table, end, out);
    }
}

/// Lines, one a column.
pub(super) fn push_lines(columns: &[&Proposal], end: &str, out: &mut String) {
    let keys: Vec<String> = columns.iter().map(|c| key(&c.name.column)).collect();
    let width = keys.iter().map(|k| k.chars().count()).max().unwrap_or(0);
    for (key, column) in keys.iter().zip(columns) {
        let value = text(&format!("{} -> {}", column.data_type, column.rule));
        let reason: String = column.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = write!(out, "{key:width$} = {value}  # {:.2}: {}{end}", column.confidence, reason.trim());
    }
}

/// A key of TOML.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare { name.to_owned() } else { basic(name) }
}

/// A text of TOML, as it is read best.
fn text(value: &str) -> String {
    let literal = value.contains(['"', '\\']) && !value.contains('\'') && !value.contains(char::is_control);
    if literal { format!("'{value}'") } else { basic(value) }
}

fn basic(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
