//! A masker made ready for one column.

use std::sync::Arc;

use super::file::Language;
use super::key::MaskKey;
use super::maskers::{Maskers, Transform};
use super::rule::Masker;
use super::{fit, shapes};
use crate::column::{ColumnFacts, Shape};

/// What a mask made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masked {
    /// The value that was appended.
    Value,
    /// NULL; nothing was appended.
    Null,
}

/// Why a value cannot be masked. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MaskError(pub(super) &'static str);

/// A text that a value contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// The text, without quotes and escapes.
    pub text: &'a str,
    /// Whether the mask replaces it.
    pub masked: bool,
}

/// A masker made ready for one column.
pub struct Mask {
    transform: Arc<dyn Transform>,
    subject: Option<String>,
}

impl Mask {
    /// Makes the masker ready. `Err` says why it does not fit the column.
    ///
    /// The same value has the same pseudonym in every column, with two exceptions that the column's declaration forces: a length
    /// that cuts pseudonyms, and uniqueness, which gives names a suffix. Both sides of a foreign key have to be given the same
    /// facts: see [`agreed`](super::agreed).
    pub fn new(masker: &Masker, facts: &ColumnFacts, language: Language, key: &MaskKey) -> Result<Self, String> {
        fit::check(masker, facts)?;
        let subject = fit::subject(masker)?.map(str::to_owned);
        let mut maskers = Maskers::new(key, language, &facts.data_type);
        let transform = maskers.ready(masker, &facts.shape, facts.unique);
        Ok(Self { transform, subject })
    }

    /// For a column that is kept: changes nothing, and visits every text.
    #[must_use]
    pub fn kept(shape: &Shape) -> Self {
        Self { transform: shapes::kept(shape), subject: None }
    }

    /// The column whose value in the same row is the subject, as in `date-shift(180, by=user_id)`. The value that counts is the
    /// original one, before it was masked itself.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Masks one value that is not NULL, in PostgreSQL's text form. A date without a subject (NULL in its column, too) is its own
    /// subject. Appends to `out`; what was there stays. After an error `out`
    /// is as it was.
    pub fn apply(&self, value: &str, subject: Option<&str>, out: &mut String) -> Result<Masked, MaskError> {
        let start = out.len();
        let masked = self.transform.apply(value, subject, out);
        if !matches!(masked, Ok(Masked::Value)) {
            out.truncate(start);
        }
        masked
    }

    /// Visits every text that a value of this column contains: the whole value, or the elements of an array, the strings, numbers
    /// and keys of JSON, the keys and values of `hstore`, the fields of a composite. What cannot be read is visited whole.
    pub fn visit(&self, value: &str, leaf: &mut dyn FnMut(Leaf<'_>)) {
        self.transform.visit(value, leaf);
    }
}
