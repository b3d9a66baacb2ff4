//! A newer proxy takes over from the one that serves, and no connection is refused or lost.
//!
//! 1. The new proxy asks on the control socket (`POST /hand-over`) and is sent copies of the lock and of every listening
//!    socket. Both hold them now; the old one still serves alone.
//! 2. The new one binds a control socket under a name of its own, reads the table and accepts connections beside the old
//!    one. Then it takes the name `proxy.sock` and writes itself into the lock.
//! 3. It says `retire`. The old one stops accepting, drops its copies of the lock and the sockets and says `retired`. What
//!    clients have sent to the sockets and nobody has accepted yet is the new one's.
//! 4. The old one answers what comes on the connections that it has, with `Connection: close`, follows the table, and ends
//!    with the last of them.
//!
//! Who dies when: the new one before it said `retire`: the old one sees the conversation end, takes the name back and goes on
//! as if nothing had been. The new one later: as when any proxy dies, its keeper starts it again, and the lock is free. The
//! old one before step 1 is done: the new one starts as the first one does. The old one later: the new one has everything
//! and serves. A proxy that stays silent in the middle is given up after a while, and the new one ends where the old one
//! has given it up: there is one that serves, and never two that both think so for long.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    rc::Rc,
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

use crate::{control::Control, folder::Folder, lock::Lock, names};

/// What the conversation is called in the upgrade from HTTP.
pub(crate) const PROTOCOL: &str = "ambit-hand-over";
const RETIRE: &[u8] = b"retire\n";
const RETIRED: &[u8] = b"retired\n";
/// An old proxy answers from memory.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a new proxy may take until it serves.
const START: Duration = Duration::from_secs(30);
/// A process that is killed loses its sockets one after the other: it is looked at this often, so far apart, before it is
/// taken to live.
const DYING: u32 = 100;
const LOOK: Duration = Duration::from_millis(20);
/// The kernel takes up to 253 descriptors in one message (unix(7)).
const AT_ONCE: usize = 64;
const MAX_OFFER: usize = 1 << 20;

/// What goes before the descriptors: the lock's, and one for each of these.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// The name of the old proxy's own control socket.
    pub(crate) control: String,
    pub(crate) listeners: Vec<SocketAddr>,
}

/// What an old proxy has handed over.
pub(crate) struct Handed {
    pub(crate) lock: Lock,
    pub(crate) listeners: Vec<(SocketAddr, TcpListener)>,
    pub(crate) conversation: Conversation,
}

/// An open conversation with an old proxy.
pub(crate) struct Conversation {
    socket: UnixStream,
    with: String,
}

/// Asks the proxies of the folder for what they serve with. `None` where none serves, or none hands over now.
pub(crate) fn ask(folder: &Folder) -> io::Result<Option<Handed>> {
    for name in folder.sockets()? {
        match UnixStream::connect(folder.short(&name)).and_then(receive) {
            Ok(Some(handed)) => return Ok(Some(handed)),
            Ok(None) => {}
            Err(error) => {
                // Left behind by one that was killed, or of one that has just ended: nobody to take over from.
                for _ in 0..DYING {
                    if names::is_dead(folder, &name) {
                        break;
                    }
                    std::thread::sleep(LOOK);
                }
                if !names::is_dead(folder, &name) {
                    return Err(error);
                }
            }
        }
    }
    Ok(None)
}

fn receive(mut socket: UnixStream) -> io::Result<Option<Handed>> {
    socket.set_read_timeout(Some(ANSWER))?;
    let request = format!(
        "POST /hand-over HTTP/1.1\r\nHost: proxy\r\nConnection: upgrade\r\nUpgrade: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let head = until(&mut socket, b"\r\n\r\n")?;
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Ok(None);
    }
    let Offer { control, listeners } = serde_json::from_slice(&until(&mut socket, b"\n")?)?;
    let mut descriptors = descriptors(&socket, listeners.len() + 1)?.into_iter();
    let lock = Lock::from(descriptors.next().ok_or(io::ErrorKind::UnexpectedEof)?);
    let listeners = listeners.into_iter().zip(descriptors.map(TcpListener::from)).collect();
    Ok(Some(Handed { lock, listeners, conversation: Conversation { socket, with: control } }))
}

/// Byte by byte: what follows comes with descriptors, which an ordinary read would lose.
fn until(socket: &mut UnixStream, end: &[u8]) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        read.extend(byte);
        if read.len() > MAX_OFFER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(read)
}

fn descriptors(socket: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut received = Vec::new();
    while received.len() < count {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let message =
            rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let before = received.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                received.extend(descriptors);
            }
        }
        if message.bytes == 0 || received.len() == before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(received)
}

/// Tells the old proxy to retire, once this one serves. An error means that the old one goes on, and this one must not.
pub(crate) async fn retire_other(conversation: Conversation, folder: &Folder) -> io::Result<()> {
    let Conversation { socket, with } = conversation;
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::UnixStream::from_std(socket)?;
    let talk = async {
        socket.write_all(RETIRE).await?;
        let mut said = vec![0; RETIRED.len()];
        socket.read_exact(&mut said).await
    };
    let Err(error) = talk.await else { return Ok(()) };
    for _ in 0..DYING {
        if names::is_dead(folder, &with) {
            tracing::info!(%error, "the proxy before has ended in the middle of handing over; this one serves");
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(error)
}

/// The old proxy's side.
pub(crate) async fn give(control: Rc<Control>, upgrade: OnUpgrade) {
    match talk(&control, upgrade).await {
        Ok(()) => tracing::info!("another proxy has taken over: finishing what is open"),
        Err(error) => {
            tracing::warn!(%error, "another proxy did not take over: this one goes on");
            control.go_on();
        }
    }
}

async fn talk(control: &Control, upgrade: OnUpgrade) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let parts = upgraded.downcast::<TokioIo<tokio::net::UnixStream>>().map_err(|_| io::ErrorKind::Unsupported)?;
    let mut socket = parts.io.into_inner();
    let prepared = async {
        {
            let (offer, descriptors) = control.offer()?;
            let mut line = serde_json::to_vec(&offer)?;
            line.push(b'\n');
            socket.write_all(&line).await?;
            let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            for some in descriptors.chunks(AT_ONCE) {
                socket.async_io(Interest::WRITABLE, || send(&socket, some)).await?;
            }
        }
        let mut said = vec![0; RETIRE.len()];
        socket.read_exact(&mut said).await?;
        if said == RETIRE { Ok(()) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
    };
    tokio::time::timeout(START, prepared).await??;
    control.retire().await;
    if let Err(error) = socket.write_all(RETIRED).await {
        tracing::warn!(%error, "the proxy that took over has ended");
    }
    Ok(())
}

fn send(socket: &tokio::net::UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
