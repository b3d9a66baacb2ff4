//! Under which names a proxy's control socket is found.
//!
//! Every proxy has a name of its own (`proxy.PID.sock`), from before it reads the routing table until it ends. Who changes
//! the table stores it first and then tells every proxy that has a name: one that got its name later reads the new table by
//! itself, so none can serve by an old one. `proxy.sock` is a second name (a link) of the socket of the proxy that serves; it
//! goes from one to the next in one step and is never missing in between.

use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream, sync::Arc};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::folder::{Folder, SOCKET, own_socket};

/// A proxy's names; gone when this is dropped.
pub(crate) struct Names {
    folder: Arc<Folder>,
    own: String,
}

impl Names {
    /// Binds the socket under its own name, so that it is never open to others, not even for a moment. Removes what
    /// proxies that were killed have left. Only for who has the lock: then no other proxy is at this very point.
    pub(crate) fn bind(folder: Arc<Folder>) -> io::Result<(Self, OwnedFd)> {
        let own = own_socket(std::process::id());
        for name in folder.sockets()? {
            if name != SOCKET && (name == own || is_dead(&folder, &name)) {
                folder.remove(&name)?;
            }
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(folder.short(&own))?)?;
        let names = Self { folder, own };
        names.folder.make_private(&names.own)?;
        rustix::net::listen(&socket, 64)?;
        Ok((names, socket))
    }

    pub(crate) fn own(&self) -> &str {
        &self.own
    }

    /// Makes `proxy.sock` lead to this proxy.
    pub(crate) fn publish(&self) -> io::Result<()> {
        let new = format!("{}.new", self.own);
        self.folder.remove(&new)?;
        self.folder.link(&self.own, &new)?;
        self.folder.rename(&new, SOCKET)?;
        // Renaming one name of a file over another of its names does nothing (rename(2)).
        self.folder.remove(&new)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let mine = |name: &str| self.folder.inode(name).ok();
        let published = mine(SOCKET).is_some() && mine(SOCKET) == mine(&self.own);
        let names = [Some(self.own.as_str()), published.then_some(SOCKET)];
        for name in names.into_iter().flatten() {
            if let Err(error) = self.folder.remove(name) {
                tracing::warn!(%error, name, "a control socket stays behind");
            }
        }
    }
}

/// Whether nobody listens there any more.
pub(crate) fn is_dead(folder: &Folder, name: &str) -> bool {
    let gone = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
    UnixStream::connect(folder.short(name)).is_err_and(|error| gone.contains(&error.kind()))
}
