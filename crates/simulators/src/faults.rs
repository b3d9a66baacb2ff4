//! What a test server does instead of its work.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// A way to fail, for one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers with a status (of HTTP or SMTP).
    Status(u16),
    /// Answers 429 with this `Retry-After`.
    TooMany(String),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Close,
    /// Does its work, and closes the connection before it says so.
    CloseAfter,
    /// Does its work, and never says so.
    HangAfter,
}

/// Faults to come, one for each request or none for it, and then none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<VecDeque<Option<Fault>>>>);

impl Faults {
    pub(crate) fn add(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    pub(crate) fn next(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }
}
