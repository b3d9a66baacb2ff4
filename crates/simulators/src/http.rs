//! An HTTP server whose answers a closure decides.

use std::{
    borrow::Cow,
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use crate::faults::{Fault, Faults};

/// A request that was received and found in order.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it had come in whole.
    pub at: Instant,
    /// `GET`, `POST`, …
    pub method: hyper::Method,
    /// Its path.
    pub path: String,
    /// What follows the question mark; empty where nothing does.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// Its body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered: 200 with a text, or a status with one.
pub type Answered = Result<Cow<'static, str>, (u16, Cow<'static, str>)>;

/// An answer with all that belongs to it. From 400 on the request counts as refused.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `200`, …
    pub status: u16,
    /// Headers beside those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// A status with a JSON document.
    #[must_use]
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: document.to_string().into() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Answered> for Reply {
    fn from(answered: Answered) -> Self {
        let (status, text) = answered.map_or_else(|refused| refused, |text| (200, text));
        Self { status, headers: Vec::new(), body: text.into_owned().into() }
    }
}

type Check = dyn Fn(&Request) -> Reply + Send + Sync;

/// A simulated service: what it answers, wherever it listens.
pub trait Service: Send + Sync {
    /// Its name in `[providers.NAME]`.
    fn name(&self) -> &'static str;

    /// The token that it takes.
    fn token(&self) -> &'static str;

    /// The answer to a request, whose path begins where the base URL of the service's API ends.
    fn reply(&self, request: &Request) -> Reply;
}

/// An HTTP server on a free port of this machine, until it is dropped.
pub struct HttpServer {
    port: u16,
    scheme: &'static str,
    accepted: Arc<Mutex<Vec<Request>>>,
    refused: Arc<Mutex<Vec<String>>>,
    faults: Faults,
    running: AbortHandle,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl HttpServer {
    /// Starts; `check` says for each request what is answered. Runs on the caller's runtime. With `tls` it speaks HTTPS.
    pub async fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        check: impl Fn(&Request) -> Answered + Send + Sync + 'static,
    ) -> Self {
        Self::on(0, tls, move |request| check(request).into()).await.unwrap()
    }

    /// The same on a port that was chosen (0 takes a free one), with answers in full.
    pub async fn on(
        port: u16,
        tls: Option<Arc<rustls::ServerConfig>>,
        check: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let port = listener.local_addr()?.port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (accepted, refused, faults) = (Arc::default(), Arc::default(), Faults::default());
        let at_work = AtWork {
            check: Arc::new(check),
            accepted: Arc::clone(&accepted),
            refused: Arc::clone(&refused),
            faults: faults.clone(),
        };
        let running = tokio::spawn(at_work.accept(listener, tls.map(TlsAcceptor::from))).abort_handle();
        Ok(Self { port, scheme, accepted, refused, faults, running })
    }

    /// The URL of a path on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    /// Fails that many requests to come, in this order.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.add(faults.into_iter().map(Some));
    }

    /// Fails one request to come, when so many more were answered.
    pub fn fail_after(&self, answered: usize, fault: Fault) {
        self.faults.add(std::iter::repeat_n(None, answered).chain([Some(fault)]));
    }

    /// Takes back the faults that did not come yet.
    pub fn forget_faults(&self) {
        self.faults.clear();
    }

    /// How many requests have been left without an answer so far.
    #[must_use]
    pub fn hung(&self) -> usize {
        self.faults.hung()
    }

    /// The requests that were in order.
    #[must_use]
    pub fn accepted(&self) -> Vec<Request> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why requests were refused.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many requests were in order.
    pub async fn wait_for(&self, count: usize) -> Vec<Request> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let accepted = self.accepted();
            if accepted.len() >= count {
                return accepted;
            }
            assert!(Instant::now() < end, "{} of {count} requests came; refused: {:?}", accepted.len(), self.refused());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[derive(Clone)]
struct AtWork {
    check: Arc<Check>,
    accepted: Arc<Mutex<Vec<Request>>>,
    refused: Arc<Mutex<Vec<String>>>,
    faults: Faults,
}

impl AtWork {
    async fn accept(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        // Connections end with the server.
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (at_work, tls) = (self.clone(), tls.clone());
            connections.spawn(async move {
                let service = service_fn(move |request| at_work.clone().answer(request));
                // What becomes of a connection is the client's to tell.
                let _ = match tls {
                    None => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                        Err(_) => Ok(()),
                    },
                };
            });
        }
    }

    async fn answer(self, request: hyper::Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
        let request = Request { at: Instant::now(), method: head.method, path, query, headers: head.headers, body };
        let fault = self.faults.next();
        let broken = || Err(io::Error::other("told to close"));
        match &fault {
            Some(Fault::Status(status)) => return Ok(answer(*status, Cow::Borrowed(""))),
            Some(Fault::TooMany(after)) => {
                let mut answer = answer(429, Cow::Borrowed(""));
                answer.headers_mut().insert(header::RETRY_AFTER, after.parse().unwrap());
                return Ok(answer);
            }
            Some(Fault::Hang) => {
                self.faults.hang();
                match pending::<Infallible>().await {}
            }
            Some(Fault::Close) => return broken(),
            Some(Fault::CloseAfter | Fault::HangAfter) | None => {}
        }
        let reply = (self.check)(&request);
        if reply.status < 400 {
            self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        } else {
            let why = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body));
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(why);
        }
        match fault {
            Some(Fault::HangAfter) => {
                self.faults.hang();
                match pending::<Infallible>().await {}
            }
            Some(_) => return broken(),
            None => {}
        }
        Ok(written(reply))
    }
}

fn answer(status: u16, text: Cow<'static, str>) -> Response<Full<Bytes>> {
    written(Reply { status, headers: Vec::new(), body: text.into_owned().into() })
}

fn written(reply: Reply) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(reply.body));
    *answer.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = header::HeaderValue::from_str(&value) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
