//! The hashes of the audit log, kept outside of its database: one line `SEQUENCE HASH` for each entry, appended after the
//! entry itself is durable. A crash between the two leaves out a line, never one too many, so that each line has to be
//! true of the log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use ambit_domain::audit::{Broken, Head};

use crate::database::StoreError;

/// The file.
pub struct AuditHeads {
    path: PathBuf,
}

impl AuditHeads {
    /// The file at a path; it is made with the first line.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::Heads { path: self.path.clone(), source }
    }

    /// Appends a line; durable when it returns.
    pub fn append(&self, head: Head) -> Result<(), StoreError> {
        self.write(head).map_err(|e| self.failed(e))
    }

    fn write(&self, head: Head) -> io::Result<()> {
        let made = fs::metadata(&self.path).is_err();
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        // A line that a crash cut short stays alone.
        let start = if ends_within_a_line(&mut file)? { "\n" } else { "" };
        file.write_all(format!("{start}{} {}\n", head.sequence, head.hash).as_bytes())?;
        file.sync_data()?;
        if made && let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Every line. One that a crash cut short is left out; one that ambit would never write is told with the number of
    /// the line before it.
    pub fn read(&self) -> Result<Vec<Head>, StoreError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let mut heads: Vec<Head> = Vec::new();
        for line in text.lines() {
            match line.split_once(' ').and_then(|(n, hash)| Some((n.parse().ok()?, hash.parse().ok()?))) {
                Some((sequence, hash)) => heads.push(Head { sequence, hash }),
                None if could_be_cut_short(line) => {}
                None => {
                    let sequence = heads.last().map_or(1, |h| h.sequence);
                    let file = self.path.display();
                    return Err(Broken::new(sequence, format!("{file} holds a line that ambit did not write")).into());
                }
            }
        }
        Ok(heads)
    }
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The beginning of a line, or the zeros that some file systems leave after a loss of power.
fn could_be_cut_short(line: &str) -> bool {
    line.len() < 64 + 20
        && line.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == ' ' || c == '\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64) -> Head {
        Head { sequence, hash: "ab".repeat(32).parse().unwrap() }
    }

    #[test]
    fn lines_are_kept_in_a_file_that_only_its_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let heads = AuditHeads::new(folder.path().join("audit.head"));
        assert_eq!(heads.read().unwrap(), []);
        heads.append(head(1)).unwrap();
        heads.append(head(2)).unwrap();
        assert_eq!(heads.read().unwrap(), [head(1), head(2)]);
        assert_eq!(fs::metadata(&heads.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let heads = AuditHeads::new(folder.path().join("audit.head"));
        heads.append(head(1)).unwrap();
        let text = fs::read_to_string(&heads.path).unwrap();
        fs::write(&heads.path, format!("{text}2 abab")).unwrap();
        assert_eq!(heads.read().unwrap(), [head(1)]);
        heads.append(head(3)).unwrap();
        assert_eq!(heads.read().unwrap(), [head(1), head(3)]);
    }

    #[test]
    fn a_line_of_another_hand_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let heads = AuditHeads::new(folder.path().join("audit.head"));
        heads.append(head(1)).unwrap();
        let text = fs::read_to_string(&heads.path).unwrap();
        fs::write(&heads.path, format!("{text}nothing to see here\n")).unwrap();
        assert!(matches!(heads.read(), Err(StoreError::Audit(_))));
    }
}
