//! Logs of processes that are no more: what a release printed is asked for after it was replaced.
//!
//! Each lies in a folder of its own, named after its record and the moment: `backend.3-1764271234567`. The rest of the record, with the
//! variables of the process, is not kept.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Files of a log, the oldest first.
pub const FILES: [&str; 5] = ["log.4", "log.3", "log.2", "log.1", "log"];
/// How long one is kept.
const KEPT: Duration = Duration::from_hours(90 * 24);
/// How much of an archive is kept, in bytes; the newest log is kept whatever its size.
const ROOM: u64 = 500 << 20;
/// How many: who searches opens them all.
const MOST: usize = 200;

/// A log in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The record's name: `backend.3`.
    pub instance: String,
    /// The release that printed it, where that is known.
    pub release: Option<String>,
    /// Where it is.
    pub folder: PathBuf,
    millis: u64,
}

/// Moves the log of a record into an archive, and deletes from there what is too old or too much. A crash leaves each file in one of both
/// places; moving again takes what is left.
pub fn archive(record: &Path, archive: &Path, release: Option<&str>) -> io::Result<()> {
    let files: Vec<&str> =
        FILES.into_iter().filter(|name| fs::metadata(record.join(name)).is_ok_and(|m| m.len() > 0)).collect();
    let name = record.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !files.is_empty() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let folder = archive.join(format!("{name}-{now}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        if let Some(release) = release {
            fs::write(folder.join("release"), release)?;
        }
        for file in files {
            fs::rename(record.join(file), folder.join(file))?;
        }
    }
    prune(archive, SystemTime::now())
}

/// The logs of an archive, the oldest first.
#[must_use]
pub fn archived(archive: &Path) -> Vec<Archived> {
    let mut all: Vec<Archived> = fs::read_dir(archive)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let (instance, millis) = folder.file_name()?.to_str()?.rsplit_once('-')?;
            Some(Archived {
                instance: instance.to_owned(),
                release: fs::read_to_string(folder.join("release")).ok(),
                millis: millis.parse().ok()?,
                folder: folder.clone(),
            })
        })
        .collect();
    all.sort_by_key(|one| one.millis);
    all
}

fn prune(archive: &Path, now: SystemTime) -> io::Result<()> {
    let oldest = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(KEPT).as_millis();
    let mut room = ROOM;
    for (newer, one) in archived(archive).iter().rev().enumerate() {
        let size = FILES.iter().filter_map(|name| fs::metadata(one.folder.join(name)).ok()).map(|m| m.len()).sum();
        let fits = newer == 0 || (size <= room && newer < MOST);
        room = room.saturating_sub(size);
        if !fits || u128::from(one.millis) < oldest {
            fs::remove_dir_all(&one.folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may panic.

    use super::*;

    fn record(folder: &Path, name: &str, text: &str) -> PathBuf {
        let record = folder.join(name);
        fs::create_dir_all(&record).unwrap();
        fs::write(record.join("spec.json"), "{\"variables\":{}}").unwrap();
        fs::write(record.join("log"), text).unwrap();
        record
    }

    #[test]
    fn a_log_is_moved_with_its_release_and_nothing_else_of_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let (record, archive_folder) = (record(folder.path(), "api-v2.3", "a line\n"), folder.path().join("logs"));
        archive(&record, &archive_folder, Some("abc123")).unwrap();
        let all = archived(&archive_folder);
        assert_eq!((all.len(), &*all[0].instance, all[0].release.as_deref()), (1, "api-v2.3", Some("abc123")));
        assert_eq!(fs::read_to_string(all[0].folder.join("log")).unwrap(), "a line\n");
        assert!(!all[0].folder.join("spec.json").exists() && !record.join("log").exists());
        archive(&record, &archive_folder, None).unwrap();
        assert_eq!(archived(&archive_folder).len(), 1, "there was nothing left to move");
    }

    #[test]
    fn what_is_older_than_ninety_days_or_does_not_fit_goes_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let day = 24 * 60 * 60 * 1000;
        for (millis, size) in [(day, 1), (50 * day, ROOM), (80 * day, ROOM / 2), (91 * day, ROOM / 2 - 9)] {
            let one = folder.path().join(format!("app.1-{millis}"));
            fs::create_dir(&one).unwrap();
            fs::File::create(one.join("log")).unwrap().set_len(size).unwrap();
        }
        prune(folder.path(), UNIX_EPOCH + Duration::from_millis(92 * day)).unwrap();
        let left: Vec<u64> = archived(folder.path()).iter().map(|one| one.millis / day).collect();
        assert_eq!(left, [80, 91]);
    }
}
