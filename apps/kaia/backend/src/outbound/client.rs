//! The HTTP client. It is made when something is first sent: an instance that sends nothing reads no certificates.

use std::{sync::OnceLock, time::Duration};

use axum::{
    body::Bytes,
    http::{Request, StatusCode},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// No answer that is read here is larger.
const LARGEST: usize = 1 << 20;

#[derive(Default)]
pub struct Client(OnceLock<Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>>);

impl Client {
    /// What was answered. Errors hold neither body nor headers: there are keys in them.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let sent = async {
            let response = self.hyper()?.request(request).await.map_err(|e| format!("{e}"))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST).collect().await.map_err(|e| e.to_string())?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, sent).await.map_err(|_| "no answer in time".to_owned())?
    }

    fn hyper(&self) -> Result<&Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let builder = HttpsConnectorBuilder::new().with_native_roots().map_err(|e| e.to_string())?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        Ok(self.0.get_or_init(|| {
            Hyper::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector)
        }))
    }
}
