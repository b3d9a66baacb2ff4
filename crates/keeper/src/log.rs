//! What the process prints: read from the pipe, cut into lines, stamped with the time, kept within bounds.
//!
//! The process holds its end open for reading too (it is a FIFO), so that it can neither be killed by a broken pipe nor
//! lose what it wrote while a keeper is replaced: the pipe keeps up to 1 MiB for the next one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::redact::Redactor;

/// A longer line is cut into pieces of this size.
const LONGEST: usize = 64 * 1024;
/// A log file is put aside when it has grown to this.
const FULL: u64 = 10 * 1024 * 1024;
/// How many are kept besides the present one.
const KEPT: u32 = 4;

pub(crate) struct Log {
    folder: PathBuf,
    file: Option<File>,
    size: u64,
    /// The beginning of a line whose end has not come yet.
    pub(crate) pending: Vec<u8>,
    pub(crate) lines_lost: u64,
    redactor: Redactor,
}

impl Log {
    /// `secrets` are values that are never written.
    pub(crate) fn open(folder: &Path, secrets: &[String]) -> Self {
        let redactor = Redactor::new(secrets);
        let folder = folder.to_path_buf();
        let mut log = Self { folder, file: None, size: 0, pending: Vec::new(), lines_lost: 0, redactor };
        log.reopen();
        log
    }

    fn reopen(&mut self) {
        let path = self.folder.join("log");
        self.file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).ok();
        self.size = self.file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
    }

    /// Takes what the pipe holds now.
    pub(crate) fn take(&mut self, pipe: &mut File) {
        let mut buffer = [0; 16 * 1024];
        // Bounded, so that a process that never stops printing does not keep the keeper from its other duties.
        for _ in 0..64 {
            match pipe.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => self.put(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        let now = now();
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.pending.extend_from_slice(line);
            self.end_line(&now);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.pending.extend_from_slice(bytes);
        // A secret that has not come to its end yet stays in one piece.
        let whole = LONGEST + self.redactor.longest();
        if self.pending.len() > whole {
            self.redactor.redact(&mut self.pending);
        }
        while self.pending.len() > whole {
            let rest = self.pending.split_off(LONGEST);
            self.end_line(&now);
            self.pending = rest;
        }
    }

    fn end_line(&mut self, now: &str) {
        self.redactor.redact(&mut self.pending);
        let mut line = Vec::with_capacity(now.len() + self.pending.len() + 2);
        line.extend_from_slice(now.as_bytes());
        line.push(b' ');
        line.append(&mut self.pending);
        line.push(b'\n');
        self.write(&line);
    }

    /// A line of the keeper's own.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.pending.is_empty() {
            self.end_line(&now());
        }
        self.write(format!("{} [ambit] {text}\n", now()).as_bytes());
    }

    fn write(&mut self, line: &[u8]) {
        if self.size >= FULL {
            self.rotate();
        }
        if self.file.is_none() {
            self.reopen();
        }
        match self.file.as_mut().map(|f| f.write_all(line)) {
            Some(Ok(())) => self.size += line.len() as u64,
            _ => self.lines_lost += 1,
        }
    }

    fn rotate(&mut self) {
        for n in (1..=KEPT).rev() {
            let from = if n == 1 { self.folder.join("log") } else { self.folder.join(format!("log.{}", n - 1)) };
            // The oldest is replaced; one that is missing leaves a gap that readers skip.
            let _ = fs::rename(from, self.folder.join(format!("log.{n}")));
        }
        self.reopen();
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct-horse-battery-staple";

    fn written(chunks: &[&[u8]]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), &[SECRET.to_owned()]);
        chunks.iter().for_each(|chunk| log.put(chunk));
        log.note("the end");
        fs::read_to_string(folder.path().join("log")).unwrap()
    }

    #[test]
    fn a_secret_is_never_written_however_it_is_cut() {
        let line = format!("token={SECRET} in the middle\n").into_bytes();
        for cut in 0..line.len() {
            let (a, b) = line.split_at(cut);
            let text = written(&[a, b]);
            assert!(text.contains("token=[secret] in the middle\n") && !text.contains(SECRET), "{cut}: {text}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_beside_a_secret_and_not_within() {
        for before in (LONGEST - 2 * SECRET.len())..=LONGEST {
            let text = written(&[&vec![b'x'; before], SECRET.as_bytes(), &vec![b'y'; LONGEST]]);
            let joined: String = text.lines().map(|l| l.split_once(' ').map_or("", |(_, text)| text)).collect();
            assert!(joined.contains("x[secret]y"), "{before}");
            assert!(text.lines().all(|line| line.len() <= LONGEST + 2 * SECRET.len() + 64), "{before}");
        }
    }

    #[test]
    fn what_is_pending_when_the_keeper_speaks_is_redacted_too() {
        let text = written(&[SECRET.as_bytes()]);
        assert!(text.contains("[secret]") && !text.contains(SECRET), "{text}");
    }
}
