//! Metrics as Prometheus reads them, on the socket and on the dashboard's port.

use ambit_app::Ambit;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Everything that was read last.
pub(crate) fn answer(ambit: &Ambit) -> Response {
    match ambit.exposition() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.message).into_response(),
    }
}
