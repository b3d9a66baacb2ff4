//! Durable writes and the walk that makes a built tree readable for everyone and writable for nobody but its owner.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

/// Writes a file so that after a crash either the old content or the whole new one is there: write, sync, rename, sync
/// the folder.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it that are missing, each with `mode` whatever the umask. Folders that exist keep
/// their mode.
pub(crate) fn make_folders(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent, mode)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives a folder and everything in it to a user, without following links.
pub(crate) fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Makes a built tree what a build is: readable for everyone, writable for its owner alone, no set-user-ID bits, and
/// owned by `owner` where one is given. Returns the bytes it takes on disk.
///
/// The processes that made the tree have ended before this runs, so that nothing moves under the walk.
pub(crate) fn seal(path: &Path, owner: Option<(u32, u32)>) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    }
    let mut size = metadata.blocks() * 512;
    let mode = metadata.mode() & 0o7777;
    if metadata.is_dir() {
        set_mode(path, mode, 0o755)?;
        for entry in fs::read_dir(path)? {
            size += seal(&entry?.path(), owner)?;
        }
    } else if metadata.is_file() {
        let execute = if mode & 0o111 == 0 { 0 } else { 0o111 };
        set_mode(path, mode, (mode | 0o444 | execute) & !0o6022)?;
    }
    Ok(size)
}

/// Makes a copy of a sealed tree writable for its owner again, without following links.
pub(crate) fn open_for_owner(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.mode() & 0o7777;
    set_mode(path, mode, mode | 0o600)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            open_for_owner(&entry?.path())?;
        }
    }
    Ok(())
}

fn set_mode(path: &Path, is: u32, wanted: u32) -> io::Result<()> {
    if is == wanted { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(wanted)) }
}

/// Whether an error says that the disk (or the quota) is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Lower-case hex of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
