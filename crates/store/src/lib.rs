//! What Ambit remembers: one SQLite database in the state folder, one beside it for metrics, and the format number of that
//! folder.
//!
//! It keeps facts and applies no rule to them. The daemon writes; commands that only read may open it beside the daemon
//! (SQLite's write-ahead log allows one writer and many readers in different processes).

mod access;
mod alerts;
mod audit;
mod audit_heads;
mod backups;
mod database;
mod deployments;
mod format;
mod incidents;
mod intake;
mod metrics;
mod mobile_builds;
mod outbox;
mod passkeys;

pub use access::Session;
pub use audit::AuditFilter;
pub use audit_heads::AuditHeads;
pub use database::{Store, StoreError};
pub use deployments::Sources;
pub use format::{FORMAT, FormatError, claim};
pub use intake::{PendingDelivery, Webhook};
pub use metrics::{Metrics, Point};
