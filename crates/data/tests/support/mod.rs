//! Columns and masks for tests.
#![allow(dead_code, missing_docs, reason = "each test file uses its own part")]

use ambit_data::column::{ColumnFacts, ColumnName, Shape};
use ambit_data::masking::{Language, Leaf, Mask, MaskKey, Masked, Masker, MaskingFile, Rule};

pub(crate) const TEXT: Shape = Shape::Text { longest: None };

pub(crate) fn key() -> MaskKey {
    MaskKey::new(*b"a key that only these tests know")
}

pub(crate) fn name(dotted: &str) -> ColumnName {
    let mut parts = dotted.split('.').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    ColumnName { schema: next(), table: next(), column: next() }
}

pub(crate) fn column(dotted: &str, data_type: &str, shape: Shape) -> ColumnFacts {
    ColumnFacts {
        name: name(dotted),
        data_type: data_type.to_owned(),
        shape,
        not_null: false,
        unique: false,
        generated: false,
        comment: None,
        references: None,
    }
}

/// The masker that a rule of the file's language is.
pub(crate) fn masker(rule: &str) -> Masker {
    let text = format!("[public.t]\nc = '''x -> {rule}'''\n");
    let file = MaskingFile::parse(&text).unwrap_or_else(|problems| panic!("{rule}: {problems:?}"));
    match file.entries().next().map(|e| e.rule.clone()) {
        Some(Rule::Mask(masker)) => masker,
        other => panic!("{rule} is no masker: {other:?}"),
    }
}

pub(crate) fn ready(rule: &str, facts: &ColumnFacts) -> Result<Mask, String> {
    Mask::new(&masker(rule), facts, Language::Spanish, &key())
}

/// The mask of a rule for a column of texts.
pub(crate) fn text_mask(rule: &str) -> Mask {
    mask(rule, TEXT)
}

pub(crate) fn mask(rule: &str, shape: Shape) -> Mask {
    ready(rule, &column("public.t.c", "some type", shape)).unwrap_or_else(|why| panic!("{rule}: {why}"))
}

/// What a value becomes; `None` is NULL.
pub(crate) fn masked(mask: &Mask, value: &str) -> Option<String> {
    let mut out = String::new();
    match mask.apply(value, None, &mut out).unwrap_or_else(|why| panic!("{value}: {why}")) {
        Masked::Value => Some(out),
        Masked::Null => None,
    }
}

/// What a value that does not become NULL becomes.
pub(crate) fn made(mask: &Mask, value: &str) -> String {
    masked(mask, value).expect("not NULL")
}

/// The texts of a value: those that are masked, and those that are kept.
pub(crate) fn leaves(mask: &Mask, value: &str) -> (Vec<String>, Vec<String>) {
    let (mut replaced, mut kept) = (Vec::new(), Vec::new());
    mask.visit(value, &mut |Leaf { text, masked }| {
        if masked { replaced.push(text.to_owned()) } else { kept.push(text.to_owned()) }
    });
    (replaced, kept)
}
