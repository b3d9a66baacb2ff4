//! What is done with an environment's data: it is classified, masked, copied, and looked through for what must not be in it.
//!
//! Speaks to databases that it is given; which environment may be read and which written is decided above.

mod catalog;
pub mod classify;
pub mod column;
mod copy;
mod database;
mod leak;
pub mod masking;
mod proposing;
mod reviewing;
mod sampling;
mod sql_tokens;
mod subset;

pub use copy::{CopiedTable, CopyOrder, CopyReport, CopyStep, copy};
pub use database::Database;
pub use leak::{Leak, LeakReport};
pub use proposing::proposals;
pub use reviewing::{NotReviewed, ReviewedColumn, Suggestion, review};
pub use subset::Choice;
pub mod rehearsal;
