//! One HTTP request, over TLS with the roots that the machine trusts (or SSL_CERT_FILE). Follows no redirect, so that a
//! signed or secret request goes nowhere else; reads no more of an answer than is of use.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri, body::Incoming, header, http::response::Parts};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// How long a request may take as a whole.
const LIMIT: Duration = Duration::from_secs(20);
/// How much of an answer is read where only its beginning is of use.
const MOST: usize = 4096;
/// How much of a list is read.
const LONGEST: usize = 64 << 20;

/// Why there was no answer. Names no URL: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The machine trusts nobody.
    #[error("there are no root certificates on this machine (apt-get install ca-certificates)")]
    NoRoots,
    /// It took too long.
    #[error("no answer within {} s", LIMIT.as_secs())]
    TimedOut,
    /// The request cannot be written.
    #[error("this is no request that can be sent")]
    Malformed,
    /// The connection failed or broke off.
    #[error("{0}")]
    Connection(String),
}

/// The client. Cheap enough to be made for each message, so that it keeps no connection and no certificates.
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long to wait before asking again, where it says so.
    pub retry_after: Option<Duration>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as text.
    pub body: String,
}

impl Http {
    /// A client that trusts whom the machine trusts.
    pub fn new() -> Result<Self, HttpError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(LIMIT / 2));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| HttpError::NoRoots)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client })
    }

    /// Posts JSON. An answer that is too long or breaks off changes nothing: its status has been said.
    pub(crate) async fn post(&self, to: &Uri, headers: HeaderMap, json: Vec<u8>) -> Result<Answer, HttpError> {
        let (head, body) = self.send(Method::POST, to, headers, Some(json), MOST).await?;
        Ok(answer(head, body.unwrap_or_default()))
    }

    /// Any request with a JSON body or none, whose whole answer counts: one that is cut off is none.
    pub async fn call(
        &self,
        method: Method,
        to: &Uri,
        headers: HeaderMap,
        json: Option<Vec<u8>>,
    ) -> Result<Answer, HttpError> {
        let (head, body) = self.send(method, to, headers, json, LONGEST).await?;
        Ok(answer(head, body?))
    }

    /// Asks for something whose body is read piece by piece.
    pub(crate) async fn open(&self, to: &Uri) -> Result<Response<Incoming>, HttpError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = to.clone();
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static("ambit"));
        let answered = tokio::time::timeout(LIMIT, self.client.request(request)).await;
        answered.map_err(|_| HttpError::TimedOut)?.map_err(|e| HttpError::Connection(innermost(&e)))
    }

    /// Sends a request and reads at most so much of what is answered; the body may have been cut off.
    async fn send(
        &self,
        method: Method,
        to: &Uri,
        headers: HeaderMap,
        json: Option<Vec<u8>>,
        most: usize,
    ) -> Result<(Parts, Result<String, HttpError>), HttpError> {
        let json_type = json.is_some().then_some((header::CONTENT_TYPE, "application/json"));
        let mut request = Request::new(Full::new(Bytes::from(json.unwrap_or_default())));
        *request.method_mut() = method;
        *request.uri_mut() = to.clone();
        *request.headers_mut() = headers;
        let known = json_type.into_iter().chain([(header::USER_AGENT, "ambit")]);
        request.headers_mut().extend(known.map(|(name, value)| (name, header::HeaderValue::from_static(value))));
        let answered = async {
            let answer = self.client.request(request).await.map_err(|e| HttpError::Connection(innermost(&e)))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, most).collect().await;
            let body = body
                .map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned())
                .map_err(|e| HttpError::Connection(innermost(e.as_ref())));
            Ok((head, body))
        };
        tokio::time::timeout(LIMIT, answered).await.map_err(|_| HttpError::TimedOut)?
    }
}

fn answer(head: Parts, body: String) -> Answer {
    let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|v| retry_after(v.to_str().ok()?));
    Answer { status: head.status, retry_after, headers: head.headers, body }
}

/// The cause that says what happened; those around it say only that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// RFC 9110, section 10.2.3: a number of seconds or a date.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

/// An address that may be called: over TLS, or on this machine.
pub(crate) fn private(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim().parse().ok()?;
    let host = uri.host()?;
    match uri.scheme_str()? {
        "https" => Some(uri),
        "http" if is_loopback(host) => Some(uri),
        _ => None,
    }
}

/// Whether a host's name stands for this machine whatever a name server says.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        assert_eq!(retry_after("30"), Some(Duration::from_secs(30)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(retry_after(&date).is_some_and(|d| (90..=100).contains(&d.as_secs())));
        for odd in ["", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(retry_after(odd), None, "{odd}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for fine in
            ["https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:9/x", "http://[::1]/", "http://LOCALHOST/"]
        {
            assert!(private(fine).is_some(), "{fine}");
        }
        for bad in [
            "http://hooks.slack.com/x",
            "ftp://127.0.0.1/",
            "/x",
            "",
            "http://localhost.example.org/",
            "http://127.0.0.1@evil.example/",
        ] {
            assert!(private(bad).is_none(), "{bad}");
        }
    }
}
