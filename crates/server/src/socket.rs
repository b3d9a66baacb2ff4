//! Unix sockets in folders whose path may be longer than a socket's address can hold (108 bytes, unix(7)): the folder is
//! opened, and the socket named through it.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// A short path to `path`, valid while the returned file lives.
pub(crate) fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let open = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(name);
    Ok((open, short))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_deep_in_the_tree_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("daemon.sock");
        let (_open, short) = super::short(&path).unwrap();
        let _listener = UnixListener::bind(&short).unwrap();
        assert!(path.exists());
        let (_open, short) = super::short(&path).unwrap();
        UnixStream::connect(short).unwrap();
    }
}
