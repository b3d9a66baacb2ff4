//! The audit log: what the use cases note, and what `log` shows and proves of it.

use ambit_domain::{
    Failure,
    audit::{self, Broken, Entry, Head, Note},
};
use ambit_store::{AuditFilter, StoreError};

use crate::{
    ambit::{Ambit, now, store_failure},
    progress::Progress,
};

impl Ambit {
    /// Appends to the audit log; durable when it returns.
    pub fn note(&self, note: Note) -> Result<Entry, Failure> {
        let entry = self.store.append_audit(now(), note).map_err(|e| store_failure(&e))?;
        self.audit_heads.append(entry.head()).map_err(|e| store_failure(&e))?;
        Ok(entry)
    }

    /// Notes what is done already, where a failure to do so can only be told.
    pub(crate) fn note_done(&self, note: Note, progress: &Progress) {
        if let Err(failure) = self.note(note) {
            tracing::error!(causes = ?failure.causes, "the audit log was not written: {failure}");
            progress.notice("log", format!("the audit log was not written: {failure}"));
        }
    }

    /// Entries of the audit log, oldest first.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<Entry>, Failure> {
        self.store.audit(filter).map_err(|e| store_failure(&e))
    }

    /// Checks the audit log of all projects, and tells its newest place or where it is broken.
    pub fn verify_audit(&self) -> Result<Result<Head, Broken>, Failure> {
        match self.verified() {
            Ok(head) => Ok(Ok(head)),
            Err(StoreError::Audit(broken)) => Ok(Err(broken)),
            Err(error) => Err(store_failure(&error)),
        }
    }

    fn verified(&self) -> Result<Head, StoreError> {
        // First the hashes outside: what is appended meanwhile has its entry before its line.
        let kept = self.audit_heads.read()?;
        let entries = self.store.audit(&AuditFilter::default())?;
        let head = audit::verify(&entries)?;
        // A crash may leave the very first entry without its line.
        if kept.is_empty() && head.sequence > 1 {
            return Err(Broken::new(head.sequence, "the file audit.head, which holds the hashes, is gone").into());
        }
        audit::check_kept(&entries, &kept)?;
        Ok(head)
    }
}
