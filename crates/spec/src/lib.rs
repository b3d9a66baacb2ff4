//! The declaration. This room turns the text of an `ambit.toml` into a [`model::Project`] in which every environment
//! is complete in itself, or into the list of everything that is wrong with it, each with its place in the file.
//!
//! It does no I/O, knows no provider and prints nothing: faces render [`diagnostic::Diagnostic`]s. Every other room may
//! use it.

pub mod diagnostic;
pub mod model;
pub mod name;

pub use diagnostic::{Diagnostic, Severity};
pub use model::*;
pub use name::{EnvironmentName, ProjectName, ServiceName};
