//! The control socket: HTTP on a unix socket that only the proxy's own user can open.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::{
    net::UnixListener,
    sync::{Mutex, mpsc, oneshot},
};

use crate::{
    error::explain,
    folder::{Folder, ROUTES},
    handover::{self, Offer},
    lock::{Holder, Lock},
    names::Names,
    registry::Registry,
    table::{FORMAT, ReadError, RoutingTable, TableError},
    tls::{Served, Tls},
    worker::Command,
};

/// What a proxy says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub listen: Vec<std::net::SocketAddr>,
    /// Where it listens for TLS.
    #[serde(default)]
    pub listen_tls: Vec<std::net::SocketAddr>,
    /// The certificates that it found; none are looked for where it does not listen for TLS.
    #[serde(default)]
    pub certificates: Vec<Served>,
    /// Routes in force.
    pub routes: usize,
    /// The newest format of the routing table that it reads.
    pub format: u32,
    /// Its version.
    pub version: String,
}

/// Why a reload is refused.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) error: String,
}

pub(crate) struct Control {
    pub(crate) folder: Arc<Folder>,
    pub(crate) holder: Holder,
    pub(crate) registry: Arc<Registry>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) workers: Vec<mpsc::UnboundedSender<Command>>,
    /// How many routes are in force; held while a table is being put in force, so that two reloads cannot cross.
    pub(crate) routes: Mutex<usize>,
    pub(crate) names: Names,
    /// What it serves with; none once another proxy has taken over.
    pub(crate) serving: RefCell<Option<Serving>>,
    pub(crate) handing_over: Cell<bool>,
}

/// What makes a proxy the one that serves, and goes to the next.
pub(crate) struct Serving {
    pub(crate) lock: Lock,
    /// Copies of the workers' listeners; empty once it was told to stop.
    pub(crate) listeners: Vec<(SocketAddr, TcpListener)>,
}

/// The table on disk. No file means that nothing is served yet.
pub(crate) fn load(folder: &Folder) -> Result<RoutingTable, TableError> {
    let path = folder.path(ROUTES);
    let io = |source| TableError::Io { what: "read", path: path.clone(), source };
    match folder.read(ROUTES) {
        Ok(file) => RoutingTable::read(file, &path).map_err(|error| match error {
            ReadError::Io(source) => io(source),
            ReadError::Table(error) => error,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(RoutingTable::new(Vec::new())),
        Err(error) => Err(io(error)),
    }
}

/// Answers on the socket until dropped.
pub(crate) async fn listen(control: Rc<Control>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let control = Rc::clone(&control);
                tokio::task::spawn_local(async move {
                    let service = service_fn(move |request| answer(Rc::clone(&control), request));
                    let mut http = http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30)).max_buf_size(16 << 10);
                    if let Err(error) = http.serve_connection(TokioIo::new(socket), service).with_upgrades().await {
                        tracing::debug!(error = ?error, "control connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(control: Rc<Control>, mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/reload") => match control.reload().await {
            Ok(()) => json(StatusCode::OK, &serde_json::json!({})),
            Err(error) => {
                let error = explain(&error);
                tracing::error!(error = %error.escape_debug(), "the routing table is refused, the one before stays in force");
                json(StatusCode::UNPROCESSABLE_ENTITY, &Refused { error })
            }
        },
        (&Method::POST, "/hand-over") if control.can_hand_over() => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::task::spawn_local(handover::give(control, upgrade));
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static(handover::PROTOCOL));
            response
        }
        (&Method::POST, "/hand-over") => {
            json(StatusCode::CONFLICT, &Refused { error: "it ends, or hands over already".into() })
        }
        (&Method::GET, "/figures") => json(StatusCode::OK, &control.registry.figures()),
        (&Method::GET, "/health") => json(StatusCode::OK, &control.health().await),
        _ => json(
            StatusCode::NOT_FOUND,
            &Refused { error: "POST /reload, POST /hand-over, GET /figures, GET /health".into() },
        ),
    })
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let (status, body) = match serde_json::to_vec(value) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Control {
    async fn reload(&self) -> Result<(), TableError> {
        let mut routes = self.routes.lock().await;
        let table = Arc::new(load(&self.folder)?);
        if let Some(tls) = &self.tls {
            // Before the table, which may send clients to them.
            tls.reload(&self.folder);
        }
        for is_done in self.tell(|done| Command::Serve(Arc::clone(&table), done)) {
            let _ = is_done.await;
        }
        self.registry.in_force(&table);
        *routes = table.routes.len();
        tracing::info!(routes = table.routes.len(), "a new routing table is in force");
        Ok(())
    }

    /// Tells every worker; each answers when it has done so.
    fn tell(&self, command: impl Fn(oneshot::Sender<()>) -> Command) -> Vec<oneshot::Receiver<()>> {
        let one = |worker: &mpsc::UnboundedSender<Command>| {
            let (done, is_done) = oneshot::channel();
            // A worker that has ended serves nothing, and ends the process.
            worker.send(command(done)).ok().map(|()| is_done)
        };
        self.workers.iter().filter_map(one).collect()
    }

    fn can_hand_over(&self) -> bool {
        let serves = self.serving.borrow().as_ref().is_some_and(|serving| !serving.listeners.is_empty());
        serves && !self.handing_over.replace(true)
    }

    /// Copies of what another proxy needs to serve in this one's place.
    pub(crate) fn offer(&self) -> io::Result<(Offer, Vec<OwnedFd>)> {
        let serving = self.serving.borrow();
        let Serving { lock, listeners } = serving.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut descriptors = vec![lock.as_fd().try_clone_to_owned()?];
        for (_, listener) in listeners {
            descriptors.push(listener.as_fd().try_clone_to_owned()?);
        }
        let listeners = listeners.iter().map(|(address, _)| *address).collect();
        Ok((Offer { control: self.names.own().to_owned(), listeners }, descriptors))
    }

    /// Another proxy serves: no worker accepts any more, and nothing keeps the addresses or the lock.
    pub(crate) async fn retire(&self) {
        let waiting = self.tell(Command::Retire);
        // From here on a worker may end.
        let serving = self.serving.take();
        for is_done in waiting {
            let _ = is_done.await;
        }
        drop(serving);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.serving.borrow().is_none()
    }

    /// The proxy that was to take over is gone.
    pub(crate) fn go_on(&self) {
        self.handing_over.set(false);
        if let Err(error) = self.serve_by_name() {
            tracing::error!(%error, "this proxy serves, but cannot be found by its name");
        }
    }

    /// Makes this proxy the one that the name and the lock tell of.
    pub(crate) fn serve_by_name(&self) -> io::Result<()> {
        match &mut *self.serving.borrow_mut() {
            Some(serving) => {
                self.names.publish()?;
                serving.lock.write(&self.holder)
            }
            None => Ok(()),
        }
    }

    async fn health(&self) -> Health {
        Health {
            pid: self.holder.pid,
            listen: self.holder.listen.clone(),
            listen_tls: self.holder.listen_tls.clone(),
            certificates: self.tls.as_ref().map(|tls| tls.served()).unwrap_or_default(),
            routes: *self.routes.lock().await,
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
