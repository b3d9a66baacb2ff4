//! The dashboard and the HTTP API: a loopback port of their own, which the proxy leads to where a host was named for it.
//!
//! It decides nothing: who somebody is and what they may is said by the application, and every request becomes one call
//! of it. Pages work without a script; with it they follow what happens.

mod api;
mod assets;
mod challenge;
mod chart;
mod endpoint;
mod forms;
mod guard;
mod input;
mod lang;
mod limit;
mod listen;
mod live;
mod logs;
mod openapi;
mod operations;
mod page;
mod pages;
mod parts;
mod passkeys;
mod perform;
mod sign_in;
mod slow;
mod works;

pub(crate) use api::BASE;

use std::sync::Arc;

use ambit_app::Ambit;
use ambit_domain::{Failure, FailureKind};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

/// No request is longer.
const LONGEST: usize = 64 << 10;

/// What its handlers share.
pub(crate) struct Face {
    ambit: Arc<Ambit>,
    limit: limit::Limit,
    live: live::Live,
    challenges: challenge::Challenges,
    works: works::Works,
}

/// The listener.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Option<(u16, JoinHandle<()>)>>);

impl Listener {
    /// Starts it, or moves it to where the record says.
    pub(crate) async fn adjust(&self, ambit: &Arc<Ambit>) -> Result<(), Failure> {
        let mut held = self.0.lock().await;
        let mut port = ambit.dashboard()?.port;
        if held.as_ref().is_some_and(|(at, task)| *at == port && !task.is_finished()) {
            return Ok(());
        }
        let bound = |port| TcpListener::bind(("127.0.0.1", port));
        let listener = match bound(port).await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, port, "the port of the dashboard is taken; another is chosen");
                port = ambit.move_dashboard().await?.port;
                bound(port).await.map_err(|e| {
                    Failure::new(FailureKind::Machine, format!("nothing can listen on port {port}"))
                        .because(e.to_string())
                })?
            }
        };
        if let Some((_, task)) = held.take() {
            task.abort();
        }
        let routes = routes(Arc::clone(ambit));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listen::Port::new(listener), routes).await {
                tracing::error!(%error, "the dashboard is not served any more");
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

pub(crate) fn routes(ambit: Arc<Ambit>) -> Router {
    let face = Arc::new(Face {
        ambit,
        limit: limit::Limit::default(),
        live: live::Live::default(),
        challenges: challenge::Challenges::default(),
        works: works::Works::default(),
    });
    Router::new()
        .merge(api::routes())
        .merge(pages::routes())
        .route("/assets/{name}", get(assets::asset))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/passkey", post(passkeys::sign_in))
        .route("/passkeys", get(passkeys::page))
        .route("/passkeys/add", post(passkeys::added))
        .route("/passkeys/remove", post(passkeys::removed))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/language", post(sign_in::choose_language))
        .route("/do/{operation}", post(forms::submitted))
        .route("/projects/{project}/live", get(live::changes))
        .route("/projects/{project}/environments/{environment}/logs/live", get(live::log_lines))
        .fallback(pages::nothing_here)
        .layer(DefaultBodyLimit::max(LONGEST))
        .layer(middleware::from_fn_with_state(Arc::clone(&face), guard::protect))
        .with_state(face)
}
