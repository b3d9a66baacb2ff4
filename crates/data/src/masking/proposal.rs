//! What somebody, or the classification, proposes for a column.

use super::rule::Rule;
use crate::column::ColumnName;

/// A line that `masking.toml` might have.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The column.
    pub name: ColumnName,
    /// Its type as `format_type` writes it.
    pub data_type: String,
    /// What should become of its values.
    pub rule: Rule,
    /// How sure that is, between 0 and 1.
    pub confidence: f32,
    /// Why.
    pub reason: String,
}
