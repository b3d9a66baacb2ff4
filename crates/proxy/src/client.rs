//! Asking a running proxy, from the process that decides what it serves.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

pub use crate::control::Health;
use crate::{
    control::Refused,
    figures::Figures,
    folder::{Folder, SOCKET},
};

/// A proxy answers from memory; one that takes longer does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 64 << 20;

/// Why a proxy could not be asked, or does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no proxy runs on this folder")]
    NotRunning(#[source] io::Error),
    /// It listens but does not answer properly.
    #[error("the proxy does not answer: {0}")]
    NoAnswer(String),
    /// It keeps the table that it has.
    #[error("the proxy refuses the routing table: {0}")]
    Refused(String),
}

/// Makes the proxy serve by `routes.json` as it is now. Returns once every worker does, also of a proxy that was replaced and
/// still finishes what it has begun.
pub async fn reload(folder: &Path) -> Result<(), ClientError> {
    ask_all::<serde_json::Value>(folder, Method::POST, "/reload").await.map(drop)
}

/// What the proxy has counted, together with a proxy that was replaced and still finishes what it has begun.
pub async fn figures(folder: &Path) -> Result<Figures, ClientError> {
    let all: Vec<Figures> = ask_all(folder, Method::GET, "/figures").await?;
    Ok(all.into_iter().reduce(Figures::and).unwrap_or_default())
}

/// Whether the proxy answers, and what it is.
pub async fn health(folder: &Path) -> Result<Health, ClientError> {
    let folder = Folder::open(folder).map_err(ClientError::NotRunning)?;
    ask(&folder, SOCKET, Method::GET, "/health").await
}

/// Asks every proxy that lives on the folder: the one that serves, and those that it has replaced.
async fn ask_all<T: DeserializeOwned>(
    folder: &Path,
    method: Method,
    path: &'static str,
) -> Result<Vec<T>, ClientError> {
    let folder = Folder::open(folder).map_err(ClientError::NotRunning)?;
    let mut answers = Vec::new();
    let mut nobody = io::ErrorKind::NotFound.into();
    for name in folder.sockets().map_err(ClientError::NotRunning)? {
        let mut answer = ask(&folder, &name, method.clone(), path).await;
        if matches!(answer, Err(ClientError::NoAnswer(_))) {
            // It may have ended in the middle, and then it serves nothing any more.
            answer = ask(&folder, &name, method.clone(), path).await;
        }
        match answer {
            Ok(answer) => answers.push(answer),
            Err(ClientError::NotRunning(error)) => nobody = error,
            Err(error) => return Err(error),
        }
    }
    if answers.is_empty() { Err(ClientError::NotRunning(nobody)) } else { Ok(answers) }
}

async fn ask<T: DeserializeOwned>(
    folder: &Folder,
    name: &str,
    method: Method,
    path: &'static str,
) -> Result<T, ClientError> {
    tokio::time::timeout(TIMEOUT, ask_patiently(folder, name, method, path))
        .await
        .unwrap_or_else(|_| Err(ClientError::NoAnswer(format!("nothing came within {} s", TIMEOUT.as_secs()))))
}

async fn ask_patiently<T: DeserializeOwned>(
    folder: &Folder,
    name: &str,
    method: Method,
    path: &'static str,
) -> Result<T, ClientError> {
    let broken = |error: hyper::Error| ClientError::NoAnswer(error.to_string());
    let socket = UnixStream::connect(folder.short(name)).await.map_err(ClientError::NotRunning)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(socket)).await.map_err(broken)?;
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(path);
    request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("proxy"));
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|e| ClientError::NoAnswer(e.to_string()))?.to_bytes();
        let unreadable = |e: serde_json::Error| ClientError::NoAnswer(e.to_string());
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(unreadable),
            StatusCode::UNPROCESSABLE_ENTITY => {
                let refused: Refused = serde_json::from_slice(&body).map_err(unreadable)?;
                Err(ClientError::Refused(refused.error))
            }
            other => Err(ClientError::NoAnswer(format!("it says {other}"))),
        }
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        result = connection => match result {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}
