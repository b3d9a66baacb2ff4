//! The one place where listeners come from. Handing them over from an older proxy belongs here.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;

/// One set of listeners for each worker: the kernel spreads connections over the sets (`SO_REUSEPORT`).
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) of_worker: Vec<Vec<std::net::TcpListener>>,
}

impl Listeners {
    pub(crate) fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Self, Error> {
        let mut bound = Vec::new();
        let mut of_worker: Vec<Vec<std::net::TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        for &wanted in addresses {
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => Error::AddressInUse { address: wanted },
                _ => Error::Listen { address: wanted, source },
            };
            // With SO_REUSEPORT alone, a second proxy of the same user would silently take half of the connections.
            let probe = socket(wanted, false).map_err(failed)?;
            let address = probe.local_addr().and_then(|a| a.as_socket().ok_or_else(invalid)).map_err(failed)?;
            drop(probe);
            for listeners in &mut of_worker {
                listeners.push(socket(address, true).map_err(failed)?.into());
            }
            bound.push(address);
        }
        Ok(Self { addresses: bound, of_worker })
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
