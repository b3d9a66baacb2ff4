//! How an authority is reached: HTTPS only, within a time and a size, and with an ear for `Retry-After`, which the crate
//! that speaks ACME does not pass on.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// A chain is a few kilobytes.
const MOST: usize = 1 << 20;

/// What the last refusal said about when to come back.
#[derive(Clone, Default)]
pub(super) struct RetryAfter(Arc<Mutex<Option<Duration>>>);

impl RetryAfter {
    pub(super) fn take(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, after: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = after;
    }
}

pub(super) struct Https {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    retry_after: RetryAfter,
}

impl Https {
    /// Trusts the system's certificates, or only those in `roots`.
    pub(super) fn new(roots: Option<&str>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = HttpsConnectorBuilder::new();
        let builder = match roots {
            None => builder.with_provider_and_native_roots(provider).map_err(|e| e.to_string())?,
            Some(pem) => {
                let mut store = RootCertStore::empty();
                for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let root = root.map_err(|e| format!("{e:?}"))?;
                    store.add(root).map_err(|e| e.to_string())?;
                }
                if store.is_empty() {
                    return Err("there is no certificate among them".to_owned());
                }
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|e| e.to_string())?
                    .with_root_certificates(store)
                    .with_no_client_auth();
                builder.with_tls_config(config)
            }
        };
        let client = Client::builder(TokioExecutor::new()).build(builder.https_only().enable_http1().build());
        Ok(Self { client, retry_after: RetryAfter::default() })
    }

    pub(super) fn retry_after(&self) -> RetryAfter {
        self.retry_after.clone()
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (answer, retry_after) = (self.client.request(request), self.retry_after.clone());
        let other = |text: String| Error::Other(text.into());
        Box::pin(async move {
            retry_after.set(None);
            let whole = async {
                let (parts, body) = answer.await.map_err(|e| other(told(&e)))?.into_parts();
                let body = Limited::new(body, MOST).collect().await.map_err(|e| other(e.to_string()))?.to_bytes();
                Ok::<_, Error>((parts, body))
            };
            let (parts, body) = tokio::time::timeout(TIMEOUT, whole)
                .await
                .unwrap_or_else(|_| Err(other(format!("no answer within {} s", TIMEOUT.as_secs()))))?;
            if matches!(parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                let told = parts.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
                retry_after.set(told.and_then(crate::http::retry_after));
            }
            let problem = parts
                .headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|v| v.as_bytes().starts_with(b"application/problem+json"));
            if !parts.status.is_success() && !problem {
                return Err(other(format!("it says {}", parts.status)));
            }
            Ok(BytesResponse::from(Response::from_parts(parts, Full::new(body))))
        })
    }
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
