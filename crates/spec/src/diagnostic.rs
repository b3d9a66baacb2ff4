//! What is wrong with a declaration, where, and what to do about it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Whether a finding stops the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is changed while one of these stands.
    Error,
    /// Worth a look; the work goes on.
    Warning,
}

/// One finding, located by a byte range of the file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Whether it stops the work.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Bytes of the file that it speaks of; `None` where the file says nothing (something is missing).
    pub span: Option<Range<usize>>,
    /// What is said at the place itself ("not declared; did you mean `prod`?").
    pub label: Option<String>,
    /// What to do next, often a command.
    pub help: Option<String>,
}
