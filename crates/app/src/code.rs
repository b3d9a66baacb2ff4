//! Which code an environment should run, found out without building anything.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ambit_domain::{
    Commit, Failure, FailureKind,
    spec::{Code, Environment},
};
use ambit_source::git::{Head, Repository};

/// The code of one environment.
#[derive(Clone)]
pub(crate) enum CodeAt {
    /// The files beside `ambit.toml`.
    WorkingTree { folder: PathBuf },
    /// A commit.
    Commit { repository: Repository, commit: Commit },
    /// What ran before, by the trees that were recorded.
    Recorded { trees: BTreeMap<PathBuf, String>, version: String },
}

impl CodeAt {
    pub(crate) fn find(folder: &Path, environment: &Environment) -> Result<Self, Failure> {
        let wanted = match &environment.code {
            Code::WorkingTree => return Ok(Self::WorkingTree { folder: folder.to_path_buf() }),
            Code::Branch(branch) | Code::Tag { branch, .. } => branch,
        };
        let repository = Repository::find(folder).map_err(|e| source_failure(&e))?.ok_or_else(|| {
            Failure::new(
                FailureKind::User,
                format!(
                    "{} runs the branch `{wanted}`, but {} is not in a git repository",
                    environment.name,
                    folder.display()
                ),
            )
            .hint("git init && git add -A && git commit -m 'first' && git branch -M main")
            .hint(format!("or remove `branch` from [environments.{}] to run the files as they stand", environment.name))
        })?;
        let tagged = match &environment.code {
            Code::Tag { pattern, branch } => {
                repository.newest_tag(pattern, branch).map_err(|e| source_failure(&e))?.map(|(tag, c)| (c, tag))
            }
            _ => None,
        };
        let (head, from) = match tagged {
            Some(found) => found,
            None => (repository.branch_head(wanted).map_err(|e| source_failure(&e))?, wanted.clone()),
        };
        Ok(Self::Commit { repository, commit: commit_from(head, from) })
    }

    /// The hash of a folder of it.
    pub(crate) fn tree(&self, path: &Path) -> Result<String, Failure> {
        match self {
            Self::WorkingTree { folder } => {
                ambit_source::working_tree::hash(&folder.join(path)).map_err(|e| source_failure(&e))
            }
            Self::Commit { repository, commit } => {
                repository.tree_hash(&commit.id, path).map_err(|e| source_failure(&e))
            }
            Self::Recorded { trees, version } => trees.get(path).cloned().ok_or_else(|| {
                Failure::new(FailureKind::User, format!("{version} did not have the folder `{}`", path.display()))
            }),
        }
    }

    pub(crate) fn commit(&self) -> Option<&Commit> {
        match self {
            Self::WorkingTree { .. } | Self::Recorded { .. } => None,
            Self::Commit { commit, .. } => Some(commit),
        }
    }

    /// `develop a1f4c02` or `working tree`, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::WorkingTree { .. } => "working tree".to_owned(),
            Self::Commit { commit, .. } => format!("{} {}", commit.from, commit.short()),
            Self::Recorded { version, .. } => version.clone(),
        }
    }

    /// What people call it: a tag, or the first digits of the commit.
    pub(crate) fn version(&self, environment: &Environment) -> String {
        match self {
            Self::WorkingTree { .. } => "working tree".to_owned(),
            Self::Commit { commit, .. } => match &environment.code {
                Code::Tag { branch, .. } if commit.from != *branch => commit.from.clone(),
                _ => commit.short().to_owned(),
            },
            Self::Recorded { version, .. } => version.clone(),
        }
    }
}

/// A commit with the word that led to it.
pub(crate) fn commit_from(head: Head, from: String) -> Commit {
    Commit { id: head.id, subject: head.subject, author: head.author, from }
}

pub(crate) fn source_failure(error: &ambit_source::Error) -> Failure {
    let kind = match error {
        ambit_source::Error::Missing { .. } | ambit_source::Error::Io { .. } => FailureKind::Machine,
        ambit_source::Error::Build { .. }
        | ambit_source::Error::Tests { .. }
        | ambit_source::Error::TooLong { .. }
        | ambit_source::Error::TooMuchMemory { .. } => FailureKind::App,
        ambit_source::Error::Cancelled => FailureKind::Interrupted,
        _ => FailureKind::User,
    };
    Failure::from_error(kind, error).hint_if(error.hint())
}
