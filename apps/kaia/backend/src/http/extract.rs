//! Bodies, queries and paths, with problems instead of axum's own words.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{BytesRejection, JsonRejection},
    },
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A body of JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::field("body", inner(&error.body_text()))),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(Problem::Malformed(inner(&error.body_text()))),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::UnsupportedMediaType("application/json")),
            Err(JsonRejection::BytesRejection(error)) => Err(unread(&error)),
            Err(other) => Err(Problem::Malformed(other.body_text())),
        }
    }
}

/// What serde said, without what axum puts before it.
fn inner(text: &str) -> String {
    text.split_once(": ").map_or(text, |(_, rest)| rest).to_owned()
}

fn unread(error: &BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::TooLarge
    } else {
        Problem::Malformed("the body did not come whole".into())
    }
}

/// A calendar.
pub struct Calendar(pub String);

impl<S: Send + Sync> FromRequest<S> for Calendar {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/calendar") {
            return Err(Problem::UnsupportedMediaType("text/calendar"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unread(&e))?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Problem::Malformed("a calendar is UTF-8".into()))?;
        Ok(Self(text))
    }
}

/// The parameters of a query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::field("query", inner(&error.body_text()))),
        }
    }
}

/// The id in a path. What is none names nothing.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(id)) => Ok(Self(id)),
            Err(_) => Err(Problem::NotFound),
        }
    }
}
