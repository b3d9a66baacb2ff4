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

/// How much is read at once where the reader may come again.
const PART: u64 = 256 << 10;

/// Reads a log from a position on; returns the events and where they end. A line that is still being written is read the
/// next time.
pub(crate) fn read(path: &Path, from: u64) -> (Vec<Event>, u64) {
    let Ok(file) = File::open(path) else { return (Vec::new(), from) };
    read_from(file, from, u64::MAX)
}

/// Reads a part of a log from a position on, or its last part; returns the events and where they end.
pub(crate) fn read_part(path: &Path, from: Option<u64>) -> (Vec<Event>, u64) {
    let Ok(file) = File::open(path) else { return (Vec::new(), from.unwrap_or(0)) };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    // The last part begins in the middle of a line, which is no event and is left out.
    read_from(file, from.unwrap_or_else(|| length.saturating_sub(PART)), PART)
}

fn read_from(mut file: File, from: u64, most: u64) -> (Vec<Event>, u64) {
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(from)).and_then(|_| file.take(most).read_to_end(&mut bytes)).is_err() {
        return (Vec::new(), from);
    }
    let last = bytes.iter().rposition(|b| *b == b'\n').map(|n| n + 1);
    // A line longer than a part is passed over, or nobody would come beyond it.
    let whole = last.unwrap_or(if bytes.len() as u64 == most { bytes.len() } else { 0 });
    let events = bytes[..whole].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    (events, from + whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        Event { environment: None, service: None, step: "build".into(), outcome: Outcome::Output { line: line.into() } }
    }

    #[test]
    fn a_long_log_is_read_in_parts_and_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = DeploymentLog::open(&path);
        let all: Vec<Event> = (0..20_000).map(|n| event(&format!("line {n}"))).collect();
        all.iter().for_each(|event| log.write(event));
        let (mut read, mut at) = (Vec::new(), 0);
        loop {
            let (part, next) = read_part(&path, Some(at));
            assert!(next - at <= PART);
            if next == at {
                break;
            }
            read.extend(part);
            at = next;
        }
        assert_eq!(read, all);
        let (last, end) = read_part(&path, None);
        assert_eq!((last.last(), end), (all.last(), at));
        assert!(last.len() < all.len());
    }

    #[test]
    fn a_line_longer_than_a_part_does_not_stop_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = DeploymentLog::open(&path);
        log.write(&event(&"x".repeat(1 << 20)));
        log.write(&event("after"));
        let (mut at, mut last) = (0, Vec::new());
        for _ in 0..10 {
            (last, at) = match read_part(&path, Some(at)) {
                (part, next) if part.is_empty() => (last, next),
                read => read,
            };
        }
        assert_eq!(last, [event("after")]);
    }
}
