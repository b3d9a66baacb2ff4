use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::detect::LOOKED_FOR;

/// Why code could not become a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that is needed is not on the machine.
    #[error("{program} is not on this machine")]
    Missing {
        /// The program.
        program: String,
        /// How it is installed.
        install: String,
    },
    /// git refused.
    #[error("git {what} failed: {said}")]
    Git {
        /// The git command.
        what: String,
        /// What it said.
        said: String,
    },
    /// The branch is not there.
    #[error("there is no branch `{branch}` in {repository}")]
    NoBranch {
        /// The branch.
        branch: String,
        /// The repository.
        repository: PathBuf,
        /// The branches that are there.
        known: Vec<String>,
    },
    /// The folder is not in the commit.
    #[error("the folder `{path}` is not in {at}")]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// Commit or working tree.
        at: String,
    },
    /// The tree holds something that a build cannot hold.
    #[error("{path} {why}")]
    Refused {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing tells how the tree is built and run.
    #[error("nothing tells how {service} is run")]
    Undetected {
        /// The service.
        service: String,
        /// What was looked for.
        looked_for: String,
    },
    /// Nothing in a folder tells what it is.
    #[error("nothing in this folder tells how it is run")]
    Unknown,
    /// Several programs could be the service.
    #[error("the code of {service} has several programs: {}", programs.join(", "))]
    Several {
        /// The service.
        service: String,
        /// The programs.
        programs: Vec<String>,
    },
    /// A command of the build failed.
    #[error("`{command}` failed: {status}")]
    Build {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        #[source]
        output: Output,
        /// Its whole output.
        log: PathBuf,
    },
    /// The tests failed.
    #[error("the tests failed: `{command}` {status}")]
    Tests {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        #[source]
        output: Output,
        /// Its whole output.
        log: PathBuf,
    },
    /// Somebody took the build back.
    #[error("the build was taken back")]
    Cancelled,
    /// A command of the build took too long.
    #[error("`{command}` took longer than {} and was ended", time(*longest))]
    TooLong {
        /// The service.
        service: String,
        /// The command.
        command: String,
        /// The most that it may take.
        longest: Duration,
    },
    /// A command of the build took too much memory.
    #[error("`{command}` was ended: it used {} MB of memory, and {} MB is its limit", megabytes(*used), megabytes(*limit))]
    TooMuchMemory {
        /// The service.
        service: String,
        /// The command.
        command: String,
        /// Bytes that it used.
        used: u64,
        /// Bytes that it may use.
        limit: u64,
    },
    /// Another repository did not give its commits.
    #[error("`{reference}` cannot be fetched from {from}")]
    Fetch {
        /// The reference.
        reference: String,
        /// The repository.
        from: String,
        /// Why.
        #[source]
        said: Output,
    },
    /// A place that commits are not fetched from.
    #[error("commits cannot be fetched from `{place}`: {why}")]
    Place {
        /// The place.
        place: String,
        /// Why.
        why: String,
    },
    /// The file system refused.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The last lines of a command's output.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Output(pub(crate) String);

const FULL: &str = "the disk is full: free some space (df -h) and repeat the command";

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }

    /// What to do next, where something can be done.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { install, .. } => Some(install.clone()),
            Self::NoBranch { branch, known, .. } if known.is_empty() => {
                Some(format!("commit something first, then: git branch {branch}"))
            }
            Self::NoBranch { branch, known, .. } => {
                Some(format!("there are: {}; make it with: git branch {branch}", known.join(", ")))
            }
            Self::NoFolder { .. } => Some("is it committed on that branch? `source` is relative to ambit.toml".into()),
            Self::Undetected { service, looked_for } => Some(format!(
                "{looked_for}; set `build` and `run` in [services.{service}], or `static` for a folder of files"
            )),
            Self::Unknown => Some(format!(
                "{LOOKED_FOR}; anything else is run from an ambit.toml such as this: \
                 project = \"shop\" ⏎ [environments.dev] ⏎ [services.app] ⏎ build = \"make\" ⏎ \
                 run = \"exec ./shop\" ⏎ url = {{ dev = \"dev.@\" }}"
            )),
            Self::Several { service, programs } => {
                let first = programs.first().map_or("NAME", String::as_str);
                Some(format!("say which one it is: `run = \"exec bin/{first}\"` in [services.{service}]"))
            }
            Self::Build { log, .. } | Self::Tests { log, .. } => Some(format!("its whole output: {}", log.display())),
            Self::TooLong { service, longest, .. } => {
                let more = longest.as_secs().saturating_mul(2).div_ceil(60);
                Some(format!("if it needs more: `build-time = \"{more}m\"` in [services.{service}]"))
            }
            Self::TooMuchMemory { service, limit, .. } => Some(format!(
                "if it needs more: `build-memory = \"{}MB\"` in [services.{service}]; fewer jobs at once need less",
                megabytes(limit.saturating_mul(2))
            )),
            Self::Fetch { .. } => {
                Some("git ls-remote, as the user that the daemon runs as, shows whether it is let in".into())
            }
            Self::Place { .. } => Some("write https://HOST/PATH, ssh://USER@HOST/PATH or an absolute path".into()),
            Self::Io { source, .. } if crate::files::is_disk_full(source) => Some(FULL.to_owned()),
            Self::Git { said, .. } if said.contains("No space left on device") => Some(FULL.to_owned()),
            _ => None,
        }
    }
}
