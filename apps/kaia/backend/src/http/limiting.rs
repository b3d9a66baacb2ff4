//! Counts requests before they are worked on.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::HeaderName,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{identity::Caller, problem::Problem};
use crate::{Kaia, observe::apm::Trace};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

pub async fn count(State(kaia): State<Arc<Kaia>>, request: Request, next: Next) -> Response {
    let Some(limits) = &kaia.config.limits else { return next.run(request).await };
    let Some(caller) = request.extensions().get::<Caller>() else { return next.run(request).await };
    let key = caller.key();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    let buckets = [
        (limits.everybody, "limit:all".to_owned()),
        (limits.caller, format!("limit:{key}")),
        (limits.route, format!("limit:{key}:{} {route}", request.method())),
    ];
    let trace = request.extensions().get::<Trace>().cloned();
    let taken = kaia.limiter.take(&buckets);
    let verdict = match &trace {
        Some(trace) => trace.part("rate limit", taken).await,
        None => taken.await,
    };
    let mut response =
        if verdict.allowed { next.run(request).await } else { Problem::TooMany(verdict.retry_after()).into_response() };
    let headers = response.headers_mut();
    headers.insert(LIMIT, verdict.limit.into());
    headers.insert(REMAINING, verdict.remaining.into());
    headers.insert(RESET, verdict.reset_seconds().into());
    response
}
