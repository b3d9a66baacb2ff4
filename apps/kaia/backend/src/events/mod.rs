//! Events of the user who asks. Other people's are not there.

pub mod calendar;
pub mod conflicts;
pub mod cursor;
pub mod idempotency;
pub mod list;
pub mod model;
pub mod recurrence;
pub mod reminders;
pub mod store;
pub mod write;
