//! A receiver of signed webhooks, written by the specification (www.standardwebhooks.com) and not by the sender's code.

use std::{
    ops::Deref,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::http::{HttpServer, Request};

/// Older signatures are refused.
const TOLERANCE: u64 = 5 * 60;

/// A receiver that answers 401 to what is not signed by its secret.
pub struct Webhook(HttpServer);

impl Deref for Webhook {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.0
    }
}

impl Webhook {
    /// Starts. `secret` is the base64 of the key, perhaps after `whsec_`.
    pub async fn start(secret: &str) -> Self {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).unwrap();
        Self(
            HttpServer::start(None, move |request| {
                verify(&key, request).map(|()| "".into()).map_err(|why| (401, why.into()))
            })
            .await,
        )
    }

    /// The ids of what was received, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.0.accepted().iter().map(|r| r.headers["webhook-id"].to_str().unwrap().to_owned()).collect()
    }
}

fn verify(key: &[u8], request: &Request) -> Result<(), &'static str> {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
    let id = header("webhook-id").ok_or("no id")?;
    let timestamp = header("webhook-timestamp").ok_or("no timestamp")?;
    let seconds: u64 = timestamp.parse().map_err(|_| "no timestamp")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if now.abs_diff(seconds) > TOLERANCE {
        return Err("too old");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body] {
        mac.update(part);
    }
    let signatures = header("webhook-signature").ok_or("no signature")?;
    let signed = signatures
        .split(' ')
        .filter_map(|s| s.strip_prefix("v1,"))
        .any(|s| STANDARD.decode(s).is_ok_and(|given| mac.clone().verify_slice(&given).is_ok()));
    if signed { Ok(()) } else { Err("wrong signature") }
}
