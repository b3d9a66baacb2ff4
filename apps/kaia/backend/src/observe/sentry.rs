//! Sentry: failures, and traces of a sample of requests. Neither holds anything of a person's: route, status and the id of the
//! request, by which the log tells more.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode},
};
use http_body_util::Full;
use sentry::{
    Client as Sender, ClientOptions, Envelope, Hub, Scope, TransactionContext, Transport,
    protocol::{Event, LogEntry, SpanStatus},
    types::Dsn,
};
use tokio::sync::{Mutex, mpsc};

use crate::{
    config::{self, Config},
    outbound::client::Client,
};

/// So many failures and so many traces may wait; they wait apart, so that traces never crowd a failure out.
const FAILURES: usize = 256;
const TRACES: usize = 2048;
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) struct Reporter {
    hub: Arc<Hub>,
    carrier: Mutex<Option<tokio::task::JoinHandle<()>>>,
    stop: Arc<tokio::sync::Notify>,
}

struct Queue {
    failures: mpsc::Sender<Envelope>,
    traces: mpsc::Sender<Envelope>,
}

impl Transport for Queue {
    fn send_envelope(&self, envelope: Envelope) {
        // Nobody waits for Sentry: what is too much is lost.
        let queue = if envelope.event().is_some() { &self.failures } else { &self.traces };
        let _ = queue.try_send(envelope);
    }
}

impl Reporter {
    pub(super) fn new(settings: &config::Sentry, config: &Config, client: Arc<Client>) -> Self {
        let ((failures, failed), (traces, traced)) = (mpsc::channel(FAILURES), mpsc::channel(TRACES));
        let options = ClientOptions::new()
            .dsn(&settings.dsn.to_string())
            .environment(settings.environment.clone())
            .release(format!("kaia-backend@{}+{}", env!("CARGO_PKG_VERSION"), config.release))
            .traces_sample_rate(settings.sample_rate)
            .default_integrations(false)
            .server_name(config.environment.clone())
            .transport(Arc::new(Queue { failures, traces }));
        let hub = Arc::new(Hub::new(Some(Arc::new(Sender::from(options))), Arc::new(Scope::default())));
        let stop = Arc::new(tokio::sync::Notify::new());
        let carrier = tokio::spawn(carry(settings.dsn.clone(), client, failed, traced, Arc::clone(&stop)));
        Self { hub, carrier: Mutex::new(Some(carrier)), stop }
    }

    pub(super) fn report(&self, id: &str, method: &Method, route: &str, status: StatusCode, cause: &str) {
        let what = if cause.is_empty() { format!("{method} {route}: {status}") } else { cause.to_owned() };
        let mut event = Event {
            logentry: Some(LogEntry { message: what, params: Vec::new() }),
            level: sentry::Level::Error,
            transaction: Some(format!("{method} {route}")),
            ..Event::default()
        };
        event.tags.insert("request_id".into(), id.into());
        event.tags.insert("status".into(), status.as_u16().to_string());
        self.hub.capture_event(event);
    }

    pub(super) fn trace(&self, id: &str, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let context = TransactionContext::new(&format!("{method} {route}"), "http.server");
        // The method of the hub with a time asks the thread's hub and not itself.
        let begin = || sentry::start_transaction_with_timestamp(context, SystemTime::now() - took);
        let transaction = Hub::run(Arc::clone(&self.hub), begin);
        transaction.set_tag("request_id", id);
        transaction.set_tag("status", status.as_u16());
        let fine = !status.is_server_error();
        transaction.set_status(if fine { SpanStatus::Ok } else { SpanStatus::InternalError });
        transaction.finish();
    }

    pub(super) async fn finish(&self) {
        self.stop.notify_one();
        if let Some(carrier) = self.carrier.lock().await.take() {
            let _ = tokio::time::timeout(LAST_WORDS, carrier).await;
        }
    }
}

async fn carry(
    dsn: Dsn,
    client: Arc<Client>,
    mut failed: mpsc::Receiver<Envelope>,
    mut traced: mpsc::Receiver<Envelope>,
    stop: Arc<tokio::sync::Notify>,
) {
    let authorization = dsn.to_auth(Some("kaia-backend")).to_string();
    let mut stopping = false;
    loop {
        let envelope = if stopping {
            failed.try_recv().or_else(|_| traced.try_recv()).ok()
        } else {
            tokio::select! {
                biased;
                () = stop.notified() => {
                    stopping = true;
                    continue;
                }
                envelope = failed.recv() => envelope,
                envelope = traced.recv() => envelope,
            }
        };
        let Some(envelope) = envelope else { return };
        let mut body = Vec::new();
        if envelope.to_writer(&mut body).is_err() {
            continue;
        }
        let request = Request::post(dsn.envelope_api_url().to_string())
            .header("content-type", "application/x-sentry-envelope")
            .header("x-sentry-auth", &authorization)
            .body(Full::new(Bytes::from(body)));
        let Ok(request) = request else { continue };
        match client.send(request).await {
            Ok((StatusCode::TOO_MANY_REQUESTS, _)) => {
                // It says for how long; a minute is what it means where it does not.
                while failed.try_recv().or_else(|_| traced.try_recv()).is_ok() {}
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(60)) => {}
                    () = stop.notified() => return,
                }
            }
            Ok((status, _)) if !status.is_success() => tracing::warn!(%status, "Sentry refused a report"),
            Ok(_) => {}
            Err(why) => tracing::warn!(why, "Sentry does not answer"),
        }
    }
}
