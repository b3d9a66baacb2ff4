//! A proxy on a folder of its own, real apps behind it, and a client that says exactly what it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ambit_proxy::{
    Config, Limits, Prepared, client,
    figures::Figures,
    table::{Route, RouteState, RoutingTable, Target},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_tungstenite::tungstenite::protocol::Role;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

pub fn text(text: impl Into<String>) -> Response<Body> {
    Response::new(Full::new(Bytes::from(text.into())).boxed_unsync())
}

/// A real HTTP server that ends with the test.
pub struct App {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl App {
    pub async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                let service = service_fn(move |request| {
                    let response = answer(request);
                    async move { Ok::<_, Infallible>(response.await) }
                });
                open.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .half_close(true)
                        .serve_connection(TokioIo::new(socket), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        Self { address, connections, task }
    }

    /// Says its name.
    pub async fn named(name: &'static str) -> Self {
        Self::start(move |_| async move { text(name) }).await
    }

    /// Answers with the head and the body that arrived.
    pub async fn echo() -> Self {
        Self::start(|request: Request<Incoming>| async move {
            let mut told = format!("{} {}\n", request.method(), request.uri());
            for (name, value) in request.headers() {
                told.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
            }
            let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
            told.push_str(&format!("\n{}", String::from_utf8_lossy(&body)));
            text(told)
        })
        .await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts websockets and sends back what comes.
pub async fn websockets() -> App {
    App::start(|mut request: Request<Incoming>| async move {
        let key = request.headers().get("sec-websocket-key").cloned().unwrap();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        tokio::spawn(async move {
            let upgraded = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() || socket.send(message).await.is_err() {
                    break;
                }
            }
        });
        let mut response: Response<Body> = Response::new(Empty::<Bytes>::new().boxed_unsync());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        response.headers_mut().insert("sec-websocket-accept", accept.parse().unwrap());
        response
    })
    .await
}

pub fn route(id: &str, host: &str, path: &str, target: Target) -> Route {
    Route {
        id: id.to_owned(),
        hosts: vec![host.to_owned()],
        path: path.to_owned(),
        target,
        noindex: false,
        environment: "dev".to_owned(),
        https: Vec::new(),
        hsts: false,
        state: RouteState::Serving,
    }
}

pub fn app(host: &str, upstreams: &[SocketAddr]) -> Route {
    route(&format!("kaia/dev/{host}"), host, "/", Target::App { upstreams: upstreams.to_vec() })
}

pub fn site(host: &str, path: &str, root: &Path, single_page: bool) -> Route {
    route(&format!("kaia/dev/{host}"), host, path, Target::Site { root: root.to_owned(), single_page })
}

pub struct Proxy {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    /// For TLS.
    pub secure: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ambit_proxy::Error>>>,
}

impl Proxy {
    pub fn start(routes: Vec<Route>) -> Self {
        Self::with(routes, |_| {})
    }

    pub fn with(routes: Vec<Route>, limit: impl FnOnce(&mut Limits)) -> Self {
        Self::on(tempfile::tempdir().unwrap(), routes, limit)
    }

    /// On a folder that may hold certificates already.
    pub fn on(folder: tempfile::TempDir, routes: Vec<Route>, limit: impl FnOnce(&mut Limits)) -> Self {
        RoutingTable::new(routes).store(&folder.path().join("routes.json")).unwrap();
        let mut config = Config::new(folder.path(), vec!["127.0.0.1:0".parse().unwrap()]);
        config.listen_tls = vec!["127.0.0.1:0".parse().unwrap()];
        config.threads = 2;
        config.limits.drain = Duration::from_secs(5);
        config.limits.answer = Duration::from_secs(20);
        limit(&mut config.limits);
        let prepared = Prepared::new(config).unwrap();
        let (address, secure) = (prepared.addresses()[0], prepared.tls_addresses()[0]);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            prepared.serve(async {
                let _ = stopped.await;
            })
        });
        Self { folder, address, secure, stop: Some(stop), thread: Some(thread) }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub async fn serve(&self, routes: Vec<Route>) {
        RoutingTable::new(routes).store(&self.path().join("routes.json")).unwrap();
        client::reload(self.path()).await.unwrap();
    }

    pub async fn figures(&self) -> Figures {
        client::figures(self.path()).await.unwrap()
    }

    /// Waits until the figures are as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Figures) -> bool) -> Figures {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let figures = self.figures().await;
            if wanted(&figures) {
                return figures;
            }
            assert!(tokio::time::Instant::now() < deadline, "never came to be: {what}; {figures:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn tell_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub async fn ended(&mut self) -> Result<(), ambit_proxy::Error> {
        let thread = self.thread.take().unwrap();
        tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads until the proxy closes it.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // It may be refused, and closed, before all of it is sent.
        let _ = socket.write_all(bytes.as_ref()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer));
        let _ = read.await.expect("the proxy closes the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub async fn get(&self, host: &str, path: &str) -> Told {
        self.send("GET", host, path, "", "").await
    }

    /// `headers` in lines that end with CRLF.
    pub async fn send(&self, method: &str, host: &str, path: &str, headers: &str, body: &str) -> Told {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}{length}\r\n{body}");
        Told::read(&self.raw(request).await)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer as it was on the wire.
#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    pub head: String,
    pub body: String,
}

impl Told {
    pub fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }
}
