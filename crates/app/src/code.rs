//! Which code an environment should run, found out without building anything.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Commit, Failure, FailureKind,
    spec::{Code, Environment},
};
use ambit_source::git::Repository;

/// The code of one environment.
#[derive(Clone)]
pub(crate) enum CodeAt {
    /// The files beside `ambit.toml`.
    WorkingTree { folder: PathBuf },
    /// A commit.
    Commit { repository: Repository, commit: Commit },
}

impl CodeAt {
    pub(crate) fn find(folder: &Path, environment: &Environment) -> Result<Self, Failure> {
        let (wanted, from) = match &environment.code {
            Code::WorkingTree => return Ok(Self::WorkingTree { folder: folder.to_path_buf() }),
            Code::Branch(branch) => (branch, branch.clone()),
            Code::Tag { pattern, branch } => (branch, pattern.clone()),
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
            None => (
                repository.branch_head(wanted).map_err(|e| source_failure(&e))?,
                if from == *wanted { from } else { wanted.clone() },
            ),
        };
        Ok(Self::Commit { repository, commit: Commit { id: head.id, subject: head.subject, from } })
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
        }
    }

    pub(crate) fn commit(&self) -> Option<&Commit> {
        match self {
            Self::WorkingTree { .. } => None,
            Self::Commit { commit, .. } => Some(commit),
        }
    }

    /// `develop a1f4c02` or `working tree`, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::WorkingTree { .. } => "working tree".to_owned(),
            Self::Commit { commit, .. } => format!("{} {}", commit.from, commit.id.get(..7).unwrap_or(&commit.id)),
        }
    }
}

pub(crate) fn source_failure(error: &ambit_source::Error) -> Failure {
    let mut failure = Failure::from_error(FailureKind::User, error);
    failure.hints.extend(error.hint());
    failure
}
