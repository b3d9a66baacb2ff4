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

impl Diagnostic {
    /// An error at a place of the file.
    pub(crate) fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span: Some(span), label: None, help: None }
    }

    /// An error that no place of the file speaks of.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span: None, label: None, help: None }
    }

    #[must_use]
    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column of its beginning in the text, from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, text: &str) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start.min(text.len());
        let before = text.as_bytes().get(..start)?;
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let begin = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let column = String::from_utf8_lossy(before.get(begin..)?).chars().count() + 1;
        Some((line, column))
    }
}
