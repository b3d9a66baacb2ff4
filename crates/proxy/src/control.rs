//! The control socket: HTTP on a unix socket that only the proxy's own user can open.

use std::{convert::Infallible, io, os::fd::OwnedFd, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use tokio::{
    net::UnixListener,
    sync::{Mutex, mpsc, oneshot},
};

use crate::{
    folder::{Folder, ROUTES, SOCKET},
    lock::Holder,
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
}

/// Binds the socket so that it is never open to others, not even for a moment.
pub(crate) fn bind(folder: &Folder) -> io::Result<OwnedFd> {
    folder.remove(SOCKET)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(folder.short(SOCKET))?)?;
    folder.make_private(SOCKET)?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
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
                    if let Err(error) = http.serve_connection(TokioIo::new(socket), service).await {
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

async fn answer(control: Rc<Control>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::POST, "/reload") => match control.reload().await {
            Ok(()) => json(StatusCode::OK, &serde_json::json!({})),
            Err(error) => {
                let error = explain(&error);
                tracing::error!(error = %error.escape_debug(), "the routing table is refused, the one before stays in force");
                json(StatusCode::UNPROCESSABLE_ENTITY, &Refused { error })
            }
        },
        (&Method::GET, "/figures") => json(StatusCode::OK, &control.registry.figures()),
        (&Method::GET, "/health") => json(StatusCode::OK, &control.health().await),
        _ => json(StatusCode::NOT_FOUND, &Refused { error: "POST /reload, GET /figures, GET /health".into() }),
    })
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let (status, body) = match serde_json::to_vec(value) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// An error with what caused it, in one line.
pub(crate) fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl Control {
    async fn reload(&self) -> Result<(), TableError> {
        let mut routes = self.routes.lock().await;
        let table = Arc::new(load(&self.folder)?);
        if let Some(tls) = &self.tls {
            // Before the table, which may send clients to them.
            tls.reload(&self.folder);
        }
        let mut waiting = Vec::new();
        for worker in &self.workers {
            let (done, is_done) = oneshot::channel();
            // A worker that has ended serves nothing, and ends the process.
            if worker.send(Command::Serve(Arc::clone(&table), done)).is_ok() {
                waiting.push(is_done);
            }
        }
        for is_done in waiting {
            let _ = is_done.await;
        }
        self.registry.in_force(&table);
        *routes = table.routes.len();
        tracing::info!(routes = table.routes.len(), "a new routing table is in force");
        Ok(())
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
