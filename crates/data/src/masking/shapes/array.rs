//! Arrays: `{a,"b c",NULL}`, with dimensions in front where they do not begin at 1 (manual, 8.15.6).

use std::sync::Arc;

use crate::masking::mask::{Leaf, MaskError, Masked};
use crate::masking::maskers::Transform;

const MALFORMED: MaskError = MaskError("not an array in PostgreSQL's form");

pub(in crate::masking) struct Array {
    element: Arc<dyn Transform>,
    kept: bool,
}

impl Array {
    pub(in crate::masking) fn new(element: Arc<dyn Transform>) -> Self {
        Self { element, kept: false }
    }

    pub(in crate::masking) fn kept(element: Arc<dyn Transform>) -> Self {
        Self { element, kept: true }
    }
}

impl Transform for Array {
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        if self.kept {
            out.push_str(value);
            return Ok(Masked::Value);
        }
        let mut masked = String::new();
        walk(value, &mut |part| {
            match part {
                Part::Between(text) => out.push_str(text),
                Part::Element(text) => {
                    masked.clear();
                    match self.element.apply(text, subject, &mut masked)? {
                        Masked::Null => out.push_str("NULL"),
                        Masked::Value => push_element(&masked, out),
                    }
                }
            }
            Ok(())
        })?;
        Ok(Masked::Value)
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        let read = walk(value, &mut |part| {
            if let Part::Element(text) = part {
                self.element.visit(text, leaf);
            }
            Ok(())
        });
        if read.is_err() {
            leaf(Leaf { text: value, masked: !self.kept });
        }
    }
}

enum Part<'a> {
    /// Braces, commas and NULLs.
    Between(&'a str),
    /// An element, without quotes and escapes.
    Element(&'a str),
}

fn walk(value: &str, visit: &mut dyn FnMut(Part<'_>) -> Result<(), MaskError>) -> Result<(), MaskError> {
    // Dimensions hold neither braces nor quotes.
    let mut at = value.find('{').ok_or(MALFORMED)?;
    let front = &value[..at];
    if !(front.is_empty() || front.starts_with('[') && front.ends_with('=')) {
        return Err(MALFORMED);
    }
    visit(Part::Between(front))?;
    let bytes = value.as_bytes();
    let mut depth = 0usize;
    let mut text = String::new();
    while let Some(b) = bytes.get(at) {
        match b {
            b'{' | b'}' | b',' => {
                match b {
                    b'{' => depth += 1,
                    b'}' => depth = depth.checked_sub(1).ok_or(MALFORMED)?,
                    _ if depth == 0 => return Err(MALFORMED),
                    _ => {}
                }
                visit(Part::Between(&value[at..=at]))?;
                at += 1;
                if depth == 0 {
                    return if at == bytes.len() { Ok(()) } else { Err(MALFORMED) };
                }
            }
            b'"' => {
                text.clear();
                at = quoted(value, at + 1, &mut text)?;
                visit(Part::Element(&text))?;
            }
            _ => {
                let end = at + value[at..].find(['{', '}', ',', '"']).ok_or(MALFORMED)?;
                let raw = &value[at..end];
                at = end;
                if raw.eq_ignore_ascii_case("null") {
                    visit(Part::Between(raw))?;
                } else if raw.contains('\\') {
                    text.clear();
                    let mut chars = raw.chars();
                    while let Some(c) = chars.next() {
                        text.push(if c == '\\' { chars.next().ok_or(MALFORMED)? } else { c });
                    }
                    visit(Part::Element(&text))?;
                } else {
                    visit(Part::Element(raw))?;
                }
            }
        }
    }
    Err(MALFORMED)
}

/// Reads up to the closing quote; says what comes behind it.
pub(super) fn quoted(value: &str, start: usize, text: &mut String) -> Result<usize, MaskError> {
    let mut at = start;
    loop {
        let rest = value.get(at..).ok_or(MALFORMED)?;
        let stop = rest.find(['"', '\\']).ok_or(MALFORMED)?;
        text.push_str(&rest[..stop]);
        at += stop + 1;
        if rest.as_bytes()[stop] == b'"' {
            return Ok(at);
        }
        let escaped = value[at..].chars().next().ok_or(MALFORMED)?;
        text.push(escaped);
        at += escaped.len_utf8();
    }
}

/// Writes an element, in quotes where it needs them.
fn push_element(text: &str, out: &mut String) {
    let special = |c: char| matches!(c, '{' | '}' | ',' | ';' | '"' | '\\') || c.is_whitespace();
    if !text.is_empty() && !text.contains(special) && !text.eq_ignore_ascii_case("null") {
        out.push_str(text);
        return;
    }
    push_quoted(text, out);
}

/// Writes a text in quotes, with backslashes before quotes and backslashes.
pub(super) fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
