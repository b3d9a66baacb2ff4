//! Who this is and whether it works.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::Kaia;

/// This process.
#[derive(Serialize, ToSchema)]
pub struct About {
    service: &'static str,
    environment: String,
    version: &'static str,
    release: String,
    status: &'static str,
}

/// Who this is
#[utoipa::path(get, path = "/", tag = "health", responses((status = 200, description = "This process", body = About)))]
pub async fn about(State(kaia): State<Arc<Kaia>>) -> Json<About> {
    Json(About {
        service: "kaia-backend",
        environment: kaia.config.environment.clone(),
        version: env!("CARGO_PKG_VERSION"),
        release: kaia.config.release.clone(),
        status: "ok",
    })
}

/// Whether the process runs
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "It does", body = About)))]
pub async fn health(kaia: State<Arc<Kaia>>) -> Json<About> {
    about(kaia).await
}

/// What this process works with, as asked now.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    environment: String,
    database: bool,
    redis: bool,
    /// Where limits are counted: `redis`, `memory` while Redis is gone, or `off`.
    #[schema(example = "redis")]
    limits: &'static str,
}

/// Whether it can serve
///
/// Without its database it cannot. Without Redis it can: limits are counted in memory meanwhile, and `limits` says so.
#[utoipa::path(get, path = "/ready", tag = "health",
    responses(
        (status = 200, description = "It can", body = Ready),
        (status = 503, description = "It cannot", body = Ready),
    ))]
pub async fn ready(State(kaia): State<Arc<Kaia>>) -> (StatusCode, Json<Ready>) {
    let question = sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(&kaia.database);
    let (database, redis) = tokio::join!(timeout(Duration::from_secs(2), question), kaia.cache.answers());
    let database = matches!(database, Ok(Ok(_)));
    let limits = match (&kaia.config.limits, redis) {
        (None, _) => "off",
        (Some(_), true) => "redis",
        (Some(_), false) => "memory",
    };
    let status = if database { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { environment: kaia.config.environment.clone(), database, redis, limits }))
}
