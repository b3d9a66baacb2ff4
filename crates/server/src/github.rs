//! Where GitHub tells of changes: a loopback port of its own, behind the proxy, on which nothing else is served. A
//! delivery is checked by its signature before a byte of it is understood, written down, and answered; what it asks for
//! is done afterwards.

use std::{sync::Arc, time::Duration};

use ambit_app::{Ambit, Delivery};
use ambit_domain::{Failure, spec::ProjectName};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use hmac::{Hmac, Mac};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
    task::JoinHandle,
};

use crate::payload::{self, Payload};

/// GitHub sends no more ("Webhook events and payloads", payload cap).
const MOST: usize = 25 << 20;
/// Within this a body has to be here.
const PATIENCE: Duration = Duration::from_secs(10);
/// Deliveries whose bodies are held at once.
const AT_ONCE: usize = 8;

/// The listener, there as long as some project has a webhook.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Option<(u16, JoinHandle<()>)>>);

struct Hooks {
    ambit: Arc<Ambit>,
    places: Semaphore,
}

impl Listener {
    /// Starts or ends it as the record says.
    pub(crate) async fn adjust(&self, ambit: &Arc<Ambit>) -> Result<(), Failure> {
        let mut held = self.0.lock().await;
        let wanted = ambit.webhook_port()?;
        if held.as_ref().is_some_and(|(at, task)| Some(*at) == wanted && !task.is_finished()) {
            return Ok(());
        }
        if let Some((_, task)) = held.take() {
            task.abort();
            // Its port is free once it is gone.
            let _ = task.await;
        }
        let Some(mut port) = wanted else { return Ok(()) };
        let listener = match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, port, "the port of the webhooks is taken; another is chosen");
                let Some(other) = ambit.move_webhook_port().await? else { return Ok(()) };
                port = other;
                TcpListener::bind(("127.0.0.1", port)).await.map_err(|e| {
                    Failure::new(ambit_domain::FailureKind::Machine, format!("nothing can listen on port {port}"))
                        .because(e.to_string())
                })?
            }
        };
        let routes = routes(Arc::clone(ambit));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "webhooks are not listened to any more");
            }
        });
        *held = Some((port, task));
        Ok(())
    }

    /// Ends it.
    pub(crate) async fn end(&self) {
        if let Some((_, task)) = self.0.lock().await.take() {
            task.abort();
        }
    }
}

fn routes(ambit: Arc<Ambit>) -> Router {
    // The proxy takes the path of the route away.
    Router::new().route("/", post(delivered)).with_state(Arc::new(Hooks { ambit, places: Semaphore::new(AT_ONCE) }))
}

async fn delivered(State(hooks): State<Arc<Hooks>>, headers: HeaderMap, body: Body) -> Response {
    let json = text(&headers, header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json")));
    if !json {
        return said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json is expected");
    }
    let Ok(_place) = hooks.places.try_acquire() else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "too many at once");
    };
    let body = match tokio::time::timeout(PATIENCE, whole(body)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => return said(StatusCode::PAYLOAD_TOO_LARGE, "it is too large"),
        Ok(Err(_)) => return said(StatusCode::BAD_REQUEST, "it broke off"),
        Err(_) => return said(StatusCode::REQUEST_TIMEOUT, "it took too long"),
    };
    match checked(&hooks.ambit, &headers, &body) {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::error!(causes = ?failure.causes, "a delivery could not be taken: {failure}");
            said(StatusCode::INTERNAL_SERVER_ERROR, "it could not be written down")
        }
    }
}

/// The whole body; `None` where it is too large. Somewhat more than the limit is read and forgotten, so that the sender comes
/// to read the answer.
async fn whole(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut held = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length > 2 * MOST {
            break;
        }
        if length > MOST {
            held = Vec::new();
        } else {
            held.extend_from_slice(&data);
        }
    }
    Ok((length <= MOST).then(|| Bytes::from(held)))
}

fn checked(ambit: &Ambit, headers: &HeaderMap, body: &Bytes) -> Result<Response, Failure> {
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let webhook = ambit.webhook_at(host)?;
    // Without a webhook there the same work is done, with a key that nobody has.
    let secret = webhook.as_ref().map_or("", |(_, _, secret)| secret);
    let signed = is_signed(secret, text(headers, "x-hub-signature-256"), body);
    let Some((project, repository, _)) = webhook.filter(|_| signed) else {
        tracing::debug!("a delivery without a right signature was refused");
        return Ok(said(StatusCode::UNAUTHORIZED, "the signature is missing or wrong"));
    };
    let id = text(headers, "x-github-delivery").filter(|id| is_id(id));
    let event = text(headers, "x-github-event").filter(|e| (1..=100).contains(&e.len()));
    let (Some(id), Some(event)) = (id, event) else {
        return Ok(said(StatusCode::BAD_REQUEST, "its event or its id is missing"));
    };
    let Ok(payload) = serde_json::from_slice::<Payload>(body) else {
        return Ok(said(StatusCode::BAD_REQUEST, "it is not the JSON of an event"));
    };
    if payload.repository().is_some_and(|name| !name.eq_ignore_ascii_case(&repository)) {
        return Ok(said(StatusCode::FORBIDDEN, "it tells of another repository"));
    }
    taken(ambit, &project, id, &payload::read(event, &payload), body)
}

fn taken(
    ambit: &Ambit,
    project: &ProjectName,
    id: &str,
    read: &payload::Read,
    body: &Bytes,
) -> Result<Response, Failure> {
    let digest = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
    let delivery = Delivery { id: id.to_owned(), digest, told: read.told().cloned() };
    if !ambit.take_delivery(project, &delivery)? {
        return Ok(said(StatusCode::OK, "already"));
    }
    Ok(match read {
        payload::Read::Told(_) => said(StatusCode::ACCEPTED, "queued"),
        payload::Read::Ignored(why) => said(StatusCode::OK, why),
    })
}

/// `sha256=` and 64 hex digits of HMAC-SHA256 over the body, compared in constant time ("Validating webhook deliveries").
fn is_signed(secret: &str, signature: Option<&str>, body: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    let given = signature.and_then(|s| s.strip_prefix("sha256=")).and_then(hex);
    // Whatever was given is compared: a missing signature costs as much as a wrong one.
    let right = mac.verify_slice(&given.unwrap_or([0; 32])).is_ok();
    right && given.is_some() && !secret.is_empty()
}

/// The bytes that 64 hex digits stand for.
pub(crate) fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |n: usize| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok();
    let mut bytes = [0; 32];
    for (n, place) in bytes.iter_mut().enumerate() {
        *place = byte(n)?;
    }
    Some(bytes)
}

fn is_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// A header that stands there once.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn said(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_githubs_documentation_is_signed_rightly_and_nothing_beside_it() {
        // "Validating webhook deliveries", "Testing the webhook payload validation".
        let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!");
        let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed(secret, Some(right), body));
        assert!(is_signed(secret, Some(&format!("sha256={}", right[7..].to_uppercase())), body));
        let wrong = [
            None,
            Some(""),
            Some("sha256="),
            Some(&right[7..]),
            Some(&right[..70]),
            Some("sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"),
            Some("sha256=0000000000000000000000000000000000000000000000000000000000000000"),
            Some("sha256=é57107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1"),
        ];
        for signature in wrong {
            assert!(!is_signed(secret, signature, body), "{signature:?}");
        }
        assert!(!is_signed(secret, Some(right), b"Hello, World?"));
        assert!(!is_signed("", Some("sha256=0000000000000000000000000000000000000000000000000000000000000000"), body));
    }
}
