//! One request from its first to its last moment: its id, its line in the log, its trace, its report where it failed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::{Cause, Problem};
use crate::{Kaia, observe::apm::Trace, random_hex};

pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing that a client waits for takes longer.
const LONGEST: Duration = Duration::from_secs(30);

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// The id of the request that this task works on.
pub fn id() -> String {
    CURRENT.try_with(ToString::to_string).unwrap_or_default()
}

pub async fn follow(State(kaia): State<Arc<Kaia>>, mut request: Request, next: Next) -> Response {
    let id = given(&request).unwrap_or_else(|| random_hex::<16>().into());
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let trace = Trace::begin(&kaia.observe, request.headers());
    request.extensions_mut().insert(trace.clone());

    let answered = CURRENT.scope(Arc::clone(&id), async {
        match tokio::time::timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::Unavailable("it took too long".into()).into_response(),
        }
    });
    let mut response = answered.await;

    let (status, took) = (response.status(), start.elapsed());
    let milliseconds = took.as_secs_f64() * 1000.0;
    // Neither query nor body nor token: what people write is nobody's business.
    if status.is_server_error() {
        let cause = response.extensions_mut().remove::<Cause>().map(|c| c.0).unwrap_or_default();
        tracing::error!(request_id = %id, %method, route, status = status.as_u16(), milliseconds, cause, "failed");
        kaia.observe.report(&id, &method, &route, status, &cause);
    } else {
        tracing::info!(request_id = %id, %method, route, status = status.as_u16(), milliseconds, "answered");
    }
    trace.end(&kaia.observe, &id, &method, &route, status, took);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response
}

/// An id that came with the request, where it looks like one.
fn given(request: &Request) -> Option<Arc<str>> {
    let text = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (plain && (8..=64).contains(&text.len())).then(|| text.into())
}
