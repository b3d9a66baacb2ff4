//! The one place where listeners come from. Handing them over from an older proxy belongs here.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;

/// A socket that clients come to.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: std::net::TcpListener,
    /// Whether they begin with a handshake.
    pub(crate) tls: bool,
}

/// One set of listeners for each worker: the kernel spreads connections over the sets (`SO_REUSEPORT`).
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls_addresses: Vec<SocketAddr>,
    pub(crate) of_worker: Vec<Vec<Listener>>,
}

impl Listeners {
    pub(crate) fn bind(plain: &[SocketAddr], tls: &[SocketAddr], workers: usize) -> Result<Self, Error> {
        let mut addresses = Vec::new();
        let mut tls_addresses = Vec::new();
        let mut of_worker: Vec<Vec<Listener>> = (0..workers).map(|_| Vec::new()).collect();
        let plain = plain.iter().map(|address| (*address, false));
        for (wanted, tls) in plain.chain(tls.iter().map(|address| (*address, true))) {
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => Error::AddressInUse { address: wanted },
                _ => Error::Listen { address: wanted, source },
            };
            // With SO_REUSEPORT alone, a second proxy of the same user would silently take half of the connections.
            let probe = socket(wanted, false).map_err(failed)?;
            let address = probe.local_addr().and_then(|a| a.as_socket().ok_or_else(invalid)).map_err(failed)?;
            drop(probe);
            for listeners in &mut of_worker {
                listeners.push(Listener { socket: socket(address, true).map_err(failed)?.into(), tls });
            }
            if tls { tls_addresses.push(address) } else { addresses.push(address) }
        }
        Ok(Self { addresses, tls_addresses, of_worker })
    }
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `::` and `0.0.0.0` are listed apart, so each can be had without the other.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(if shared { 1024 } else { 1 })?;
    Ok(socket)
}
