//! Tokens of a project's environment, which workflows deploy by.

use super::project_mark;
use crate::spec::{EnvironmentName, ProjectName};

/// A token as Railway lists it: without what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectToken {
    /// The project.
    pub project: String,
    /// By what the API knows it.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl ProjectToken {
    /// What one is called: the project's mark, and a word that no other has, so that it is found again by its name alone.
    #[must_use]
    pub fn named(project: &ProjectName, environment: &EnvironmentName, word: &str) -> String {
        format!("{} {word}", project_mark(project, environment))
    }

    /// Whether Ambit made it for this environment.
    #[must_use]
    pub fn is_of(&self, project: &ProjectName, environment: &EnvironmentName) -> bool {
        self.name.split_once(' ').is_some_and(|(mark, _)| mark == project_mark(project, environment))
    }
}
