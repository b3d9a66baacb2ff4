//! One thread of the proxy: its own listeners, connections, links to apps, view of the table and counters. Workers share
//! nothing on the way of a request.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt::Write as _,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use http::HeaderValue;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use slab::Slab;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Limits,
    connection::{Connection, Watched, clock},
    folder::Folder,
    listen::Listener,
    registry::Registry,
    routing::{self, ActiveRoute, Routing},
    serve::{Caller, serve},
    table::RoutingTable,
    tls::Handshakes,
    upstream::Upstream,
};

const SWEEP: Duration = Duration::from_secs(1);

/// What a worker is told from outside.
pub(crate) enum Command {
    /// Serve by this table, and say when it is so.
    Serve(Arc<RoutingTable>, oneshot::Sender<()>),
    /// Another proxy accepts from now on: take no more connections, and end with the last of those that are open. Says
    /// when none is taken any more.
    Retire(oneshot::Sender<()>),
    /// Take no more connections, let what is in flight finish, and end.
    Stop,
}

pub(crate) struct Worker {
    number: usize,
    pub(crate) limits: Limits,
    pub(crate) folder: Arc<Folder>,
    /// Where encrypted requests are taken; none where they are not.
    pub(crate) https_port: Option<u16>,
    tls: Option<TlsAcceptor>,
    handshakes: Handshakes,
    registry: Arc<Registry>,
    routing: RefCell<Rc<Routing<ActiveRoute>>>,
    /// Told each time the table changes.
    pub(crate) changed: Notify,
    upstreams: RefCell<HashMap<SocketAddr, Rc<Upstream>>>,
    connections: RefCell<Slab<Arc<Connection>>>,
    /// Whose turn it is among apps that are equally busy.
    pub(crate) turn: Cell<usize>,
    random: Cell<u64>,
    /// Whether each answer is the last on its connection.
    retired: Cell<bool>,
    active: Cell<usize>,
    inactive: Notify,
    max_connections: usize,
}

/// Something that a worker waits for before it ends.
pub(crate) struct Active(Rc<Worker>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        if self.0.active.get() == 0 {
            self.0.inactive.notify_one();
        }
    }
}

/// What a worker is made from.
pub(crate) struct Plan {
    pub(crate) number: usize,
    pub(crate) limits: Limits,
    pub(crate) registry: Arc<Registry>,
    pub(crate) table: Arc<RoutingTable>,
    pub(crate) folder: Arc<Folder>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) https_port: Option<u16>,
    pub(crate) max_connections: usize,
}

/// Runs a worker on this thread until it is told to stop.
pub(crate) fn run(plan: Plan, commands: mpsc::UnboundedReceiver<Command>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // For reading sites' files.
        .max_blocking_threads(4)
        .thread_stack_size(128 << 10)
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(Worker::new(&plan)?.work(plan, commands))
}

impl Worker {
    fn new(plan: &Plan) -> io::Result<Rc<Self>> {
        let seed = getrandom::u64().map_err(io::Error::other)?;
        let worker = Rc::new(Self {
            number: plan.number,
            limits: plan.limits.clone(),
            folder: Arc::clone(&plan.folder),
            https_port: plan.https_port,
            tls: plan.tls.clone(),
            handshakes: Handshakes::default(),
            registry: Arc::clone(&plan.registry),
            routing: RefCell::new(Rc::new(Routing::new([]))),
            changed: Notify::new(),
            upstreams: RefCell::default(),
            connections: RefCell::default(),
            turn: Cell::new(plan.number),
            random: Cell::new(seed),
            retired: Cell::new(false),
            active: Cell::new(0),
            inactive: Notify::new(),
            max_connections: plan.max_connections,
        });
        worker.serve_by(&plan.table);
        Ok(worker)
    }

    async fn work(self: Rc<Self>, plan: Plan, mut commands: mpsc::UnboundedReceiver<Command>) -> io::Result<()> {
        clock::tick();
        let mut accepting = Vec::new();
        for listener in plan.listeners {
            let socket = TcpListener::from_std(listener.socket)?;
            accepting.push(tokio::task::spawn_local(Rc::clone(&self).accept(socket, listener.tls)));
        }
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retired = None;
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Serve(table, done)) => {
                        self.serve_by(&table);
                        // Who asked may have gone away.
                        let _ = done.send(());
                    }
                    Some(Command::Retire(done)) => {
                        end(&mut accepting).await;
                        self.retired.set(true);
                        retired = Some(Instant::now());
                        let _ = done.send(());
                    }
                    Some(Command::Stop) | None => break,
                },
                () = self.inactive.notified() => {}
                _ = sweep.tick() => self.sweep(),
            }
            if let Some(retired) = retired {
                let late = retired.elapsed() > self.limits.retire;
                if late {
                    tracing::warn!(
                        worker = self.number,
                        cut = self.active.get(),
                        "some connections stayed for too long"
                    );
                }
                if late || self.active.get() == 0 {
                    return Ok(());
                }
            } else if accepting.iter().any(tokio::task::JoinHandle::is_finished) {
                return Err(io::Error::other("no longer accepts connections"));
            }
        }
        end(&mut accepting).await;
        self.drain().await;
        Ok(())
    }

    async fn drain(&self) {
        for (_, connection) in &*self.connections.borrow() {
            connection.close_gracefully();
        }
        let drained = async {
            let mut sweep = tokio::time::interval(SWEEP);
            while self.active.get() > 0 {
                tokio::select! {
                    () = self.inactive.notified() => {}
                    _ = sweep.tick() => self.sweep(),
                }
            }
        };
        if tokio::time::timeout(self.limits.drain, drained).await.is_err() {
            tracing::warn!(worker = self.number, cut = self.active.get(), "some requests took too long to finish");
        }
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, secure: bool) {
        loop {
            if self.connections.borrow().len() >= self.max_connections {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            match listener.accept().await {
                Ok((socket, peer)) => {
                    // Counted before the task begins, so that nobody ends meanwhile.
                    let active = self.active();
                    tokio::task::spawn_local(Rc::clone(&self).attend(socket, peer, secure, active));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors or memory: others have to finish first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn attend(self: Rc<Self>, socket: TcpStream, peer: SocketAddr, secure: bool, active: Active) {
        struct Registered {
            worker: Rc<Worker>,
            key: usize,
            _active: Active,
        }
        impl Drop for Registered {
            fn drop(&mut self) {
                self.worker.connections.borrow_mut().remove(self.key);
                self.worker.registry.connections.fetch_sub(1, Relaxed);
            }
        }

        prepare(&socket);
        let connection = Connection::new();
        self.registry.connections.fetch_add(1, Relaxed);
        let key = self.connections.borrow_mut().insert(Arc::clone(&connection));
        let _registered = Registered { worker: Rc::clone(&self), key, _active: active };
        let address = HeaderValue::from_str(&peer.ip().to_canonical().to_string());
        let caller = Rc::new(Caller {
            worker: Rc::clone(&self),
            connection: Arc::clone(&connection),
            address: address.unwrap_or(HeaderValue::from_static("unknown")),
            secure,
        });
        match &self.tls {
            Some(acceptor) if secure => self.attend_tls(acceptor, socket, caller).await,
            _ => converse(socket, caller).await,
        }
    }

    /// Boxed, so that plain connections stay as small as they are without it.
    fn attend_tls<'a>(
        &'a self,
        acceptor: &'a TlsAcceptor,
        socket: TcpStream,
        caller: Rc<Caller>,
    ) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(async move {
            let Limits { handshake, handshakes, .. } = self.limits;
            let shaken = self.handshakes.shake(acceptor, socket, &caller.connection, handshake, handshakes).await;
            if let Some(socket) = shaken {
                converse(socket, caller).await;
            }
        })
    }

    /// Puts a table in force.
    fn serve_by(&self, table: &RoutingTable) {
        let mut upstreams = self.upstreams.borrow_mut();
        let mut before = std::mem::take(&mut *upstreams);
        let routing = routing::activate(
            table,
            |id| self.registry.route(id, self.number),
            |address| {
                let upstream = upstreams.entry(address).or_insert_with(|| {
                    before
                        .remove(&address)
                        .unwrap_or_else(|| Upstream::new(address, self.registry.upstream(address, self.number)))
                });
                Rc::clone(upstream)
            },
        );
        for retired in before.values() {
            retired.retire();
        }
        *self.routing.borrow_mut() = Rc::new(routing);
        self.changed.notify_waiters();
    }

    fn sweep(&self) {
        clock::tick();
        for (_, connection) in &*self.connections.borrow() {
            connection.sweep(&self.limits);
        }
        for upstream in self.upstreams.borrow().values() {
            upstream.sweep();
        }
    }

    pub(crate) fn routing(&self) -> Rc<Routing<ActiveRoute>> {
        Rc::clone(&self.routing.borrow())
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    pub(crate) fn active(self: &Rc<Self>) -> Active {
        self.active.set(self.active.get() + 1);
        Active(Rc::clone(self))
    }

    /// Unlikely ever to repeat, and not a secret.
    pub(crate) fn request_id(&self) -> HeaderValue {
        let mut text = String::with_capacity(32);
        // Writing to a string cannot fail.
        let _ = write!(text, "{:016x}{:016x}", self.random(), self.random());
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// SplitMix64.
    fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Stops accepting; what was accepted is attended to.
async fn end(accepting: &mut Vec<tokio::task::JoinHandle<()>>) {
    for task in accepting.drain(..) {
        task.abort();
        // It was told to end: that it did is no news.
        let _ = task.await;
    }
}

/// Speaks HTTP on a connection until either side ends it.
async fn converse(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, caller: Rc<Caller>) {
    let connection = Arc::clone(&caller.connection);
    let socket = TokioIo::new(Watched::new(socket, Arc::clone(&connection)));
    let mut http = http1::Builder::new();
    // Heads are timed by the sweep. Copying a small body behind its head is cheaper than a vectored write.
    http.header_read_timeout(None).writev(false).max_buf_size(48 << 10).max_header_size(32 << 10);
    let mut driven = std::pin::pin!(
        http.serve_connection(socket, service_fn(move |request| serve(Rc::clone(&caller), request))).with_upgrades()
    );
    let mut registered = false;
    let mut told = false;
    std::future::poll_fn(|cx| {
        if !registered {
            connection.driven_by(cx);
            registered = true;
        }
        if connection.must_close() {
            return std::task::Poll::Ready(());
        }
        if connection.is_closing() && !told {
            told = true;
            driven.as_mut().graceful_shutdown();
        }
        driven.as_mut().poll(cx).map(|result| {
            if let Err(error) = result {
                tracing::trace!(error = ?error, "connection ended");
            }
        })
    })
    .await;
}

/// Whether the connection failed before it was accepted, and not accepting itself.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

fn prepare(socket: &TcpStream) {
    // A socket without these still works.
    let _ = socket.set_nodelay(true);
    let keepalive =
        socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let _ = socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive);
}
