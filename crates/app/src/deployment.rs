//! Deployments: one release put into one environment by an ordered list of journalled steps.
//!
//! [`plan`](self) decides once what has to be done and writes it down; the engine carries out one step after the other and
//! writes down each beginning and end; a step may be repeated after a crash at any point. The engine names no step: what a
//! step does stands in its own file under `step`.

mod engine;
mod plan;
mod processes;
mod step;
mod undo;

pub(crate) use engine::{Stand, carry_out};
pub(crate) use plan::{Planned, given_by};
