//! The repository at GitHub as a project declares it, beside what is there. Pure; who reads and writes it is said above.
//!
//! Ambit never takes a protection away but the one that stands against what is declared, and what is stricter than declared stays. A
//! ruleset is the project's own by its name (`ambit:kaia/prod`); a secret is, where Ambit remembers that it wrote it.

mod adopt;
mod check;
mod compare;
mod declared;
mod deployment;
mod environments;
mod notes;
mod protection;
mod values;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    railway::ProjectToken,
    spec::{EnvironmentName, ProjectName},
};

pub use self::{
    adopt::adoptable,
    check::{CHECK, Check, PullRequest, Verdict, deployed_from},
    compare::{Found, Op, compare},
    declared::{known_hosts, wanted},
    deployment::{State, state},
    environments::{DeployedFrom, Settings},
    notes::{Named, Notes},
    protection::{Checks, Protection, Reviews, Rules, Who},
};

/// How far a branch is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// Everybody pushes.
    Open,
    /// By pull requests alone.
    PullRequest,
    /// By pull requests that somebody else looked at.
    Reviewed,
}

/// A branch that an environment follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// How far it is guarded.
    pub guard: Guard,
    /// The environment that follows it; of several the one that guards it most.
    pub environment: EnvironmentName,
}

/// Tags that an environment deploys: once made, they stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The name of the ruleset.
    pub mark: String,
    /// `v*`
    pub pattern: String,
    /// The environment.
    pub environment: EnvironmentName,
}

/// What may be deployed to an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Branches.
    Branch(String),
    /// Tags.
    Tag(String),
}

impl Source {
    /// Of a kind, `branch` or `tag`.
    #[must_use]
    pub fn of(kind: &str, pattern: String) -> Self {
        if kind == "tag" { Self::Tag(pattern) } else { Self::Branch(pattern) }
    }

    /// `branch` or `tag`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Branch(_) => "branch",
            Self::Tag(_) => "tag",
        }
    }

    /// The pattern of their names.
    #[must_use]
    pub fn pattern(&self) -> &str {
        let (Self::Branch(pattern) | Self::Tag(pattern)) = self;
        pattern
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.pattern())
    }
}

/// Who is asked before a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    /// `lead`, `leads` of the owner.
    pub name: String,
    /// Whether it is a team.
    pub team: bool,
    /// By what GitHub knows it.
    pub id: u64,
}

/// An approver who was looked for at GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// Found.
    Known(Reviewer),
    /// An e-mail address: GitHub finds nobody by one.
    Address(String),
    /// Nobody who belongs to the repository has that name.
    Nobody(String),
}

/// GitHub's environment for one of the project's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name, the same in both places.
    pub name: EnvironmentName,
    /// What may be deployed to it.
    pub sources: BTreeSet<Source>,
    /// Who has to say yes, as declared.
    pub approvers: Vec<String>,
    /// Whether who started a deployment may say yes to it.
    pub self_review: bool,
}

/// Where a secret or variable lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Home {
    /// With the repository.
    Repository,
    /// With an environment.
    Environment(String),
}

/// A secret or variable that a workflow reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Where it lies.
    pub home: Home,
    /// What it is called.
    pub name: String,
    /// Whether nobody can read it there.
    pub secret: bool,
}

impl Home {
    /// The environment that it is of.
    #[must_use]
    pub fn environment(&self) -> Option<EnvironmentName> {
        match self {
            Self::Repository => None,
            Self::Environment(name) => name.parse().ok(),
        }
    }
}

impl Name {
    /// As people call it: `secret AMBIT_SSH_KEY of prod`.
    #[must_use]
    pub fn title(&self) -> String {
        let kind = if self.secret { "secret" } else { "variable" };
        match &self.home {
            Home::Repository => format!("{kind} {}", self.name),
            Home::Environment(environment) => format!("{kind} {} of {environment}", self.name),
        }
    }

    /// As it is remembered: `prod/AMBIT_SSH_KEY`.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.home {
            Home::Repository => format!("/{}", self.name),
            Home::Environment(environment) => format!("{environment}/{}", self.name),
        }
    }

    /// A secret by how it is remembered.
    #[must_use]
    pub fn secret_of(key: &str) -> Option<Self> {
        let (environment, name) = key.rsplit_once('/')?;
        let home = if environment.is_empty() { Home::Repository } else { Home::Environment(environment.to_owned()) };
        Some(Self { home, name: name.to_owned(), secret: true })
    }
}

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A variable's, as it is.
    Text(String),
    /// A secret's keyed digest.
    Digest(String),
    /// A token that Railway makes when it is written, since nobody can read one again.
    Made(Made),
    /// Nobody declared it: what would help.
    Nothing(String),
}

/// A token of a project at Railway that Ambit makes for a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// The project's name.
    pub project: String,
    /// The keyed digest of the name of that which was written last, as long as Railway has it.
    pub live: Option<String>,
    /// Others that Ambit made there, which nobody uses.
    pub stray: Vec<ProjectToken>,
}

/// The webhook by which GitHub tells Ambit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where Ambit is told.
    pub url: String,
    /// The keyed digest of what deliveries are signed by.
    pub digest: String,
}

/// What deliveries tell of.
pub const EVENTS: [&str; 5] = ["push", "create", "delete", "deployment_review", "pull_request"];

/// The repository as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Branches that environments follow.
    pub branches: Vec<Branch>,
    /// Tags that environments deploy.
    pub tags: Vec<Tags>,
    /// Environments that have a workflow.
    pub environments: Vec<Environment>,
    /// What their workflows read, and what of it is declared.
    pub values: BTreeMap<Name, Given>,
    /// The webhook, where Ambit has one.
    pub hook: Option<Hook>,
    /// Approvers by how they are declared.
    pub approvers: BTreeMap<String, Approver>,
    /// Tokens that Ambit made at Railway for workflows that need none of them any more.
    pub retired: Vec<(EnvironmentName, ProjectToken)>,
}

/// A branch as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentBranch {
    /// Whether it is there at all.
    pub exists: bool,
    /// Its protection, where it has one.
    pub protection: Option<Protection>,
    /// What rulesets ask of it.
    pub rules: Rules,
}

/// A ruleset for tags, as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentTags {
    /// By what GitHub knows it.
    pub id: u64,
    /// Its name.
    pub mark: String,
    /// Whether it is in force.
    pub active: bool,
    /// The tags that it is for: `refs/tags/v*`.
    pub include: BTreeSet<String>,
    /// The tags that it is not for.
    pub exclude: BTreeSet<String>,
    /// What it refuses: `update`, `deletion`.
    pub refuses: BTreeSet<String>,
    /// How many may do it all the same.
    pub exempt: usize,
}

/// An environment as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentEnvironment {
    /// Its rules.
    pub settings: Settings,
    /// What may be deployed to it, by GitHub's numbers.
    pub sources: BTreeMap<Source, u64>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its secrets, with the moment of the last writing.
    pub secrets: BTreeMap<String, String>,
}

/// A webhook as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PresentHook {
    /// By what GitHub knows it.
    pub id: u64,
    /// Whom it tells.
    pub url: String,
    /// Whether it tells at all.
    pub active: bool,
    /// Of what.
    pub events: BTreeSet<String>,
    /// `json` or `form`.
    pub content_type: String,
    /// Whether the other side has to prove who it is.
    pub verifies: bool,
    /// What the other side answered last, where it was asked.
    pub answered: Option<u16>,
}

/// The repository as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The branch that new ones are made from.
    pub default_branch: String,
    /// The commit that it leads to; `None` before the first push.
    pub head: Option<String>,
    /// Branches that are declared.
    pub branches: BTreeMap<String, PresentBranch>,
    /// Rulesets with the project's mark.
    pub tags: Vec<PresentTags>,
    /// All environments; what is in them is read of those that concern the project.
    pub environments: BTreeMap<String, PresentEnvironment>,
    /// Secrets of the repository, with the moment of the last writing.
    pub secrets: BTreeMap<String, String>,
    /// All webhooks.
    pub hooks: Vec<PresentHook>,
    /// How many rulesets are somebody else's.
    pub other_rulesets: usize,
    /// What the owner's plan does not give a private repository.
    pub refused: BTreeSet<Feature>,
}

/// What GitHub has for some plans alone where a repository is private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Protection of branches, and rulesets.
    Protection,
    /// Branches and tags that an environment is deployed from.
    Sources,
    /// Reviewers of deployments.
    Reviewers,
}

/// What cannot be read at GitHub: remembered by Ambit between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Secrets that Ambit wrote, by [`Name::key`], and the secret of the webhook by its URL.
    pub written: BTreeMap<String, Written>,
    /// What GitHub refused for the owner's plan, and when, in milliseconds since the Unix epoch. Forgotten when the repository
    /// becomes public.
    pub refused: BTreeMap<Feature, i64>,
    /// Projects at Railway where Ambit made a token for an environment's workflow.
    #[serde(default)]
    pub made_at: BTreeMap<String, String>,
}

/// A secret as Ambit wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its keyed digest.
    pub digest: String,
    /// When, as GitHub says; another moment means another hand. Empty from before it is written until it is known that it was.
    pub updated_at: String,
}

/// The mark of what belongs to one of a project's environments.
#[must_use]
pub fn mark(project: &ProjectName, environment: &str) -> String {
    format!("ambit:{project}/{environment}")
}

/// Whether a mark is the project's.
#[must_use]
pub fn is_owned(project: &ProjectName, mark: &str) -> bool {
    mark.strip_prefix("ambit:").and_then(|rest| rest.split_once('/')).is_some_and(|(name, _)| name == project.as_str())
}
