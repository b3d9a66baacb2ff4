//! Who this is and whether it works.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::Kaia;

pub async fn about(State(kaia): State<Arc<Kaia>>) -> Json<Value> {
    Json(json!({
        "service": "kaia-backend",
        "environment": kaia.config.environment,
        "version": env!("CARGO_PKG_VERSION"),
        "release": kaia.config.release,
    }))
}

/// The process.
pub async fn health(kaia: State<Arc<Kaia>>) -> Json<Value> {
    let Json(mut about) = about(kaia).await;
    about["status"] = json!("ok");
    Json(about)
}

/// The process with its database and its cache, both asked now.
pub async fn ready(State(kaia): State<Arc<Kaia>>) -> (StatusCode, Json<Value>) {
    let limit = Duration::from_secs(2);
    let mut cache = kaia.cache.clone();
    let ping = redis::cmd("PING");
    let (database, cache) = tokio::join!(
        timeout(limit, sqlx::query("SELECT 1").execute(&kaia.database)),
        timeout(limit, ping.query_async::<String>(&mut cache)),
    );
    let database = matches!(database, Ok(Ok(_)));
    let cache = matches!(cache, Ok(Ok(_)));
    let status = if database && cache { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "environment": kaia.config.environment, "database": database, "redis": cache });
    (status, Json(body))
}
