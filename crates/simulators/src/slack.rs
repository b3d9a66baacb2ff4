//! Slack's incoming webhooks: the path is the secret, the body is checked against the published schema.

use std::{ops::Deref, sync::Arc};

use hyper::header;

use crate::http::HttpServer;

const PATH: &str = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";

/// A workspace with one incoming webhook.
pub struct Slack(HttpServer);

impl Deref for Slack {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.0
    }
}

impl Slack {
    /// Starts. `schema` is the text of the published schema; without it only the rules that the notes name are checked.
    pub async fn start(schema: Option<&str>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let schema = schema.map(|text| jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap());
        let check = move |request: &crate::http::Request| {
            if request.path != PATH {
                return Err((404, "no_service".into()));
            }
            let json = request
                .headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|v| v.as_bytes().starts_with(b"application/json"));
            let body: serde_json::Value = match serde_json::from_slice(&request.body) {
                Ok(body) if json => body,
                _ => return Err((400, "invalid_payload".into())),
            };
            if body["text"].as_str().is_none_or(str::is_empty) {
                return Err((400, "no_text".into()));
            }
            if schema.as_ref().is_some_and(|schema| !schema.is_valid(&body)) {
                return Err((400, "invalid_blocks".into()));
            }
            Ok("ok".into())
        };
        Self(HttpServer::start(tls, check).await)
    }

    /// The webhook's URL.
    #[must_use]
    pub fn webhook(&self) -> String {
        self.0.url(PATH)
    }

    /// The texts that were posted.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.accepted().iter().map(|r| r.json()["text"].as_str().unwrap().to_owned()).collect()
    }
}
