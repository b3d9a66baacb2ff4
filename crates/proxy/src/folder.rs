//! The proxy's folder, held open: paths below it may be longer than a socket's address may be, and the user that the proxy
//! becomes may not be able to walk to it.

use std::{
    fs,
    io::{self, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

pub(crate) const ROUTES: &str = "routes.json";
pub(crate) const SOCKET: &str = "proxy.sock";
pub(crate) const LOCK: &str = "proxy.lock";

/// The name of a proxy's own control socket.
pub(crate) fn own_socket(pid: u32) -> String {
    format!("proxy.{pid}.sock")
}

fn is_own_socket(name: &str) -> bool {
    let pid = name.strip_prefix("proxy.").and_then(|rest| rest.strip_suffix(".sock"));
    pid.is_some_and(|pid| pid.parse::<u32>().is_ok())
}

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path: path.to_owned(), fd })
    }

    /// A folder within, never through a link: the folder may belong to a user with fewer rights than this process has.
    pub(crate) fn below(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        Ok(Self { path: self.path.join(name), fd })
    }

    /// A folder within, made where it is missing. It belongs to the group of this folder if that is meant to be
    /// inherited (set-group-id, inode(7)), and is closed to all others.
    pub(crate) fn make_below(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = self.below(name)?;
        if self.is_for_a_group()? {
            rustix::fs::fchmod(&folder.fd, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::SGID)?;
        }
        Ok(folder)
    }

    fn is_for_a_group(&self) -> io::Result<bool> {
        Ok(Mode::from_raw_mode(rustix::fs::fstat(&self.fd)?.st_mode).contains(Mode::SGID))
    }

    /// What is in a file of the folder, which is neither a link nor larger than `most` bytes.
    pub(crate) fn bytes(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: fs::File = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?.into();
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("it is larger than {most} bytes")));
        }
        Ok(bytes)
    }

    /// Writes a file that only its owner reads, and the folder's group where the folder is one for a group. A crash
    /// leaves the file as it was or as it is to be: written beside it, synced, renamed over it, the folder synced.
    pub(crate) fn write_private(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!(".{name}.new");
        self.remove(&temporary)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = || -> io::Result<()> {
            let mut file: fs::File = rustix::fs::openat(&self.fd, &*temporary, flags, Mode::RUSR | Mode::WUSR)?.into();
            file.write_all(bytes)?;
            if self.is_for_a_group()? {
                rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR | Mode::RGRP)?;
            }
            file.sync_all()?;
            rustix::fs::renameat(&self.fd, &*temporary, &self.fd, name)?;
            Ok(rustix::fs::fsync(&self.fd)?)
        };
        write().inspect_err(|_| drop(self.remove(&temporary)))
    }

    /// The names of the files in the folder, in alphabetical order.
    pub(crate) fn files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            if matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown)
                && let Ok(name) = entry.file_name().to_str()
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The control sockets of all proxies on the folder, each once, and under its own name, which no other proxy takes.
    pub(crate) fn sockets(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str()
                && is_own_socket(name)
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        let mut seen = Vec::new();
        // Last: it has an own name too, unless that was made since.
        names.push(SOCKET.to_owned());
        Ok(names
            .into_iter()
            .filter(|name| match self.inode(name) {
                Ok(inode) if !seen.contains(&inode) => {
                    seen.push(inode);
                    true
                }
                // It ended meanwhile, or is listed already.
                _ => false,
            })
            .collect())
    }

    pub(crate) fn inode(&self, name: &str) -> io::Result<u64> {
        Ok(rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino)
    }

    pub(crate) fn link(&self, name: &str, new: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.fd, name, &self.fd, new, AtFlags::empty())?)
    }

    pub(crate) fn rename(&self, name: &str, new: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name, &self.fd, new)?)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A short path to a file in the folder, valid in this process for as long as the folder is held.
    pub(crate) fn short(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()))
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<fs::File> {
        Ok(rustix::fs::openat(&self.fd, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    pub(crate) fn read_write(&self, name: &str) -> io::Result<fs::File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes a file to everyone but its owner.
    pub(crate) fn make_private(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::chmodat(&self.fd, name, Mode::RUSR | Mode::WUSR, AtFlags::empty())?)
    }

    /// Hands the folder and the proxy's own files to the user that the proxy becomes.
    pub(crate) fn give(&self, uid: u32, gid: u32, socket: &str) -> io::Result<()> {
        let (uid, gid) = (Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(gid)));
        rustix::fs::fchown(&self.fd, uid, gid)?;
        for name in [LOCK, socket] {
            rustix::fs::chownat(&self.fd, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}
