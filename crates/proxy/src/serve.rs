//! One request, from its head to the head of its answer.

use std::{convert::Infallible, rc::Rc, sync::Arc};

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use hyper::body::Incoming;

use crate::{
    answer::{Answer, InFlight},
    challenges,
    connection::Connection,
    forward::{self, Outgoing},
    headers::{self, Client, Refusal, Seen},
    page,
    routing::{ActiveRoute, ActiveTarget, MAX_HOST, has_dot_segments, plain_host},
    worker::Worker,
};

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const X_AMBIT_ENVIRONMENT: HeaderName = HeaderName::from_static("x-ambit-environment");
/// A year, for the host alone: what lies below its name may be another environment.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What the requests of one connection have in common.
pub(crate) struct Caller {
    pub(crate) worker: Rc<Worker>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) address: HeaderValue,
    /// Whether it is encrypted.
    pub(crate) secure: bool,
}

pub(crate) async fn serve(caller: Rc<Caller>, mut request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let connection = &caller.connection;
    connection.request_arrived(!request.body().is_end_stream());
    let mut in_flight = InFlight::new(Arc::clone(connection));
    let seen = headers::look(request.headers());
    let mut response = match admit(&mut request, &seen, connection) {
        Err(status) => page::refuse(status),
        Ok(()) => match find(&caller, &request) {
            Find::Route(route) => {
                in_flight.on_route(Arc::clone(&route.counters));
                // What is rare is boxed: a request's future is moved, and the smaller it is the better.
                let mut response = if let Some(location) = to_https(&caller, &route, &request) {
                    page::moved(&location)
                } else if route.held().is_some() {
                    Box::pin(held(&caller, route.clone(), request, &seen, &mut in_flight)).await
                } else {
                    answer(&caller, &route, request, &seen, &mut in_flight).await
                };
                if route.noindex {
                    let headers = response.headers_mut();
                    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("noindex"));
                    headers.insert(X_AMBIT_ENVIRONMENT, route.environment.clone());
                }
                if route.hsts && caller.secure {
                    // An app that says it by itself knows better.
                    response.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
                }
                route.counters.answered(response.status(), in_flight.since.elapsed());
                response
            }
            Find::Challenge(answer) => page::challenge(answer),
            Find::Nothing => page::page(StatusCode::NOT_FOUND),
            Find::Unclear => page::refuse(StatusCode::BAD_REQUEST),
        },
    };
    if caller.worker.is_retired() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // The client comes back on a new connection, to the proxy that has taken over. Closing the connection without a
        // word might cross with its next request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.body_mut().ends(in_flight);
    Ok(response)
}

/// Refuses what is not understood by all alike, and brings the rest into one form: the host in `Host`, the path alone in
/// the request line.
fn admit(request: &mut Request<Incoming>, seen: &Seen, connection: &Connection) -> Result<(), StatusCode> {
    if connection.is_ambiguous() {
        return Err(StatusCode::BAD_REQUEST);
    }
    match headers::refusal(request.method(), request.version(), request.headers(), seen) {
        None => {}
        Some(Refusal::Malformed) => return Err(StatusCode::BAD_REQUEST),
        Some(Refusal::Expectation) => return Err(StatusCode::EXPECTATION_FAILED),
        Some(Refusal::Method) => return Err(StatusCode::METHOD_NOT_ALLOWED),
    }
    if request.uri().authority().is_some() {
        // The absolute form overrules `Host` (RFC 9112, section 3.2.2).
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let authority = uri.authority.ok_or(StatusCode::BAD_REQUEST)?;
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host = HeaderValue::from_str(host).map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers_mut().insert(header::HOST, host);
        *request.uri_mut() = uri.path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    if request.uri().path().starts_with('/') { Ok(()) } else { Err(StatusCode::BAD_REQUEST) }
}

enum Find {
    Route(Rc<ActiveRoute>),
    /// What a certificate authority asks for, to see who serves the host.
    Challenge(Vec<u8>),
    Nothing,
    Unclear,
}

fn find(caller: &Caller, request: &Request<Incoming>) -> Find {
    let Some(host) = request.headers().get(header::HOST) else { return Find::Nothing };
    let routing = caller.worker.routing();
    let path = request.uri().path();
    if let Some(token) = path.strip_prefix(challenges::PREFIX)
        && !caller.secure
        && routing.knows(host.as_bytes())
        && let Some(answer) = challenges::read(&caller.worker.folder, token)
    {
        return Find::Challenge(answer);
    }
    match routing.find(host.as_bytes(), path) {
        Some(found) if found.shared && has_dot_segments(path) => Find::Unclear,
        Some(found) => Find::Route(Rc::clone(found.route)),
        None => Find::Nothing,
    }
}

/// Where a plain request is sent on to, if it is.
fn to_https(caller: &Caller, route: &ActiveRoute, request: &Request<Incoming>) -> Option<String> {
    if !route.https || caller.secure || request.uri().path().starts_with(challenges::PREFIX) {
        return None;
    }
    let port = caller.worker.https_port?;
    let mut buffer = [0; MAX_HOST];
    let host = plain_host(request.headers().get(header::HOST)?.as_bytes(), &mut buffer)?;
    let host = std::str::from_utf8(host).ok()?;
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    Some(format!("https://{host}{port}{path}"))
}

/// Waits until a new table lets the request through, or the hold ends by itself.
async fn held(
    caller: &Caller,
    mut route: Rc<ActiveRoute>,
    request: Request<Incoming>,
    seen: &Seen,
    in_flight: &mut InFlight,
) -> Response<Answer> {
    struct Waiting(Arc<crate::registry::RouteCounters>);
    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.held.subtract(1);
        }
    }

    let worker = &caller.worker;
    if route.counters.held.get() >= worker.limits.holding {
        return page::page(StatusCode::SERVICE_UNAVAILABLE);
    }
    route.counters.held.add(1);
    let waiting = Waiting(Arc::clone(&route.counters));
    let until = tokio::time::Instant::now() + worker.limits.hold;
    while let Some(end) = route.held() {
        let changed = worker.changed.notified();
        if tokio::time::timeout_at(until.min(end), changed).await.is_err() {
            if end < until {
                break;
            }
            return page::page(StatusCode::SERVICE_UNAVAILABLE);
        }
        match find(caller, &request) {
            Find::Route(now) => route = now,
            Find::Challenge(answer) => return page::challenge(answer),
            Find::Nothing => return page::page(StatusCode::NOT_FOUND),
            Find::Unclear => return page::refuse(StatusCode::BAD_REQUEST),
        }
    }
    drop(waiting);
    answer(caller, &route, request, seen, in_flight).await
}

async fn answer(
    caller: &Caller,
    route: &ActiveRoute,
    request: Request<Incoming>,
    seen: &Seen,
    in_flight: &mut InFlight,
) -> Response<Answer> {
    match &route.target {
        ActiveTarget::Site(site) => {
            if !route.prefix.is_empty() && request.uri().path() == route.prefix {
                let query = request.uri().query().map(|q| format!("?{q}")).unwrap_or_default();
                return page::moved(&format!("{}/{query}", route.prefix));
            }
            let Ok(uri) = below(request.uri(), &route.prefix) else { return page::page(StatusCode::BAD_REQUEST) };
            Box::pin(site.answer(request.method(), uri, request.headers())).await
        }
        ActiveTarget::App(upstreams) => {
            let Some((outgoing, body)) = to_app(caller, route, request, seen) else {
                return page::page(StatusCode::BAD_REQUEST);
            };
            forward::forward(caller, &route.counters, upstreams, outgoing, body, in_flight).await
        }
    }
}

fn to_app(
    caller: &Caller,
    route: &ActiveRoute,
    mut request: Request<Incoming>,
    seen: &Seen,
) -> Option<(Outgoing, Incoming)> {
    let client_upgrade = hyper::upgrade::on(&mut request);
    let (mut parts, body) = request.into_parts();
    let uri = if route.prefix.is_empty() { parts.uri } else { below(&parts.uri, &route.prefix).ok()? };
    let host = parts.headers.get(header::HOST).cloned();
    let client = Client {
        address: &caller.address,
        secure: caller.secure,
        host: host.as_ref(),
        prefix: route.prefix_header.as_ref(),
    };
    let upgrades = headers::to_app(&mut parts.headers, seen, &client, || caller.worker.request_id());
    let upgrade = if upgrades { Some(client_upgrade) } else { None };
    let safe_to_repeat = body.is_end_stream()
        && matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    Some((Outgoing { method: parts.method, uri, headers: parts.headers, upgrade, safe_to_repeat }, body))
}

/// The address below a prefix, as the one behind the prefix sees it.
fn below(uri: &Uri, prefix: &str) -> Result<Uri, http::uri::InvalidUri> {
    if prefix.is_empty() {
        return Ok(uri.clone());
    }
    let whole = uri.path_and_query().map_or("/", |p| p.as_str());
    let rest = whole.strip_prefix(prefix).unwrap_or(whole);
    let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    // A path that now begins with two slashes would read as a host.
    http::uri::PathAndQuery::try_from(rest).map(Uri::from)
}
