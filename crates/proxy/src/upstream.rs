//! Connections to apps, kept open between requests; each worker has its own.
//!
//! A connection is driven by the task of the request that uses it, not by one of its own: that saves two switches between
//! tasks and a wake-up for each request. While it lies idle nobody drives it; that it was closed meanwhile shows when it
//! is taken out again (hyper reads before it writes, and gives the request back) or in the sweep.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use atomic_waker::AtomicWaker;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{answer::RequestBody, connection::clock, registry::UpstreamCounters};

/// Below the shortest that servers commonly use (Node: 5 s), so that it is rarely the app that closes.
const IDLE_SECONDS: u32 = 4;
/// Kept open to one app, for each worker.
const MAX_IDLE: usize = 256;
/// How often one connection is driven in a row.
const ROUNDS: usize = 32;
/// How long an app that refused a connection is passed over when there is another.
const DOWN_SECONDS: u32 = 2;

/// One port of an app, as one worker sees it.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<UpstreamCounters>,
    idle: RefCell<Vec<Link>>,
    down_until: Cell<u32>,
    retired: Cell<bool>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr, counters: Arc<UpstreamCounters>) -> Rc<Self> {
        Rc::new(Self {
            address,
            counters,
            idle: RefCell::default(),
            down_until: Cell::new(0),
            retired: Cell::new(false),
        })
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down_until.get() > clock::now()
    }

    pub(crate) fn refused(&self) {
        self.down_until.set(clock::now() + DOWN_SECONDS);
    }

    /// Takes out the connection that was used last.
    pub(crate) fn take_idle(&self) -> Option<Link> {
        self.idle.borrow_mut().pop()
    }

    pub(crate) async fn connect(&self, within: Duration) -> io::Result<Link> {
        let socket = tokio::time::timeout(within, TcpStream::connect(self.address)).await??;
        self.down_until.set(0);
        socket.set_nodelay(true)?;
        Link::new(socket).await.map_err(io::Error::other)
    }

    /// Takes a connection back, if it can be used again.
    pub(crate) fn give_back(&self, mut link: Link) {
        if link.is_reusable() && !self.retired.get() {
            let mut idle = self.idle.borrow_mut();
            if idle.len() < MAX_IDLE {
                link.used = clock::now();
                link.relay.muted.store(true, Relaxed);
                idle.push(link);
            }
        }
    }

    /// No longer in the table: what is in flight goes on, and nothing is kept for later.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        self.idle.borrow_mut().clear();
    }

    /// Closes what was idle for long, or was closed by the app.
    pub(crate) fn sweep(&self) {
        let now = clock::now();
        let mut idle = std::mem::take(&mut *self.idle.borrow_mut());
        idle.retain_mut(|link| link.used + IDLE_SECONDS >= now && !link.is_closed());
        // Nothing in between takes or gives back a connection: there is no await.
        self.idle.borrow_mut().append(&mut idle);
    }
}

/// Passes wake-ups of a link on to the task that drives it, except those that it causes itself while being driven.
#[derive(Default)]
struct Relay {
    task: AtomicWaker,
    muted: AtomicBool,
    woken: AtomicBool,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.muted.load(Relaxed) {
            self.woken.store(true, Relaxed);
        } else {
            self.task.wake();
        }
    }
}

/// One connection to an app.
pub(crate) struct Link {
    /// None once it has ended: hyper gives a request back that it has not begun to write when this is dropped.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>>>>>,
    pub(crate) sender: SendRequest<RequestBody>,
    relay: Arc<Relay>,
    waker: Waker,
    used: u32,
}

impl Link {
    async fn new(socket: TcpStream) -> hyper::Result<Self> {
        let (sender, connection) =
            http1::Builder::new().writev(false).max_buf_size(32 << 10).handshake(TokioIo::new(socket)).await?;
        let relay = Arc::new(Relay::default());
        Ok(Self {
            driver: Some(Box::pin(connection.with_upgrades())),
            sender,
            waker: Waker::from(Arc::clone(&relay)),
            relay,
            used: 0,
        })
    }

    /// Drives the connection, then polls what comes from it, until neither gets further.
    ///
    /// What is polled must wait for nothing but this connection: it is given a waker that does nothing.
    pub(crate) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.relay.task.register(cx.waker());
        self.relay.muted.store(true, Relaxed);
        let mut rounds = 0;
        let result = loop {
            self.relay.woken.store(false, Relaxed);
            if let Some(driver) = &mut self.driver
                && driver.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
            {
                self.driver = None;
            }
            let result = poll(&mut Context::from_waker(Waker::noop()));
            if result.is_ready() || self.driver.is_none() || !self.relay.woken.load(Relaxed) {
                break result;
            }
            rounds += 1;
            if rounds == ROUNDS {
                // Others have their turn first.
                cx.waker().wake_by_ref();
                break result;
            }
        };
        self.relay.muted.store(false, Relaxed);
        result
    }

    fn is_reusable(&mut self) -> bool {
        if self.driver.is_some() && !self.sender.is_ready() {
            // The end of the answer may be read but not yet noted.
            let _ = self.poll_with::<()>(&mut Context::from_waker(Waker::noop()), |_| Poll::Pending);
        }
        self.driver.is_some() && self.sender.is_ready()
    }

    fn is_closed(&mut self) -> bool {
        let _ = self.poll_with::<()>(&mut Context::from_waker(Waker::noop()), |_| Poll::Pending);
        self.relay.muted.store(true, Relaxed);
        self.driver.is_none()
    }

    /// Everything of the answer has been read: the link can serve another request while it is passed on.
    pub(crate) fn is_done(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// What drives the connection to its end, for a tunnel.
    pub(crate) fn into_driver(self) -> impl Future<Output = ()> {
        let Self { driver, sender, relay, .. } = self;
        relay.muted.store(false, Relaxed);
        async move {
            if let Some(driver) = driver {
                let _ = driver.await;
            }
            drop(sender);
        }
    }
}
