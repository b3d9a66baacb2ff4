//! Errors as clients see them: `application/problem+json` (RFC 9457).

use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::request;

/// What went wrong.
#[derive(Debug)]
pub enum Problem {
    /// The request cannot be read.
    Malformed(String),
    /// It can be read and makes no sense.
    Invalid(Vec<FieldError>),
    /// Who asks is not known; the reason is for the log in and for nobody else.
    Unauthorized(&'static str),
    Forbidden,
    EmailNotVerified,
    NotFound,
    MethodNotAllowed,
    Conflict(&'static str),
    TooLarge,
    UnsupportedMediaType(&'static str),
    /// Again after so many seconds.
    TooMany(u64),
    /// More work waits than can be done soon.
    Busy,
    /// A service elsewhere does not do its part.
    ServiceUnavailable(&'static str, String),
    /// The database does not do its part.
    Unavailable(String),
    Internal(String),
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub struct ProblemDetails {
    /// A name for the kind of problem, for programs.
    #[schema(example = "invalid")]
    r#type: &'static str,
    /// The kind of problem, for people.
    title: &'static str,
    status: u16,
    /// This problem, for people.
    detail: String,
    /// Find it in the logs by this.
    request_id: String,
    /// Which fields are wrong, where that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

/// Why a request failed, for log and Sentry: a part of the answer that is not sent.
#[derive(Clone)]
pub struct Cause(pub String);

impl Problem {
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    pub fn internal(error: impl fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    fn parts(self) -> (StatusCode, &'static str, &'static str, String) {
        let said = |s: &str| s.to_owned();
        match self {
            Self::Malformed(detail) => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail),
            Self::Invalid(errors) => {
                let list: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request makes no sense", list.join("; "))
            }
            Self::Unauthorized(why) => (StatusCode::UNAUTHORIZED, "unauthorized", "Log in first", said(why)),
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "Not for this account", said("this is for administrators"))
            }
            Self::EmailNotVerified => (
                StatusCode::FORBIDDEN,
                "email-not-verified",
                "The address is not verified",
                said("open the link in the mail that was sent when you registered, or register again for another"),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found", said("there is nothing here")),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method is not allowed",
                said("the header Allow says what is"),
            ),
            Self::Conflict(why) => (StatusCode::CONFLICT, "conflict", "It cannot be done as things are", said(why)),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large", said("send less at a time"))
            }
            Self::UnsupportedMediaType(expected) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is of another kind",
                format!("send it as {expected}"),
            ),
            Self::TooMany(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
                format!("try again in {seconds} s"),
            ),
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy at the moment", said("try again in some seconds"))
            }
            Self::ServiceUnavailable(what, _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "service-unavailable",
                "A service elsewhere does not answer",
                said(what),
            ),
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available", said("try again in a moment"))
            }
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "A defect of Kaia",
                said("it was recorded; tell us the request_id if it stays"),
            ),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else { return Self::Unavailable(error.to_string()) };
        match database.code().as_deref() {
            // Texts of PostgreSQL hold no NUL.
            Some("22021") => Self::Malformed("a text holds a character that cannot be stored".into()),
            // A row, a lock or a statement's time: the same request may go through later.
            Some("40001" | "40P01" | "55P03" | "57014") => Self::Unavailable(database.message().to_owned()),
            // The server is starting or stopping, or has no connection left.
            Some(code) if code.starts_with("57P") || code.starts_with("53") || code.starts_with("08") => {
                Self::Unavailable(database.message().to_owned())
            }
            _ => Self::Internal(database.message().to_owned()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let (mut errors, mut retry, mut cause) = (Vec::new(), None, None);
        match &mut self {
            Self::Invalid(list) => {
                errors =
                    list.iter().map(|e| FieldError { field: e.field.clone(), message: e.message.clone() }).collect();
            }
            Self::TooMany(seconds) => retry = Some(*seconds),
            Self::Busy => retry = Some(2),
            Self::Unavailable(why) | Self::Internal(why) | Self::ServiceUnavailable(_, why) => {
                cause = Some(Cause(std::mem::take(why)));
            }
            _ => {}
        }
        let (status, r#type, title, detail) = self.parts();
        let details =
            ProblemDetails { r#type, title, status: status.as_u16(), detail, request_id: request::id(), errors };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
