//! Watching what runs: what is looked at by level, when a finding becomes an alert and when that is over, and who is told
//! of it when. Pure: findings come in, decisions go out.

mod alert;
pub mod bounds;
mod check;
mod figures;
mod judge;
mod telling;
mod words;

pub use alert::{Acknowledged, Alert, Notice};
pub use check::{Check, What};
pub use figures::{MachineFigures, PostgresFigures, ProcessState, ProcessUse, RedisFigures, SlowQuery};
pub use judge::{Change, FAILURES, Finding, Judge, SUCCESSES};
pub use telling::{Say, escalation_pause, to_say};
pub use words::{headline, over};
