//! What Ambit says of a pull request: whether what it would deploy would be taken.

use serde::{Deserialize, Serialize};

use crate::{
    intake::Reference,
    spec::{Code, Environment, Project},
};

/// By that GitHub lists it among a commit's statuses.
pub const CHECK: &str = "ambit/check";

/// A pull request as a delivery tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The commit that it would bring.
    pub commit: String,
    /// The branch that has it.
    pub branch: Reference,
    /// The branch that it is for.
    pub base: String,
    /// Whether that lies in another repository: whoever wrote it may push nowhere here.
    pub fork: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nobody knows yet.
    Pending,
    /// It would be taken.
    Accepted,
    /// It would not.
    Refused,
    /// Nobody looked, or nobody could.
    Unchecked,
}

impl Verdict {
    /// GitHub's word for the commit.
    #[must_use]
    pub fn of_commit(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "success",
            Self::Refused => "failure",
            Self::Unchecked => "error",
        }
    }
}

/// A verdict, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Yes or no.
    pub verdict: Verdict,
    /// In a sentence.
    pub words: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

/// The environment that is deployed from a branch; of several that which is declared first.
#[must_use]
pub fn deployed_from<'a>(project: &'a Project, branch: &str) -> Option<&'a Environment> {
    project.environments.values().find(|environment| match &environment.code {
        Code::Branch(own) | Code::Tag { branch: own, .. } => own == branch,
        Code::WorkingTree => false,
    })
}
