//! Speaks to the daemon.

use std::{io, path::PathBuf};

use ambit_domain::{Event, Failure, FailureKind, Home};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::{
    socket,
    wire::{Health, Message},
};

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens.
    #[error("no daemon runs for {socket}")]
    NotRunning {
        /// Its socket.
        socket: PathBuf,
    },
    /// The conversation broke off.
    #[error("the daemon went away in the middle of the request")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It speaks another language.
    #[error("the daemon answered something that this program does not understand")]
    Strange(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Self::from_error(FailureKind::Machine, &error);
        match error {
            ClientError::NotRunning { .. } => failure.hint("ambit up starts it"),
            ClientError::Broken(_) => {
                failure.hint("everything that ran still runs; repeat the command, it goes on where it stopped")
            }
            ClientError::Strange(_) => failure.hint("daemon and command are of different versions: ambit up again"),
        }
    }
}

/// The daemon of a state folder, as its clients see it. One connection a request.
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The daemon of a state folder; whether it runs is found out by asking.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self { socket: home.daemon_socket() }
    }

    /// Who runs there.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let answer = self.send(Method::GET, "/v1/health", Bytes::new()).await?;
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        serde_json::from_slice(&body).map_err(strange)
    }

    /// Its metrics in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let answer = self.send(Method::GET, "/metrics", Bytes::new()).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(text) } else { Err(strange(io::Error::other(text))) }
    }

    /// Tells it to stop. What it looks after goes on.
    pub async fn stop(&self) -> Result<(), ClientError> {
        self.send(Method::POST, "/v1/stop", Bytes::new()).await.map(drop)
    }

    /// Asks for work and passes on what is said while it goes on. Dropping the future takes the request back.
    pub async fn work<R: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        request: &R,
        mut on_event: impl FnMut(Event),
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(request).map_err(strange)?;
        let answer = self.send(Method::POST, path, Bytes::from(body)).await?;
        let ok = answer.status().is_success();
        let mut body = answer.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken)?;
            let Ok(data) = frame.into_data() else { continue };
            pending.extend_from_slice(&data);
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                match serde_json::from_slice(&line).map_err(strange)? {
                    Message::Event(event) => on_event(event),
                    Message::Done(value) => return Ok(value),
                    Message::Failed(failure) => return Err(failure),
                }
            }
        }
        if ok {
            return Err(broken(io::Error::from(io::ErrorKind::UnexpectedEof)).into());
        }
        Err(strange(io::Error::other(String::from_utf8_lossy(&pending).into_owned())).into())
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let not_running = |_| ClientError::NotRunning { socket: self.socket.clone() };
        let (_folder, short) = socket::short(&self.socket).map_err(not_running)?;
        let stream = UnixStream::connect(short).await.map_err(not_running)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "daemon")
            .body(Full::new(body))
            .map_err(strange)?;
        sender.send_request(request).await.map_err(broken)
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Broken(error.into())
}

fn strange(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Strange(error.into())
}
