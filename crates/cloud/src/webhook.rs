//! Signed calls of a URL, as [Standard Webhooks](https://www.standardwebhooks.com) has them, so that receivers can use
//! its libraries: `webhook-id` is the same in every attempt, `webhook-timestamp` the seconds of this one, and
//! `webhook-signature` holds `v1,` and the base64 of the HMAC-SHA256 of `ID.TIMESTAMP.BODY`. The key is the base64 after
//! `whsec_` in the secret.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use hyper::{HeaderMap, StatusCode, Uri, header::HeaderValue};
use sha2::Sha256;

use crate::{http::Http, outcome::SendError};

/// Where to call and how to sign.
pub struct Webhook<'a> {
    /// The URL; may be a secret.
    pub url: &'a str,
    /// The secret that calls are signed by.
    pub secret: &'a str,
}

/// Calls with a JSON body. `id` tells the receiver what it has had already.
pub async fn send(http: &Http, webhook: &Webhook<'_>, id: &str, body: String) -> Result<(), SendError> {
    let to: Option<Uri> = webhook.url.trim().parse().ok();
    let to = to.filter(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some());
    let Some(to) = to else {
        return Err(SendError::later("this is not an http:// or https:// URL"));
    };
    let Some(key) = key(webhook.secret) else {
        return Err(SendError::later("the signing secret is not base64; `ambit secret set … --generate` makes one"));
    };
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let signature = sign(&key, id, seconds, body.as_bytes());
    let mut headers = HeaderMap::new();
    let named = [("webhook-id", id), ("webhook-timestamp", &seconds.to_string()), ("webhook-signature", &signature)];
    for (name, value) in named {
        let value = HeaderValue::from_str(value).map_err(|_| SendError::refused("the message's id is no header"))?;
        headers.insert(name, value);
    }
    let answer = http.post(&to, headers, body.into_bytes()).await;
    let answer = answer.map_err(|e| SendError::later(format!("the receiver cannot be reached: {e}")))?;
    // What the receiver says in words may repeat its URL, which may be a secret.
    let why = format!("the receiver answered {}", answer.status.as_u16());
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::refused(why)),
        _ => Err(SendError::Later { why, after: answer.retry_after }),
    }
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let text = secret.trim();
    STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok().filter(|key| !key.is_empty())
}

/// The signature of a body, as its header has it.
fn sign(key: &[u8], id: &str, seconds: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_generated_secret_is_a_key() {
        assert_eq!(key(&"x9Kd".repeat(12)).map(|k| k.len()), Some(36));
        assert!(key("not base64!").is_none() && key("").is_none() && key("whsec_").is_none());
    }
}
