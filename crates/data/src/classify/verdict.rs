//! What is thought of a column.

use crate::masking::{Masker, Rule};

/// A rule, how sure it is and why.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) rule: Rule,
    pub(super) confidence: f32,
    pub(super) reason: String,
}

impl Verdict {
    pub(super) fn keep(confidence: f32, reason: impl Into<String>) -> Self {
        Self { rule: Rule::Keep, confidence, reason: reason.into() }
    }

    pub(super) fn mask(masker: Masker, confidence: f32, reason: impl Into<String>) -> Self {
        Self { rule: Rule::Mask(masker), confidence, reason: reason.into() }
    }
}

/// `98 % of 200 values`.
pub(super) fn share(share: f32, of: usize) -> String {
    format!("{:.0} % of {of} values", share * 100.0)
}
