//! One client's connection: what it is waiting for, since when, and whether it is time to give up on it.
//!
//! Timers cost more than the requests they guard, so there are none here: the connection notes in what phase it is, and
//! the worker's sweep looks at all of them about once a second.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32,
            Ordering::{Relaxed, Release},
        },
    },
    task::{Context, Poll, ready},
};

use atomic_waker::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Limits;

/// Seconds since the first worker started, plus one: zero means "not".
pub(crate) mod clock {
    use std::{
        sync::{
            OnceLock,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        time::Instant,
    };

    static NOW: AtomicU32 = AtomicU32::new(1);

    /// As of the last tick.
    pub(crate) fn now() -> u32 {
        NOW.load(Relaxed)
    }

    pub(crate) fn tick() {
        static START: OnceLock<Instant> = OnceLock::new();
        let seconds = START.get_or_init(Instant::now).elapsed().as_secs();
        NOW.store(u32::try_from(seconds).unwrap_or(u32::MAX - 1) + 1, Relaxed);
    }
}

/// Between requests.
const IDLE: u8 = 0;
/// Part of a request's head has arrived.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;
/// No longer HTTP.
const TUNNEL: u8 = 3;

/// Close the connection.
const CLOSE: u8 = 1;
/// Tell the client that the app took too long.
const TOO_LATE: u8 = 2;

/// What the socket, the requests on it and the sweep know of a connection. Only its own worker touches it; the atomics
/// are there because hyper wants the socket to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    phase: AtomicU8,
    since: AtomicU32,
    write_blocked: AtomicU32,
    body_awaited: AtomicU32,
    body_open: AtomicBool,
    answer_awaited: AtomicU32,
    verdict: AtomicU8,
    closing: AtomicBool,
    ambiguous: AtomicBool,
    rescan: AtomicBool,
    task: AtomicWaker,
}

impl Connection {
    pub(crate) fn new() -> Arc<Self> {
        let connection = Self::default();
        connection.since.store(clock::now(), Relaxed);
        connection.rescan.store(true, Relaxed);
        Arc::new(connection)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Relaxed);
        self.since.store(clock::now(), Relaxed);
    }

    pub(crate) fn request_arrived(&self, has_body: bool) {
        self.enter(BUSY);
        self.body_open.store(has_body, Relaxed);
    }

    pub(crate) fn request_finished(&self) {
        if self.phase.load(Relaxed) == BUSY {
            self.enter(IDLE);
        }
        self.answer_awaited.store(0, Relaxed);
        self.body_awaited.store(0, Relaxed);
        if !self.body_open.load(Relaxed) {
            self.rescan.store(true, Relaxed);
        }
    }

    pub(crate) fn became_tunnel(&self) {
        self.enter(TUNNEL);
    }

    pub(crate) fn body_waits(&self, waits: bool) {
        if waits {
            let _ = self.body_awaited.compare_exchange(0, clock::now(), Relaxed, Relaxed);
        } else {
            self.body_awaited.store(0, Relaxed);
        }
    }

    pub(crate) fn body_ended(&self) {
        self.body_open.store(false, Relaxed);
        self.body_awaited.store(0, Relaxed);
        // From here on the app thinks.
        if self.answer_awaited.load(Relaxed) != 0 {
            self.answer_awaited.store(clock::now(), Relaxed);
        }
    }

    pub(crate) fn awaits_answer(&self, awaits: bool) {
        self.answer_awaited.store(if awaits { clock::now() } else { 0 }, Relaxed);
    }

    /// Whether a head on this connection gave its length in two ways.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.ambiguous.load(Relaxed)
    }

    pub(crate) fn is_too_late(&self) -> bool {
        self.verdict.load(Relaxed) == TOO_LATE
    }

    /// The task that drives the connection listens here for what the sweep decides.
    pub(crate) fn driven_by(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    pub(crate) fn must_close(&self) -> bool {
        self.verdict.load(Relaxed) == CLOSE
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    /// Lets the request in flight finish and takes no other.
    pub(crate) fn close_gracefully(&self) {
        self.closing.store(true, Release);
        self.task.wake();
    }

    pub(crate) fn close_now(&self) {
        self.verdict.store(CLOSE, Release);
        self.task.wake();
    }

    /// Looks whether one of the limits has passed.
    pub(crate) fn sweep(&self, limits: &Limits) {
        let now = clock::now();
        let past = |since: u32, limit: std::time::Duration| {
            since != 0 && u64::from(now.saturating_sub(since)) > limit.as_secs()
        };
        let since = self.since.load(Relaxed);
        let late = match self.phase.load(Relaxed) {
            IDLE => past(since, limits.idle),
            HEAD => past(since, limits.head),
            BUSY => {
                past(self.write_blocked.load(Relaxed), limits.stalled)
                    || past(self.body_awaited.load(Relaxed), limits.stalled)
            }
            _ => false,
        };
        if late {
            self.close_now();
        } else if !self.body_open.load(Relaxed) && past(self.answer_awaited.load(Relaxed), limits.answer) {
            self.verdict.store(TOO_LATE, Release);
            self.task.wake();
        }
    }
}

/// Finds heads that give the length of their body in two ways, which hyper resolves silently.
///
/// It sees the bytes of heads only: it stops at the end of a head that announces a body, and is set going again when that
/// body was read to its end.
#[derive(Debug)]
struct HeadScan {
    line: [u8; 18],
    length: usize,
    transfer_encoding: bool,
    content_length: bool,
    on: bool,
}

impl HeadScan {
    const fn new() -> Self {
        Self { line: [0; 18], length: 0, transfer_encoding: false, content_length: false, on: true }
    }

    /// Whether what was seen so far is ambiguous.
    fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.on && !bytes.is_empty() {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.extend(bytes);
                return false;
            };
            self.extend(&bytes[..end]);
            bytes = &bytes[end + 1..];
            if self.line_ended() {
                return true;
            }
        }
        false
    }

    fn extend(&mut self, part: &[u8]) {
        let room = self.line.len() - self.length;
        let n = room.min(part.len());
        self.line[self.length..self.length + n].copy_from_slice(&part[..n]);
        self.length += n;
    }

    fn line_ended(&mut self) -> bool {
        let line = &self.line[..std::mem::take(&mut self.length)];
        match line {
            [] | [b'\r'] => {
                let (te, cl) = (std::mem::take(&mut self.transfer_encoding), std::mem::take(&mut self.content_length));
                self.on = !(te || cl);
                return te && cl;
            }
            [b't' | b'T', ..] => self.transfer_encoding |= is_header(line, b"transfer-encoding"),
            [b'c' | b'C', ..] => self.content_length |= is_header(line, b"content-length"),
            _ => {}
        }
        false
    }
}

fn is_header(line: &[u8], name: &[u8]) -> bool {
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
}

/// A client's socket, plain or with TLS on it, that notes what happens.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    socket: S,
    connection: Arc<Connection>,
    scan: HeadScan,
}

impl<S> Watched<S> {
    pub(crate) fn new(socket: S, connection: Arc<Connection>) -> Self {
        Self { socket, connection, scan: HeadScan::new() }
    }

    fn wrote<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let blocked = &self.connection.write_blocked;
        if poll.is_pending() {
            let _ = blocked.compare_exchange(0, clock::now(), Relaxed, Relaxed);
        } else if blocked.load(Relaxed) != 0 {
            blocked.store(0, Relaxed);
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buf))?;
        let connection = &this.connection;
        let phase = connection.phase.load(Relaxed);
        if phase <= HEAD {
            if phase == IDLE {
                connection.enter(HEAD);
            }
            if connection.rescan.load(Relaxed) {
                connection.rescan.store(false, Relaxed);
                this.scan = HeadScan::new();
            }
            if this.scan.on && this.scan.feed(&buf.filled()[before..]) {
                connection.ambiguous.store(true, Relaxed);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes what it is given into a buffer of its own: it is here that a client that does not read shows.
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        self.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::HeadScan;

    const BOTH: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
    const INNER: &[u8] =
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nContent-Length: 5\r\n\r\n\r\n0\r\n\r\n";

    fn ambiguous<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut scan = HeadScan::new();
        parts.into_iter().any(|part| scan.feed(part))
    }

    #[test]
    fn a_length_inside_of_a_body_is_not_taken_for_a_header() {
        assert!(!ambiguous([INNER]));
    }

    #[test]
    fn a_pipelined_head_is_looked_at_too() {
        let mut two = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        two.extend(BOTH);
        assert!(ambiguous([&two[..]]));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(cuts in proptest::collection::vec(0..BOTH.len(), 0..6)) {
            for (bytes, expected) in [(BOTH, true), (INNER, false)] {
                let mut cuts: Vec<usize> = cuts.iter().map(|c| c % bytes.len()).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                prop_assert_eq!(ambiguous(cuts.windows(2).map(|w| &bytes[w[0]..w[1]])), expected);
            }
        }
    }
}
