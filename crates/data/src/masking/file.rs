//! `masking.toml`: one line a column, with the type that it had when somebody decided.
//!
//! ```toml
//! language = "es"
//!
//! [public.users]
//! id    = "uuid -> keep"
//! email = "text -> email"
//! ```

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::rule::{Rule, parse_rule};
use crate::column::ColumnName;

/// The language of generated names and texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// Its code in ISO 639-1.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Something in the file that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where: bytes of the text.
    pub span: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The column.
    pub name: ColumnName,
    /// The type that it had when the line was written.
    pub data_type: String,
    /// What becomes of its values.
    pub rule: Rule,
    /// The comment beside it.
    pub why: Option<String>,
}

/// `masking.toml`, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskingFile {
    language: Language,
    entries: Vec<Entry>,
    places: HashMap<ColumnName, usize>,
    excused: HashMap<ColumnName, String>,
}

impl MaskingFile {
    /// Reads the file; all its problems at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let document = Document::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            vec![Problem { message: error.message().to_owned(), span, help: None }]
        })?;
        let mut reader = Reader { text, file: Self::default(), problems: Vec::new() };
        reader.root(document.as_table());
        if reader.problems.is_empty() { Ok(reader.file) } else { Err(reader.problems) }
    }

    /// The lines, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The line of a column.
    pub fn get(&self, name: &ColumnName) -> Option<&Entry> {
        self.places.get(name).and_then(|i| self.entries.get(*i))
    }

    /// Why the leak check lets this column be, where `[leaks] allow` says so.
    pub fn excused(&self, name: &ColumnName) -> Option<&str> {
        self.excused.get(name).map(String::as_str)
    }

    /// The columns that `[leaks] allow` names, in no particular order.
    pub(super) fn excuses(&self) -> impl Iterator<Item = &ColumnName> {
        self.excused.keys()
    }

    /// The language of generated names and texts: `language = "es"`; English where the file says nothing.
    pub fn language(&self) -> Language {
        self.language
    }
}

struct Reader<'a> {
    text: &'a str,
    file: MaskingFile,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<&str>) {
        self.problems.push(Problem { message: message.into(), span, help: help.map(str::to_owned) });
    }

    fn root(&mut self, root: &dyn TableLike) {
        for (schema, item) in root.iter() {
            let span = span_of(root, schema, item);
            match item.as_table_like() {
                // A table of this name is a schema of this name: then the language is what it is without a line.
                None if schema == "language" => self.language(item, span),
                Some(tables) => self.schema(schema, tables),
                None => self.problem(
                    span,
                    format!("`{schema}` is neither a schema nor a setting"),
                    Some("a column stands in the table of its table: `[public.users]`"),
                ),
            }
        }
    }

    fn language(&mut self, item: &Item, span: Range<usize>) {
        match item.as_str() {
            Some("en") => self.file.language = Language::English,
            Some("es") => self.file.language = Language::Spanish,
            _ => {
                let span = item.span().unwrap_or(span);
                self.problem(span, "the language of names and texts is \"en\" or \"es\"", None);
            }
        }
    }

    fn schema(&mut self, schema: &str, tables: &dyn TableLike) {
        for (table, item) in tables.iter() {
            let span = span_of(tables, table, item);
            let Some(columns) = item.as_table_like() else {
                let help = "columns stand in the table of their table: `[public.users]`";
                self.problem(span, format!("`{schema}.{table}` is not a table"), Some(help));
                continue;
            };
            for (column, item) in columns.iter() {
                let span = span_of(columns, column, item);
                if schema == "leaks" && table == "allow" {
                    self.excuse(column, item, span);
                } else {
                    let name = ColumnName { schema: schema.into(), table: table.into(), column: column.into() };
                    self.entry(name, item, span);
                }
            }
        }
    }

    fn excuse(&mut self, name: &str, item: &Item, span: Range<usize>) {
        let Some(name) = parse_name(name) else {
            let help = "a column is named whole, in quotes: `\"public.users.timezone\" = \"names of time zones\"`";
            return self.problem(span, format!("`{name}` names no column"), Some(help));
        };
        match item.as_str().map(str::trim) {
            Some(reason) if !reason.is_empty() => drop(self.file.excused.insert(name, reason.to_owned())),
            _ => self.problem(span, "say why the leak check lets this column be", None),
        }
    }

    fn entry(&mut self, name: ColumnName, item: &Item, span: Range<usize>) {
        let Some(line) = item.as_str() else {
            let help = if item.is_table_like() {
                "a column whose name has dots in it stands in quotes"
            } else {
                "a line is `column = \"type -> masker\"`"
            };
            return self.problem(span, format!("`{}` is not a text", name.column), Some(help));
        };
        let span = item.span().unwrap_or(span);
        let Some(arrow) = arrow(line) else {
            let message = format!("`{}` does not say `type -> masker`", name.column);
            return self.problem(span, message, Some("the type is written as `ambit data classify` writes it"));
        };
        let data_type = line[..arrow].trim().to_owned();
        if data_type.is_empty() {
            return self.problem(span, format!("the type of `{}` is missing", name.column), None);
        }
        match parse_rule(line, arrow + 2) {
            Ok(rule) => {
                self.file.places.insert(name.clone(), self.file.entries.len());
                let why = comment_after(self.text, span.end);
                self.file.entries.push(Entry { name, data_type, rule, why });
            }
            Err(error) => {
                let span = inside(self.text, &span, &error.at);
                self.problems.push(Problem { message: error.message, span, help: error.help });
            }
        }
    }
}

/// The comment between a place and the end of its line.
fn comment_after(text: &str, place: usize) -> Option<String> {
    let comment = text.get(place..)?.lines().next()?.trim_start().strip_prefix('#')?.trim();
    (!comment.is_empty()).then(|| comment.to_owned())
}

fn span_of(table: &dyn TableLike, key: &str, item: &Item) -> Range<usize> {
    table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span()).unwrap_or(0..0)
}

/// Where the `->` between type and masker is. Names of types may be quoted and contain anything.
fn arrow(line: &str) -> Option<usize> {
    let mut quoted = false;
    let mut previous = ' ';
    for (i, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if previous == '-' && !quoted => return Some(i - 1),
            _ => {}
        }
        previous = c;
    }
    None
}

/// The place of a part of a TOML string in the file; the whole string where escapes make that unclear.
fn inside(text: &str, span: &Range<usize>, at: &Range<usize>) -> Range<usize> {
    let raw = text.get(span.clone()).unwrap_or_default();
    let literal = raw.starts_with('\'') && !raw.starts_with("'''");
    let plain = raw.starts_with('"') && !raw.starts_with("\"\"\"") && !raw.contains('\\');
    let start = span.start + 1 + at.start;
    let end = span.start + 1 + at.end.max(at.start);
    if (literal || plain) && end <= span.end && text.is_char_boundary(start) && text.is_char_boundary(end) {
        start..end
    } else {
        span.clone()
    }
}

/// A column's name in one text, as SQL would write it: `public.users."e mail"`.
pub(super) fn parse_name(text: &str) -> Option<ColumnName> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let part = parts.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => part.push(c),
        }
    }
    let [schema, table, column] = <[String; 3]>::try_from(parts).ok()?;
    let whole = !quoted && !schema.is_empty() && !table.is_empty() && !column.is_empty();
    whole.then_some(ColumnName { schema, table, column })
}
