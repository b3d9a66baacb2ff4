//! The workflows of GitHub Actions: one for each environment that follows a branch or a tag. They test what was pushed, and
//! only then hand it on: to Ambit on its own machine, or to Railway.
//!
//! The same declaration gives the same bytes. Nothing that somebody declared can become a part of a script or of an
//! expression: scripts are files of this room (`scripts/`), and what they need reaches them in their environment.

mod drift;
mod filter;
mod jobs;
mod needs;
mod pins;
mod source;
mod variables;
mod yaml;

use std::path::{Path, PathBuf};

use ambit_spec::{Code, Environment, EnvironmentName, Project};
use sha2::{Digest, Sha256};

pub use drift::{CiDrift, CiState};
pub use filter::Unsayable;
pub use needs::Needs;
pub use source::{MobileSource, PackageManager, Sources, Suite, Tools, Version};

use self::yaml::{Yaml, map};

/// Where GitHub looks for workflows, from the top of a repository.
pub const FOLDER: &str = ".github/workflows";

const MARK: &str = "# mark: ";
const WRITTEN: &str =
    "# Written by `ambit ci github` from ambit.toml; what is edited here is refused by `ambit ci github --check`.";
const PROJECT: &str = "# project: ";
const TARGET: &str = "# target: ";

/// Where an environment runs, as far as its workflow is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A machine with Ambit, which is handed the commit over SSH.
    Host,
    /// Railway.
    Railway,
}

impl Target {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Railway => "railway",
        }
    }
}

/// Why a workflow cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CiError {
    /// GitHub's patterns are not those of git.
    #[error("{environment}: {unsayable}")]
    Unsayable {
        /// The environment.
        environment: EnvironmentName,
        /// What cannot be said.
        unsayable: Unsayable,
    },
    /// No `[providers.railway]`.
    #[error("{environment} is declared nowhere at Railway")]
    NotAtRailway {
        /// The environment.
        environment: EnvironmentName,
    },
    /// One service there for several apps.
    #[error("[providers.railway] names one service for {environment}, which has {apps} apps")]
    SeveralApps {
        /// The environment.
        environment: EnvironmentName,
        /// How many.
        apps: usize,
    },
}

impl CiError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsayable { .. } => "GitHub knows `*` and classes such as `[0-9]`; write the pattern with those",
            Self::NotAtRailway { .. } => {
                "add [providers.railway] with `project` and `service`, or write it with --target host"
            }
            Self::SeveralApps { .. } => "leave `service` out: each app is then the service of its own name there",
        }
    }
}

/// What a workflow is made from.
pub struct Pipeline<'a> {
    /// The project.
    pub project: &'a Project,
    /// One of its environments.
    pub environment: &'a Environment,
    /// What its code tells.
    pub sources: &'a Sources,
    /// Where it runs.
    pub target: Target,
}

/// Whether an environment has a workflow: not where it runs files as they stand.
#[must_use]
pub fn has_workflow(environment: &Environment) -> bool {
    environment.code != Code::WorkingTree
}

/// The name of an environment's workflow. In a repository that holds more than the project, its name tells it from others'.
#[must_use]
pub fn file_name(project: &Project, environment: &EnvironmentName, folder: &Path) -> String {
    if folder.as_os_str().is_empty() {
        format!("deploy-{environment}.yml")
    } else {
        format!("deploy-{}-{environment}.yml", project.name)
    }
}

impl Pipeline<'_> {
    /// The file.
    pub fn text(&self) -> Result<String, CiError> {
        let name = &self.environment.name;
        let workflow = map([
            ("name", Yaml::text(format!("Deploy {} to {name}", self.project.name))),
            ("on", filter::events(self)?),
            // No job has more than it says itself.
            ("permissions", map([])),
            // One after the other, and none is broken off halfway; of those that wait, GitHub keeps the newest.
            (
                "concurrency",
                map([
                    ("group", Yaml::text(format!("deploy-{}-{name}", self.project.name))),
                    ("cancel-in-progress", Yaml::Bool(false)),
                ]),
            ),
            ("jobs", Yaml::Map(jobs::jobs(self)?)),
        ]);
        let body = format!(
            "{WRITTEN}\n{PROJECT}{}\n{TARGET}{}\n\n{}",
            self.project.name,
            self.target.name(),
            workflow.document()
        );
        Ok(format!("{MARK}{}\n{body}", mark(&body)))
    }

    /// The folder of something of the project's, from the top of the repository.
    fn path(&self, folder: &Path) -> PathBuf {
        self.sources.folder.join(folder)
    }
}

/// What a workflow says of itself in its first lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The project that it was written for.
    pub project: String,
    /// Where its environment runs.
    pub target: Target,
    /// Whether it is as it was written.
    pub untouched: bool,
}

impl Header {
    /// Reads a file; `None` where Ambit did not write it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (first, body) = text.split_once('\n')?;
        let said = first.strip_prefix(MARK)?;
        let line = |key: &str| body.lines().take_while(|l| l.starts_with('#')).find_map(|l| l.strip_prefix(key));
        let target = match line(TARGET)? {
            "railway" => Target::Railway,
            _ => Target::Host,
        };
        Some(Self { project: line(PROJECT)?.to_owned(), target, untouched: said == mark(body) })
    }
}

/// Beginning of a digest: a mistake is to be found, not an attack.
fn mark(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
