//! The use cases, one file each. Command line, API and dashboard are thin faces of this room: what one of them can do,
//! the others can.
//!
//! Knows no terminal, no HTTP and no SQL. Work that changes something runs in the daemon, under one lock a project;
//! what only reads may run in any process beside it.

mod address;
mod ambit;
mod approve;
mod audit;
mod bring_up;
mod check;
mod code;
mod components;
mod declaration;
mod deliver;
mod deploy;
mod deployment;
mod deployment_log;
mod deployments;
mod destroy;
mod diff;
mod down;
mod facts;
mod fault;
mod gates;
mod logs;
mod migrate;
mod notify;
mod pipeline;
mod plan;
mod policy;
mod progress;
mod prune;
mod release;
mod restore_points;
mod rollback;
mod routes;
mod scope;
mod servers;
mod status;
mod supervise;
mod telling;
mod test_bed;
mod up;
mod variables;
mod watch;

pub use address::Address;
pub use ambit::{Ambit, Surroundings};
pub use ambit_store::AuditFilter;
pub use approve::{Decide, Decision, QaSay, Waive};
pub use check::{Checked, check, check_declaration};
pub use declaration::{Declaration, Invalid, LoadError};
pub use deploy::{Deploy, Promote};
pub use deployments::{DeploymentView, Figures, Followed};
pub use destroy::Destroy;
pub use diff::Diff;
pub use down::Down;
pub use logs::{LogLine, LogReader};
pub use migrate::{Migrate, ServiceMigrations};
pub use notify::{Tried, TryNotifications};
pub use plan::EnvironmentPlan;
pub use progress::Progress;
pub use restore_points::{LoadRestorePoint, MakeRestorePoint};
pub use rollback::{Rollback, RollbackPreview};
pub use status::{EnvironmentStatus, ServiceStatus, Status};
pub use up::{EnvironmentReport, Up, UpReport};
pub use variables::{Shown, View};
