//! From the first connection to the last.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{Kaia, cleaning, config::Config, events::reminders, observe, routes};

/// Requests that are under way when the process is told to end have so long.
const DRAIN: Duration = Duration::from_secs(25);
/// Messages that wait then have so long.
const LAST_POST: Duration = Duration::from_secs(5);

pub async fn run(config: Config) -> Result<(), Box<dyn Error + Send + Sync>> {
    observe::log::begin(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let listener = TcpListener::bind((config.host.as_str(), config.port)).await?;
    let address = listener.local_addr()?;
    let (kaia, postman) = Kaia::new(config);
    let observe = Arc::clone(&kaia.observe);
    let postman = tokio::spawn(postman.run());
    let background = [tokio::spawn(reminders::run(Arc::clone(&kaia))), tokio::spawn(cleaning::run(Arc::clone(&kaia)))];
    let service = routes::all(kaia).into_make_service_with_connect_info::<SocketAddr>();
    let stopping = Arc::new(Notify::new());
    let told = {
        let stopping = Arc::clone(&stopping);
        async move {
            stop().await;
            tracing::info!("told to end: requests under way are finished");
            stopping.notify_one();
        }
    };
    tracing::info!(%address, "listening");
    let listener = listener.tap_io(|stream| {
        // What cannot be set only makes small answers slower.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(told);
    tokio::select! {
        ended = async { serving.await } => ended?,
        () = async { stopping.notified().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some requests were not finished in time");
        }
    }
    for task in background {
        task.abort();
        let _ = task.await;
    }
    if tokio::time::timeout(LAST_POST, postman).await.is_err() {
        tracing::warn!("some messages were not sent in time");
    }
    observe.finish().await;
    Ok(())
}

async fn stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
