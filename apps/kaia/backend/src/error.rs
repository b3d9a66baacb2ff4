//! Errors as clients see them.

use axum::{Json, http::StatusCode, response::{IntoResponse, Response}};
use serde_json::json;

pub enum Error {
    Invalid(&'static str, &'static str),
    Unauthorized,
    NotFound,
    Taken,
    TooMany(i64),
    Unavailable(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            return Self::Taken;
        }
        Self::Unavailable(error.to_string())
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code, message, field) = match &self {
            Self::Invalid(field, message) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", *message, Some(*field)),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "log in first, or check your password", None),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is nothing here", None),
            Self::Taken => (StatusCode::CONFLICT, "taken", "this e-mail address has an account", Some("email")),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many", "too many attempts; wait a moment", None),
            Self::Unavailable(why) => {
                eprintln!("unavailable: {why}");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again in a moment", None)
            }
        };
        let mut response =
            (status, Json(json!({ "error": { "code": code, "message": message, "field": field } }))).into_response();
        if let Self::TooMany(seconds) = self
            && let Ok(value) = seconds.max(1).to_string().parse()
        {
            response.headers_mut().insert("retry-after", value);
        }
        response
    }
}
