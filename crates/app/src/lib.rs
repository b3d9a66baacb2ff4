//! The use cases, one file each. Command line, API and dashboard are thin faces of this room: what one of them can do,
//! the others can.
//!
//! Knows no terminal, no HTTP and no SQL. Work that changes something runs in the daemon, under one lock a project;
//! what only reads may run in any process beside it.

mod address;
mod ambit;
mod audit;
mod bring_up;
mod builds;
mod check;
mod code;
mod components;
mod declaration;
mod destroy;
mod down;
mod facts;
mod logs;
mod plan;
mod progress;
mod put;
mod routes;
mod status;
mod supervise;
mod up;
mod variables;

pub use address::Address;
pub use ambit::{Ambit, Surroundings};
pub use ambit_store::AuditFilter;
pub use check::{Checked, check, check_declaration};
pub use declaration::{Declaration, Invalid, LoadError};
pub use destroy::Destroy;
pub use down::Down;
pub use logs::{LogLine, LogReader};
pub use plan::EnvironmentPlan;
pub use progress::Progress;
pub use status::{EnvironmentStatus, ServiceStatus, Status};
pub use up::{EnvironmentReport, Up, UpReport};
pub use variables::{Shown, View};
