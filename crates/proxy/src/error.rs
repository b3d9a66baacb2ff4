use std::{io, net::SocketAddr, path::PathBuf};

use crate::table::TableError;

/// Why a proxy does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another proxy holds the folder's lock.
    #[error("a proxy already runs on {} (process {})", .folder.display(), .pid.map_or_else(|| "unknown".to_owned(), |p| p.to_string()))]
    AlreadyRuns {
        /// The folder both want.
        folder: PathBuf,
        /// Who holds it, as far as its lock tells.
        pid: Option<u32>,
    },
    /// Someone listens there.
    #[error("the address {address} is already in use")]
    AddressInUse {
        /// The address wanted.
        address: SocketAddr,
    },
    /// The proxy that serves the folder does not hand it over.
    #[error("cannot take over from the proxy that serves {}", .folder.display())]
    TakeOver {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The system refuses the address: not one of this machine's, or a port that needs root.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No address to listen on, or no thread to do it.
    #[error("nothing to do: {0}")]
    Nothing(&'static str),
    /// The folder or a file in it.
    #[error("{what} {}", .path.display())]
    Folder {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `routes.json` is there, but not usable.
    #[error(transparent)]
    Table(#[from] TableError),
    /// TLS cannot be set up, whatever the certificates are.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// Threads, runtimes, signals, privileges.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A worker ended that should not have. The process has to be started again.
    #[error("a worker thread ended unexpectedly")]
    WorkerEnded,
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AlreadyRuns { .. } => {
                Some("one proxy serves all projects of a folder: stop the other one first".into())
            }
            Self::AddressInUse { address } => {
                Some(format!("see who listens with `ss -ltnp 'sport = :{}'`, or choose another port", address.port()))
            }
            Self::Listen { address, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("port {} needs root or CAP_NET_BIND_SERVICE; ports from 1024 on do not", address.port()))
            }
            Self::Table(error) => error.hint(),
            _ => None,
        }
    }
}

/// An error with what caused it, in one line.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
