//! Answers that the proxy makes itself: a status in words and nothing about what is behind it.

use http::{HeaderValue, Response, StatusCode, header};

use crate::answer::Answer;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

pub(crate) fn page(status: StatusCode) -> Response<Answer> {
    let text = match status {
        StatusCode::NOT_FOUND => "404 Not Found\n",
        StatusCode::BAD_REQUEST => "400 Bad Request\n",
        StatusCode::METHOD_NOT_ALLOWED => "405 Method Not Allowed\n",
        StatusCode::EXPECTATION_FAILED => "417 Expectation Failed\n",
        StatusCode::BAD_GATEWAY => "502 Bad Gateway: the service gave no usable answer.\n",
        StatusCode::SERVICE_UNAVAILABLE => "503 Service Unavailable: please try again in a moment.\n",
        StatusCode::GATEWAY_TIMEOUT => "504 Gateway Timeout: the service took too long to answer.\n",
        _ => "500 Internal Server Error\n",
    };
    let mut response = Response::new(Answer::text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PLAIN);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::BAD_GATEWAY {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// Refuses a request and the connection that it came on: what follows on it cannot be trusted to start where it seems to.
pub(crate) fn refuse(status: StatusCode) -> Response<Answer> {
    let mut response = page(status);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The answer to a challenge (RFC 8555, section 8.3).
pub(crate) fn challenge(key_authorization: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer::bytes(key_authorization));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sends the client to another place, for good.
pub(crate) fn moved(location: &str) -> Response<Answer> {
    let Ok(location) = HeaderValue::from_str(location) else { return page(StatusCode::BAD_REQUEST) };
    let mut response = Response::new(Answer::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    response
}
