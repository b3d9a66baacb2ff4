//! What a deployment says while it goes on, kept: one JSON event a line. Whoever follows it, at once or later, reads the
//! same file.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, PoisonError},
};

use ambit_domain::{Event, Outcome};

/// Output is not written beyond this many bytes; what happens to the deployment always is.
const MOST_OUTPUT: u64 = 64 << 20;

/// The log of one deployment, open for writing.
pub(crate) struct DeploymentLog(Mutex<Option<Open>>);

struct Open {
    file: File,
    written: u64,
}

impl DeploymentLog {
    /// Opens a log to add to it. One that cannot be written is told once; nothing fails for it.
    pub(crate) fn open(path: &Path) -> Self {
        let open = || {
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            let written = file.metadata()?.len();
            Ok::<_, std::io::Error>(Open { file, written })
        };
        let opened = open().inspect_err(|error| tracing::warn!(%error, path = %path.display(), "no log is written"));
        Self(Mutex::new(opened.ok()))
    }

    pub(crate) fn write(&self, event: &Event) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_mut() else { return };
        if open.written > MOST_OUTPUT && matches!(event.outcome, Outcome::Output { .. }) {
            return;
        }
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        // A full disk must not fail the deployment for its log.
        if open.file.write_all(&line).is_ok() {
            open.written += line.len() as u64;
        }
    }
}

/// Reads a log from a position on; returns the events and where they end. A line that is still being written is read the
/// next time.
pub(crate) fn read(path: &Path, from: u64) -> (Vec<Event>, u64) {
    let Ok(mut file) = File::open(path) else { return (Vec::new(), from) };
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes)).is_err() {
        return (Vec::new(), from);
    }
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let events = bytes[..whole].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    (events, from + whole as u64)
}
