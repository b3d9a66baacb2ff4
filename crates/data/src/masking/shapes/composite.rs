//! Composite types: `(1,"a, b",)`, where nothing at all is NULL (manual, 8.16.6).

use std::sync::Arc;

use crate::column::Shape;
use crate::masking::mask::{Leaf, MaskError, Masked};
use crate::masking::maskers::{Maskers, Transform};
use crate::masking::rule::Rule;

const MALFORMED: MaskError = MaskError("not a value of the composite type in PostgreSQL's form");

pub(in crate::masking) struct Composite {
    /// What is done with each field, in the type's order.
    fields: Vec<Arc<dyn Transform>>,
    kept: bool,
}

impl Composite {
    /// `rules` name every field.
    pub(in crate::masking) fn new(
        maskers: &mut Maskers<'_>,
        rules: &[(String, Rule)],
        fields: &[(String, Shape)],
    ) -> Self {
        let rule = |name: &str| rules.iter().find(|(n, _)| n == name).map(|(_, rule)| rule);
        let fields = fields
            .iter()
            .map(|(name, shape)| match rule(name) {
                Some(rule) => maskers.rule(rule, shape),
                None => maskers.rule(&Rule::Mask(crate::masking::rule::Masker::Null), shape),
            })
            .collect();
        Self { fields, kept: false }
    }

    pub(in crate::masking) fn kept(fields: &[(String, Shape)]) -> Self {
        Self { fields: fields.iter().map(|(_, shape)| super::kept(shape)).collect(), kept: true }
    }
}

impl Transform for Composite {
    fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        if self.kept {
            out.push_str(value);
            return Ok(Masked::Value);
        }
        let mut masked = String::new();
        let mut fields = self.fields.iter();
        out.push('(');
        walk(value, &mut |text| {
            let field = fields.next().ok_or(MALFORMED)?;
            if field_number(&fields, &self.fields) > 1 {
                out.push(',');
            }
            let Some(text) = text else { return Ok(()) };
            masked.clear();
            if field.apply(text, subject, &mut masked)? == Masked::Value {
                push_field(&masked, out);
            }
            Ok(())
        })?;
        out.push(')');
        if fields.next().is_some() { Err(MALFORMED) } else { Ok(Masked::Value) }
    }

    fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        let mut fields = self.fields.iter();
        let read = walk(value, &mut |text| {
            let field = fields.next().ok_or(MALFORMED)?;
            if let Some(text) = text {
                field.visit(text, leaf);
            }
            Ok(())
        });
        if read.is_err() {
            leaf(Leaf { text: value, masked: !self.kept });
        }
    }
}

/// Which field was taken last, from 1.
fn field_number<T>(left: &std::slice::Iter<'_, T>, all: &[T]) -> usize {
    all.len() - left.len()
}

/// Visits each field without quotes and escapes.
fn walk(value: &str, visit: &mut dyn FnMut(Option<&str>) -> Result<(), MaskError>) -> Result<(), MaskError> {
    let inner = value.strip_prefix('(').and_then(|v| v.strip_suffix(')')).ok_or(MALFORMED)?;
    let mut text = String::new();
    let mut some = false;
    let mut inside = false;
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if inside && chars.peek() == Some(&'"') => {
                chars.next();
                text.push('"');
            }
            '"' => {
                inside = !inside;
                some = true;
            }
            '\\' => {
                text.push(chars.next().ok_or(MALFORMED)?);
                some = true;
            }
            ',' if !inside => {
                visit(some.then_some(text.as_str()))?;
                text.clear();
                some = false;
            }
            '(' | ')' if !inside => return Err(MALFORMED),
            c => {
                text.push(c);
                some = true;
            }
        }
    }
    if inside { Err(MALFORMED) } else { visit(some.then_some(text.as_str())) }
}

/// Writes a field, in quotes where it needs them.
fn push_field(text: &str, out: &mut String) {
    if !text.is_empty() && !text.contains(|c: char| matches!(c, '(' | ')' | ',' | '"' | '\\') || c.is_whitespace()) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
}
