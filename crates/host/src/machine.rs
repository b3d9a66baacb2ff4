//! Failures of the machine in the words that a person needs.

use std::{fmt::Display, io, path::Path};

use ambit_domain::{Failure, FailureKind};

/// The machine refused: a full disk is named as such, whatever was being done.
pub(crate) fn failed(what: impl Into<String>, error: &io::Error) -> Failure {
    let failure = Failure::new(FailureKind::Machine, what).because(error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.hint("the disk is full: free some space (df -h) and repeat the command")
        }
        io::ErrorKind::PermissionDenied => failure.hint("check who owns the state folder (AMBIT_HOME)"),
        _ => failure,
    }
}

pub(crate) fn cannot(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| failed(format!("cannot {what} {}", path.display()), &error)
}

pub(crate) fn record_failure(error: ambit_keeper::RecordError) -> Failure {
    Failure::from_error(FailureKind::Machine, &error)
}

pub(crate) fn internal(error: impl Display) -> Failure {
    Failure::new(FailureKind::Internal, error.to_string())
}

/// Blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(internal)?
}

/// The addresses of this machine's network interfaces; none where they cannot be read.
#[must_use]
pub fn addresses() -> Vec<std::net::IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let of = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    };
    interfaces.filter_map(of).collect()
}
