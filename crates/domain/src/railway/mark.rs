//! Whose a project and a service are.

use std::collections::BTreeSet;

use crate::spec::{EnvironmentName, ProjectName};

/// The variable of a service that says whose it is, and what of it is declared.
pub const OWNER: &str = "AMBIT_OWNER";

/// What a project's description holds where it is an environment's: one word among others.
#[must_use]
pub fn project_mark(project: &ProjectName, environment: &EnvironmentName) -> String {
    format!("ambit:{project}/{environment}")
}

/// The mark in a description, whosever it is.
pub(super) fn marked(description: &str) -> Option<&str> {
    description.split_whitespace().find(|word| word.starts_with("ambit:"))
}

/// The environment of a project that a mark is of.
pub(super) fn environment_of<'a>(project: &ProjectName, mark: &'a str) -> Option<&'a str> {
    mark.strip_prefix("ambit:")?.strip_prefix(project.as_str())?.strip_prefix('/')
}

/// What [`OWNER`] says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// `ambit:kaia/dev/backend`
    pub mark: String,
    /// Variables, hosts and settings that were written for the declaration's sake.
    pub manages: BTreeSet<String>,
}

impl Owner {
    /// Of a service that nothing was written to yet.
    pub fn new(mark: impl Into<String>) -> Self {
        Self { mark: mark.into(), manages: BTreeSet::new() }
    }

    /// Reads it; `None` where it is no mark.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mark = words.next().filter(|word| word.starts_with("ambit:"))?.to_owned();
        Some(Self { mark, manages: words.map(str::to_owned).collect() })
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        let names = self.manages.iter().map(String::as_str);
        std::iter::once(self.mark.as_str()).chain(names).collect::<Vec<_>>().join(" ")
    }
}
