//! What is reported.

use std::path::PathBuf;

use serde::Serialize;

/// A secret in a tracked file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, as the caller named it.
    pub path: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// Its character in the line, from 1.
    pub column: usize,
    /// What it is: `a GitHub token`.
    pub what: String,
    /// Its first characters, never more than four, and `…`.
    pub excerpt: String,
    /// What to do next.
    pub help: String,
}

/// A secret's place in a text, before anybody knows whether it is allowed.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: &'static str,
    /// What the secret should be called in `ambit.secrets`.
    pub(super) name: String,
}

/// At most four characters and at most a quarter of the secret.
pub(super) fn redact(secret: &[u8]) -> String {
    let shown = (secret.len() / 4).min(4);
    let text = String::from_utf8_lossy(&secret[..shown]);
    text.chars().filter(|c| !c.is_control()).chain(['…']).collect()
}

/// How a found secret is moved.
pub(super) fn how_to_move(name: &str) -> String {
    format!(
        "move it into ambit.secrets with `ambit secret set {name} -e ENV` and read it from the environment; \
         git's history keeps it, so have its issuer replace it as well"
    )
}
