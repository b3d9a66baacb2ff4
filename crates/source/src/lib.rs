//! From a tree to a build. This room reads code out of [`git`] or a folder ([`working_tree`]), finds out how it is
//! built and run ([`detect`]), builds it once ([`build`]) into the build store ([`builds`]), lays a static site out
//! for one environment ([`sites`]), drafts an `ambit.toml` for a tree that has none ([`init`]), and looks at a mobile build
//! that was made elsewhere ([`apk`]).
//!
//! It never keeps a process: whatever a build leaves running is ended before the build returns. Nothing here reads
//! environment variables or home directories by itself: paths, users and variables come with each request.

pub mod apk;
pub mod build;
pub mod builds;
pub mod detect;
mod error;
mod files;
pub mod git;
pub mod init;
pub mod mentions;
pub mod migrations;
mod node;
mod python;
pub mod remote;
mod rust;
pub mod sites;
mod suites;
mod test_output;
mod toolchain;
mod version;
pub use ambit_domain::glob::matches;
pub use suites::suites;
pub use version::compare as compare_versions;
pub mod working_tree;

pub use error::Error;
