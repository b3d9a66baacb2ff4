//! What the code of a project tells about itself, as far as a workflow needs it: found by looking, handed to what is pure.

use std::path::PathBuf;

/// A project's code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The folder of `ambit.toml`, from the top of the repository.
    pub folder: PathBuf,
    /// The tests of its services, in the order of the file.
    pub suites: Vec<Suite>,
    /// The mobile app, where one is declared and there.
    pub mobile: Option<MobileSource>,
    /// The changelog, relative to `ambit.toml`.
    pub changelog: Option<PathBuf>,
}

/// The tests of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// The service.
    pub service: ambit_spec::ServiceName,
    /// Its folder, relative to `ambit.toml`.
    pub folder: PathBuf,
    /// What they run on.
    pub tools: Tools,
    /// Shell commands that install what the code depends on.
    pub install: Vec<String>,
    /// Shell command that tests it.
    pub test: String,
    /// Variables that its processes are given besides the declared ones.
    pub variables: Vec<(String, String)>,
    /// The longest that one of the commands may take, in minutes.
    pub minutes: u32,
}

/// The mobile app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileSource {
    /// Its folder, relative to `ambit.toml`.
    pub folder: PathBuf,
    /// What it is built and tested with.
    pub tools: Tools,
    /// Shell commands that install what the code depends on.
    pub install: Vec<String>,
    /// Shell command that tests it.
    pub test: Option<String>,
}

/// What has to be on the machine besides what GitHub's runners have, which is Rust, a compiler and the usual tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// Node.js.
    pub node: Option<Version>,
    /// Python.
    pub python: Option<Version>,
    /// A package manager other than npm.
    pub manager: Option<PackageManager>,
}

/// A package manager for Node.js.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageManager {
    /// Its command.
    pub program: String,
    /// The package of npm that it comes in, with its version.
    pub package: String,
}

/// Which version of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// The tree does not say.
    Usual,
    /// This file says so, relative to the folder of the code.
    File(String),
}
