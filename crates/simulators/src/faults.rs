//! What a test server does instead of its work.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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
pub(crate) struct Faults(Arc<Mutex<VecDeque<Option<Fault>>>>, Arc<AtomicUsize>);

impl Faults {
    pub(crate) fn add(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts a request that is left without an answer.
    pub(crate) fn hang(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn hung(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    pub(crate) fn next(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }
}
