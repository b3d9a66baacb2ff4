//! Kaia's backend: accounts and events. `kaia-backend` serves, `kaia-backend migrate` brings the database up to date,
//! `kaia-backend seed` fills a new one for development.

mod accounts;
mod config;
mod error;
mod events;
mod health;
mod seed;
#[cfg(test)]
mod tests;
mod tokens;

use std::{process::ExitCode, sync::Arc};

use axum::{Router, http::{HeaderValue, Method, header}, routing::{get, post}};
use config::Config;
use redis::aio::ConnectionManager;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What every request works with.
pub struct Kaia {
    pub config: Config,
    pub database: PgPool,
    pub cache: ConnectionManager,
    /// Password hashing is heavy: so many at a time.
    pub hashing: tokio::sync::Semaphore,
}

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_environment()?;
    let database = PgPoolOptions::new().max_connections(10).connect_lazy(&config.database_url)?;
    match std::env::args().nth(1).as_deref() {
        None => serve(config, database).await,
        Some("migrate") => Ok(MIGRATIONS.run(&database).await?),
        Some("seed") => seed::run(&database).await,
        Some(other) => Err(format!("unknown command `{other}`: migrate, seed, or none to serve").into()),
    }
}

async fn serve(config: Config, database: PgPool) -> Result<(), Box<dyn std::error::Error>> {
    let cache = redis::Client::open(config.redis_url.as_str())?.get_connection_manager().await?;
    let address = (config.host.clone(), config.port);
    let routes = routes(Kaia { config, database, cache, hashing: tokio::sync::Semaphore::new(2) });
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, routes).with_graceful_shutdown(stop()).await?;
    Ok(())
}

fn routes(kaia: Kaia) -> Router {
    let origins: Vec<HeaderValue> = kaia.config.cors_origins.iter().filter_map(|o| o.parse().ok()).collect();
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    Router::new()
        .route("/", get(health::about))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/auth/register", post(accounts::register))
        .route("/auth/login", post(accounts::login))
        .route("/me", get(accounts::me))
        .route("/events", get(events::list).post(events::create))
        .route("/events/{id}", get(events::show).patch(events::change).delete(events::delete))
        .layer(axum::extract::DefaultBodyLimit::max(64 * 1024))
        .layer(cors)
        .with_state(Arc::new(kaia))
}

async fn stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
