//! Traces by OTLP over HTTP, in its JSON form (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): a span for
//! each request, and one for each part of it that waits for somebody. A trace that a client began (`traceparent`) is gone on
//! with. That is all of the protocol that is needed here, and spares us its code generator and its gRPC.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::Observe;
use crate::{
    config::{Apm, Config},
    outbound::client::Client,
    random_hex,
};

/// Spans that wait, and that go together.
const WAITING: usize = 4096;
const TOGETHER: usize = 512;
const EVERY: Duration = Duration::from_secs(1);
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) struct Exporter {
    spans: mpsc::Sender<Value>,
    stop: Arc<Notify>,
    carrier: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Exporter {
    pub(super) fn new(settings: &Apm, config: &Config, client: Arc<Client>) -> Self {
        let (spans, waiting) = mpsc::channel(WAITING);
        let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let resource = json!({ "attributes": [
            attribute("service.name", "kaia-backend"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
            attribute("deployment.environment.name", &config.environment),
            attribute("kaia.release", &config.release),
        ] });
        let url = format!("{}/v1/traces", settings.endpoint);
        let stop = Arc::new(Notify::new());
        let carrier = tokio::spawn(carry(url, resource, client, waiting, Arc::clone(&stop)));
        Self { spans, stop, carrier: tokio::sync::Mutex::new(Some(carrier)) }
    }

    pub(super) async fn finish(&self) {
        self.stop.notify_one();
        if let Some(carrier) = self.carrier.lock().await.take() {
            let _ = tokio::time::timeout(LAST_WORDS, carrier).await;
        }
    }
}

async fn carry(
    url: String,
    resource: Value,
    client: Arc<Client>,
    mut waiting: mpsc::Receiver<Value>,
    stop: Arc<Notify>,
) {
    let (mut spans, mut stopping, mut told) = (Vec::new(), false, false);
    while !stopping {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.notified() => stopping = true,
        }
        loop {
            while spans.len() < TOGETHER
                && let Ok(span) = waiting.try_recv()
            {
                spans.push(span);
            }
            if spans.is_empty() {
                break;
            }
            let scope = json!({ "scope": { "name": "kaia-backend" }, "spans": std::mem::take(&mut spans) });
            let body = json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [scope] }] });
            let request = Request::post(&url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body.to_string())));
            let Ok(request) = request else { return };
            let why = match client.send(request).await {
                Ok((status, _)) if status.is_success() => None,
                Ok((status, _)) => Some(status.to_string()),
                Err(why) => Some(why),
            };
            // Once, not for every second that a collector is away.
            if let Some(why) = &why
                && !told
            {
                tracing::warn!(why, "the collector of traces takes nothing: traces are lost");
            }
            told = why.is_some();
        }
    }
}

/// What a request did, and when.
#[derive(Clone)]
pub struct Trace(Option<Arc<Begun>>);

struct Begun {
    trace: String,
    span: String,
    parent: Option<String>,
    at: SystemTime,
    parts: Mutex<Vec<(&'static str, SystemTime, SystemTime)>>,
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

impl Trace {
    pub fn begin(observe: &Observe, headers: &HeaderMap) -> Self {
        if observe.apm.is_none() {
            return Self(None);
        }
        let (trace, parent) = match headers.get("traceparent").and_then(|v| v.to_str().ok()).and_then(parent) {
            Some((trace, parent)) => (trace, Some(parent)),
            None => (random_hex::<16>(), None),
        };
        let begun = Begun { trace, span: random_hex::<8>(), parent, at: SystemTime::now(), parts: Mutex::default() };
        Self(Some(Arc::new(begun)))
    }

    /// A part that waits for somebody.
    pub async fn part<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let Some(begun) = &self.0 else { return work.await };
        let start = SystemTime::now();
        let done = work.await;
        begun.parts.lock().unwrap_or_else(PoisonError::into_inner).push((name, start, SystemTime::now()));
        done
    }

    pub fn end(self, observe: &Observe, id: &str, method: &Method, route: &str, status: StatusCode, took: Duration) {
        if let Some(sentry) = &observe.sentry {
            sentry.trace(id, method, route, status, took);
        }
        let (Some(apm), Some(begun)) = (&observe.apm, self.0) else { return };
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let failed = status.is_server_error();
        let mut span = json!({
            "traceId": begun.trace,
            "spanId": begun.span,
            "name": format!("{method} {route}"),
            "kind": 2,
            "startTimeUnixNano": nanoseconds(begun.at),
            "endTimeUnixNano": nanoseconds(begun.at + took),
            "attributes": [
                text("http.request.method", method.as_str()),
                text("http.route", route),
                text("kaia.request_id", id),
                { "key": "http.response.status_code", "value": { "intValue": status.as_u16().to_string() } },
            ],
            "status": { "code": if failed { 2 } else { 0 } },
        });
        if let Some(parent) = &begun.parent {
            span["parentSpanId"] = json!(parent);
        }
        // Nobody waits for a collector: what is too much is lost.
        let _ = apm.spans.try_send(span);
        for (name, start, end) in begun.parts.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = apm.spans.try_send(json!({
                "traceId": begun.trace,
                "spanId": random_hex::<8>(),
                "parentSpanId": begun.span,
                "name": name,
                "kind": 3,
                "startTimeUnixNano": nanoseconds(start),
                "endTimeUnixNano": nanoseconds(end),
                "status": {},
            }));
        }
    }
}

/// `00-TRACE-SPAN-FLAGS`.
fn parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex =
        |s: &str, length| s.len() == length && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let named = |s: &str| s.bytes().any(|b| b != b'0');
    let fine = hex(version, 2) && version != "ff" && hex(trace, 32) && named(trace) && hex(span, 16) && named(span);
    fine.then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_trace_is_gone_on_with_where_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(super::parent(good).is_some());
        for wrong in
            ["", "00", "00-0-0-0", &good.to_uppercase(), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
        {
            assert!(super::parent(wrong).is_none(), "{wrong}");
        }
    }
}
