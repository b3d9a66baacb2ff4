//! Which function answers what.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Kaia,
    accounts::{login, profile, register, reset},
    admin,
    events::{calendar, conflicts, list, write},
    health,
    http::{cors, headers, identity, limiting, problem::Problem, request},
    openapi, places,
};

/// No body is larger, but a calendar's.
const BODY: usize = 64 * 1024;
const CALENDAR: usize = 1024 * 1024;

/// Those under `/api/v1`.
pub(crate) fn api() -> OpenApiRouter<Arc<Kaia>> {
    let calendars = OpenApiRouter::new().routes(routes!(calendar::import)).layer(DefaultBodyLimit::max(CALENDAR));
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(register::verify))
        .routes(routes!(login::login))
        .routes(routes!(login::refresh))
        .routes(routes!(login::logout))
        .routes(routes!(reset::forgot))
        .routes(routes!(reset::reset))
        .routes(routes!(profile::show, profile::change))
        .routes(routes!(profile::change_password))
        .routes(routes!(profile::onboard))
        .routes(routes!(list::list, write::create))
        .routes(routes!(write::show, write::change, write::delete))
        .routes(routes!(conflicts::conflicts))
        .routes(routes!(calendar::export))
        .routes(routes!(places::search))
        .routes(routes!(admin::users))
        .routes(routes!(admin::events))
        .routes(routes!(admin::counts))
        .layer(DefaultBodyLimit::max(BODY))
        .merge(calendars)
}

/// Those that everybody may ask.
pub(crate) fn public() -> OpenApiRouter<Arc<Kaia>> {
    OpenApiRouter::new().routes(routes!(health::about)).routes(routes!(health::health)).routes(routes!(health::ready))
}

/// All of them, with what every request passes.
pub fn all(kaia: Arc<Kaia>) -> Router {
    let described = get(described);
    let api = OpenApiRouter::new().nest("/api/v1", api()).split_for_parts().0;
    let api = api
        .fallback(|| async { Problem::NotFound })
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(Arc::clone(&kaia), limiting::count))
        .layer(middleware::from_fn_with_state(Arc::clone(&kaia), identity::find))
        .layer(cors::named(&kaia.config.cors_origins));
    let public = public()
        .split_for_parts()
        .0
        .route("/openapi.json", described.clone())
        .route("/api/v1/openapi.json", described)
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .layer(cors::everybody());
    public
        .merge(api)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(headers::add))
        .layer(middleware::from_fn_with_state(Arc::clone(&kaia), request::follow))
        .with_state(kaia)
}

/// Made when somebody first asks: most instances are never asked.
async fn described(State(kaia): State<Arc<Kaia>>) -> impl IntoResponse {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| openapi::document(&kaia.config.api_url));
    ([(header::CONTENT_TYPE, "application/json")], document.as_str())
}

/// The message of a panic may hold anything: it goes nowhere but to standard error, where Rust writes it.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::Internal("a panic".into()).into_response()
}
