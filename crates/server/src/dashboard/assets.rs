//! The files that pages need: one stylesheet, two scripts, one icon. They are a part of the program.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Changes with each release of the program, so that browsers may keep what they have.
pub(super) const STYLE: &str = concat!("/assets/style-", env!("CARGO_PKG_VERSION"), ".css");
pub(super) const SCRIPT: &str = concat!("/assets/live-", env!("CARGO_PKG_VERSION"), ".js");
pub(super) const PASSKEY: &str = concat!("/assets/passkey-", env!("CARGO_PKG_VERSION"), ".js");
pub(super) const ICON: &str = concat!("/assets/icon-", env!("CARGO_PKG_VERSION"), ".svg");

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let asked = format!("/assets/{name}");
    let (kind, text) = match asked.as_str() {
        STYLE => ("text/css; charset=utf-8", include_str!("assets/style.css")),
        SCRIPT => ("text/javascript; charset=utf-8", include_str!("assets/live.js")),
        PASSKEY => ("text/javascript; charset=utf-8", include_str!("assets/passkey.js")),
        ICON => ("image/svg+xml", include_str!("assets/icon.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, max-age=3600")], text).into_response()
}
