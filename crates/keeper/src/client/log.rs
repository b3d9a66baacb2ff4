//! Reads what a keeper writes down: its last lines, and what comes after. However large a file is, one read takes a bounded
//! part of it.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::archive::FILES;

/// How far back is read at first, and at most; no read takes more.
const FIRST_READ: u64 = 64 << 10;
const MOST_READ: u64 = 2 << 20;

/// Where reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    inode: u64,
    offset: u64,
}

/// The last lines of a log, each as its time and its text, and where they end.
#[must_use]
pub fn tail(folder: &Path, lines: usize) -> (Vec<(String, String)>, LogPosition) {
    let mut found = Vec::new();
    let mut position = LogPosition { inode: 0, offset: 0 };
    for name in FILES.iter().rev() {
        let (read, end) = last(&folder.join(name), lines - found.len());
        if *name == "log" {
            position = end;
        }
        let mut older = read;
        older.append(&mut found);
        found = older;
        if found.len() >= lines {
            break;
        }
    }
    let first = found.len().saturating_sub(lines);
    (found.split_off(first), position)
}

/// What was written since a position, also across the change to a new file.
#[must_use]
pub fn follow(folder: &Path, position: &LogPosition) -> (Vec<(String, String)>, LogPosition) {
    let log = folder.join("log");
    let inode = fs::metadata(&log).map_or(0, |m| m.ino());
    if inode == position.inode {
        return from(&log, position.offset, false);
    }
    let (mut lines, _) = from(&folder.join("log.1"), position.offset, false);
    if fs::metadata(folder.join("log.1")).map_or(0, |m| m.ino()) != position.inode {
        lines.clear();
    }
    let (new, end) = from(&log, 0, false);
    lines.extend(new);
    (lines, end)
}

/// The last lines of a file: read from its end on, further back only as long as there are too few.
fn last(path: &Path, lines: usize) -> (Vec<(String, String)>, LogPosition) {
    let length = fs::metadata(path).map_or(0, |m| m.len());
    let mut wide = FIRST_READ;
    loop {
        let start = length.saturating_sub(wide);
        // The line before it tells where the first whole one begins.
        let (found, position) = from(path, start, start > 0);
        if found.len() >= lines || start == 0 || wide >= MOST_READ {
            return (found, position);
        }
        wide = (wide * 8).min(MOST_READ);
    }
}

/// The whole lines from an offset on, as far as one read goes; after the first end of a line, where it lies within one.
fn from(path: &Path, offset: u64, within: bool) -> (Vec<(String, String)>, LogPosition) {
    let nothing = (Vec::new(), LogPosition { inode: 0, offset: 0 });
    let Ok(mut file) = File::open(path) else { return nothing };
    let Ok(inode) = file.metadata().map(|m| m.ino()) else { return nothing };
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(offset)).and_then(|_| (&file).take(MOST_READ).read_to_end(&mut bytes)).is_err() {
        return nothing;
    }
    // A line that is still being written is read the next time; one that fills the whole read is nobody's, and passed over.
    let full = bytes.len() as u64 == MOST_READ;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(if full { bytes.len() } else { 0 }, |n| n + 1);
    bytes.truncate(whole);
    let begin = if within { bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1) } else { 0 };
    let text = String::from_utf8_lossy(bytes.get(begin..).unwrap_or_default());
    let lines =
        text.lines().filter_map(|l| l.split_once(' ')).map(|(at, text)| (at.to_owned(), text.to_owned())).collect();
    (lines, LogPosition { inode, offset: offset + whole as u64 })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn texts(lines: &[(String, String)]) -> Vec<&str> {
        lines.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn the_last_lines_are_read_from_the_end_over_several_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, range: std::ops::Range<u32>, pad: usize| {
            let lines = range.map(|n| format!("t line {n}{}\n", "x".repeat(pad)));
            fs::write(folder.path().join(name), lines.collect::<String>()).unwrap();
        };
        write("log.1", 0..10, 0);
        write("log", 10..20, 0);
        assert_eq!(texts(&tail(folder.path(), 12).0).len(), 12);
        assert_eq!(texts(&tail(folder.path(), 12).0)[..3], ["line 8", "line 9", "line 10"]);
        assert!(tail(folder.path(), 0).0.is_empty());
        // Lines that lie further back than the first read.
        write("log", 10..20, 50_000);
        let (lines, position) = tail(folder.path(), 5);
        assert_eq!(lines.len(), 5);
        assert!(lines[0].1.starts_with("line 15x"), "{}", &lines[0].1[..10]);
        let mut log = File::options().append(true).open(folder.path().join("log")).unwrap();
        writeln!(log, "t new").unwrap();
        assert_eq!(texts(&follow(folder.path(), &position).0), ["new"]);
    }

    #[test]
    fn of_a_file_of_gigabytes_the_end_alone_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = File::create(folder.path().join("log")).unwrap();
        // A hole takes no room on the disk.
        log.set_len(4 << 30).unwrap();
        log.seek(SeekFrom::End(0)).unwrap();
        write!(log, "\nt one\nt two\n").unwrap();
        let (lines, position) = tail(folder.path(), 100);
        assert_eq!(texts(&lines), ["one", "two"]);
        writeln!(log, "t three").unwrap();
        assert_eq!(texts(&follow(folder.path(), &position).0), ["three"]);
    }
}
