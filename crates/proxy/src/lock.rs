//! `proxy.lock`: held for as long as a proxy lives, so that its death shows without asking it.

use std::{
    fs,
    io::{self, Read, Seek, Write},
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::folder::{Folder, LOCK};

/// What the lock tells about its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The proxy's process.
    pub pid: u32,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Where it listens for TLS.
    #[serde(default)]
    pub listen_tls: Vec<SocketAddr>,
}

/// The proxy that lives on a folder, if one does. A lock that is held but not yet written tells nobody.
pub fn holder(folder: &Path) -> io::Result<Option<Holder>> {
    let file = match fs::File::open(folder.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Shared, so that two who look do not take each other for a proxy.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(fs::TryLockError::WouldBlock) => Ok(read(&file)),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn read(mut file: &fs::File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64 << 10).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The lock, taken.
#[derive(Debug)]
pub(crate) struct Lock(fs::File);

/// Another process has it.
#[derive(Debug)]
pub(crate) struct Taken(pub(crate) Option<Holder>);

impl From<OwnedFd> for Lock {
    /// A copy of a lock that another process has taken: it is held until both are gone (flock(2)).
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Lock {
    /// Tries a few times: someone who only looks holds it for an instant.
    pub(crate) fn take(folder: &Folder) -> io::Result<Result<Self, Taken>> {
        let file = folder.read_write(LOCK)?;
        for _ in 0..20 {
            match file.try_lock() {
                Ok(()) => return Ok(Ok(Self(file))),
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(5)),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(Err(Taken(read(&file))))
    }

    /// Writes who holds it.
    pub(crate) fn write(&mut self, holder: &Holder) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(&serde_json::to_vec(holder)?)?;
        self.0.flush()
    }
}
