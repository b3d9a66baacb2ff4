//! `.env` texts, as people have them lying about, read for `ambit secret set --from FILE`.
//!
//! `NAME=value`, an optional `export`, comments, single, double and back quotes over several lines; `\n \r \t \" \\ \$`
//! within double quotes. References such as `${OTHER}` are kept as they are written: which of them to follow differs
//! between the programs that read such files.

use crate::{name::check_name, secret::Secret};

/// One variable.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// The line that it begins on, from 1.
    pub line: usize,
}

/// One mistake. Values are not repeated in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct DotenvError {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads a text; all of its variables in their order, or all of its mistakes.
pub fn parse(text: &str) -> Result<Vec<Entry>, Vec<DotenvError>> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), line: 1 };
    let mut entries: Vec<Entry> = Vec::new();
    let mut errors = Vec::new();
    while !reader.rest.is_empty() {
        match reader.entry() {
            Ok(None) => {}
            Ok(Some(entry)) => match entries.iter().find(|earlier| earlier.name == entry.name) {
                Some(earlier) => errors.push(DotenvError {
                    line: entry.line,
                    problem: format!("{} was given on line {} already", entry.name, earlier.line),
                }),
                None => entries.push(entry),
            },
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Reads up to and including the next line's end, or further where a quoted value goes on.
    fn entry(&mut self) -> Result<Option<Entry>, DotenvError> {
        let line = self.line;
        let failed = |problem: String| DotenvError { line, problem };
        let content = self.rest.split('\n').next().unwrap_or_default().trim();
        if content.is_empty() || content.starts_with('#') {
            self.skip_line();
            return Ok(None);
        }
        let Some((name, _)) = content.split_once('=') else {
            self.skip_line();
            return Err(failed("expected NAME=value".to_owned()));
        };
        let name = name.trim();
        let name = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(name).trim();
        if let Err(error) = check_name(name) {
            self.skip_line();
            return Err(failed(error.to_string()));
        }
        let after = self.rest.find('=').map_or("", |place| &self.rest[place + 1..]);
        let value = after.trim_start_matches([' ', '\t']);
        let value = match value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
            Some(quote) => {
                let Some(length) = quoted_length(&value[1..], quote) else {
                    self.skip_line();
                    return Err(failed(format!("the value of {name} has no closing {quote}")));
                };
                let inner = &value[1..=length];
                self.line += inner.matches('\n').count();
                self.rest = &value[length + 2..];
                let tail = self.rest.split('\n').next().unwrap_or_default().trim();
                self.skip_line();
                if !tail.is_empty() && !tail.starts_with('#') {
                    return Err(failed(format!("something stands after the closing {quote} of {name}")));
                }
                if quote == '"' { unescape(inner) } else { inner.to_owned() }
            }
            None => {
                self.skip_line();
                without_comment(value.split('\n').next().unwrap_or_default()).to_owned()
            }
        };
        Ok(Some(Entry { name: name.to_owned(), value: Secret::from(value), line }))
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.line += 1;
    }
}

/// Bytes up to the closing quote; in double quotes a backslash protects the next character.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut protected = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if protected => protected = false,
            '\\' if quote == '"' => protected = true,
            _ if c == quote => return Some(index),
            _ => {}
        }
    }
    None
}

fn without_comment(text: &str) -> &str {
    let end = text
        .char_indices()
        .find(|&(index, c)| c == '#' && text[..index].chars().next_back().is_none_or(char::is_whitespace))
        .map_or(text.len(), |(index, _)| index);
    text[..end].trim()
}

fn unescape(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => value.push('\n'),
            Some('r') => value.push('\r'),
            Some('t') => value.push('\t'),
            Some(c @ ('"' | '\\' | '$')) => value.push(c),
            // Not an escape anybody agrees on: `C:\dir` keeps its backslash.
            Some(c) => value.extend(['\\', c]),
            None => value.push('\\'),
        }
    }
    value
}
