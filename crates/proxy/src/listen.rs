//! The one place where listeners come from: from the system, or from the proxy before.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;

/// A socket that clients come to.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
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
    /// Listens on every address. Of the sockets that the proxy before has handed over all are used that fit, however many
    /// workers it had: one that is closed would take the connections along that wait on it.
    pub(crate) fn new(
        plain: &[SocketAddr],
        tls: &[SocketAddr],
        workers: usize,
        mut handed: Vec<(SocketAddr, TcpListener)>,
    ) -> Result<Self, Error> {
        let mut addresses = Vec::new();
        let mut tls_addresses = Vec::new();
        let mut of_worker: Vec<Vec<Listener>> = (0..workers).map(|_| Vec::new()).collect();
        let plain = plain.iter().map(|address| (*address, false));
        for (wanted, tls) in plain.chain(tls.iter().map(|address| (*address, true))) {
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => Error::AddressInUse { address: wanted },
                _ => Error::Listen { address: wanted, source },
            };
            let (address, mut sockets) = match take(&mut handed, wanted) {
                Some(taken) => taken,
                None => (free(wanted).map_err(failed)?, Vec::new()),
            };
            while sockets.len() < workers {
                sockets.push(match (socket(address, true), sockets.first()) {
                    (Ok(socket), _) => socket.into(),
                    // No longer with the rights to bind it: two workers accept from the same queue.
                    (Err(_), Some(first)) => first.try_clone().map_err(failed)?,
                    (Err(error), None) => return Err(failed(error)),
                });
            }
            for (number, socket) in sockets.into_iter().enumerate() {
                of_worker[number % workers].push(Listener { socket, tls });
            }
            if tls { tls_addresses.push(address) } else { addresses.push(address) }
        }
        Ok(Self { addresses, tls_addresses, of_worker })
    }

    /// A copy of every socket, to hand over.
    pub(crate) fn copies(&self) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
        let all = self.of_worker.iter().flatten();
        all.map(|listener| Ok((listener.socket.local_addr()?, listener.socket.try_clone()?))).collect()
    }
}

/// The sockets of an address; of any port, where any will do.
fn take(handed: &mut Vec<(SocketAddr, TcpListener)>, wanted: SocketAddr) -> Option<(SocketAddr, Vec<TcpListener>)> {
    let fits = |address: &SocketAddr| *address == wanted || (wanted.port() == 0 && address.ip() == wanted.ip());
    let address = handed.iter().map(|(address, _)| *address).find(fits)?;
    let (taken, rest) = std::mem::take(handed).into_iter().partition::<Vec<_>, _>(|(a, _)| *a == address);
    *handed = rest;
    Some((address, taken.into_iter().map(|(_, socket)| socket).collect()))
}

/// The address itself, if nobody listens there: with SO_REUSEPORT alone, a second proxy of the same user would silently take
/// half of the connections.
fn free(wanted: SocketAddr) -> io::Result<SocketAddr> {
    socket(wanted, false)?.local_addr()?.as_socket().ok_or_else(invalid)
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
