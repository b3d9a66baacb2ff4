//! A request to an app: which instance, over which connection, and when to try again.
//!
//! A request is sent a second time only where nobody can notice: when nothing of it was written, or when it has no body,
//! may be repeated by its method (RFC 9110, section 9.2.2), and the connection had been used before and closed without an
//! answer, as an app's does that is being stopped gracefully.

use std::{net::SocketAddr, pin::pin, rc::Rc, sync::Arc, task::Poll};

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::{body::Incoming, client::conn::TrySendError, upgrade::OnUpgrade};

use crate::{
    answer::{Answer, InFlight, RequestBody},
    connection::Connection,
    headers, page,
    registry::RouteCounters,
    serve::Caller,
    tunnel,
    upstream::{Link, Upstream},
};

/// A request's head as the app is to get it.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// Resolves to the client's side, once the app agreed to switch protocols.
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) safe_to_repeat: bool,
}

enum Exchange {
    Answered(Response<Incoming>),
    /// Nothing was written.
    Unsent(Request<RequestBody>),
    Failed(hyper::Error),
    TooLate,
}

/// Connections that turn out closed are tried this often before a fresh one is made.
const STALE: usize = 3;

pub(crate) async fn forward(
    caller: &Caller,
    counters: &Arc<RouteCounters>,
    upstreams: &[Rc<Upstream>],
    outgoing: Outgoing,
    body: Incoming,
    in_flight: &mut InFlight,
) -> Response<Answer> {
    let Outgoing { method, uri, headers, upgrade, safe_to_repeat } = outgoing;
    let body = RequestBody::new(Some(body), Arc::clone(counters), Arc::clone(&caller.connection));
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;

    let mut refused: Vec<SocketAddr> = Vec::new();
    let mut stale = 0;
    loop {
        let Some(upstream) = choose(upstreams, &refused, &caller.worker.turn) else {
            return page::page(StatusCode::SERVICE_UNAVAILABLE);
        };
        // Counted before anything is waited for: an app that is drained must not be stopped now.
        in_flight.on_upstream(Some(Rc::clone(upstream)));
        if !safe_to_repeat {
            // Lets the runtime look at the sockets, so that a connection that the app has closed is seen to be closed.
            tokio::task::yield_now().await;
        }
        let idle = if stale < STALE { upstream.take_idle() } else { None };
        let used_before = idle.is_some();
        let mut link = match idle {
            Some(link) => link,
            None => match Box::pin(upstream.connect(caller.worker.limits.connect)).await {
                Ok(link) => link,
                Err(error) => {
                    tracing::debug!(upstream = %upstream.address, %error, "no connection");
                    upstream.refused();
                    refused.push(upstream.address);
                    continue;
                }
            },
        };
        let spare = (used_before && safe_to_repeat)
            .then(|| (request.method().clone(), request.uri().clone(), request.headers().clone()));
        match exchange(&mut link, request, &caller.connection).await {
            Exchange::Answered(response) => return finish(caller, response, link, upgrade, in_flight),
            Exchange::Unsent(unsent) if stale <= STALE => {
                stale += 1;
                request = unsent;
            }
            Exchange::Failed(error) if spare.is_some() && !error.is_parse() => {
                let Some((method, uri, headers)) = spare else { return page::page(StatusCode::BAD_GATEWAY) };
                let body = RequestBody::new(None, Arc::clone(counters), Arc::clone(&caller.connection));
                stale = STALE;
                request = Request::new(body);
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                *request.headers_mut() = headers;
            }
            Exchange::Failed(error) => {
                tracing::debug!(upstream = %upstream.address, error = ?error, "no usable answer");
                return page::page(StatusCode::BAD_GATEWAY);
            }
            Exchange::Unsent(_) => return page::page(StatusCode::BAD_GATEWAY),
            Exchange::TooLate => return page::page(StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

/// The instance with the fewest requests in flight of those that were not refused; in turn among equals.
fn choose<'a>(
    upstreams: &'a [Rc<Upstream>],
    refused: &[SocketAddr],
    turn: &std::cell::Cell<usize>,
) -> Option<&'a Rc<Upstream>> {
    if let [only] = upstreams {
        return refused.is_empty().then_some(only);
    }
    let start = turn.get();
    turn.set(start.wrapping_add(1));
    (0..upstreams.len())
        .map(|n| &upstreams[(start.wrapping_add(n)) % upstreams.len()])
        .filter(|u| !refused.contains(&u.address))
        .min_by_key(|u| (u.is_down(), u.counters.in_flight.get()))
}

async fn exchange(link: &mut Link, request: Request<RequestBody>, connection: &Connection) -> Exchange {
    let mut answer = pin!(link.sender.try_send_request(request));
    connection.awaits_answer(true);
    let result = std::future::poll_fn(|cx| match link.poll_with(cx, |cx| answer.as_mut().poll(cx)) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if connection.is_too_late() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    connection.awaits_answer(false);
    match result {
        None => Exchange::TooLate,
        Some(Ok(response)) => Exchange::Answered(response),
        Some(Err(error)) => unsent(error),
    }
}

fn unsent(mut error: TrySendError<Request<RequestBody>>) -> Exchange {
    match error.take_message() {
        Some(request) => Exchange::Unsent(request),
        None => Exchange::Failed(error.into_error()),
    }
}

fn finish(
    caller: &Caller,
    mut response: Response<Incoming>,
    link: Link,
    upgrade: Option<OnUpgrade>,
    in_flight: &mut InFlight,
) -> Response<Answer> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client) = upgrade else {
            tracing::debug!("an app switched protocols without being asked to");
            return page::page(StatusCode::BAD_GATEWAY);
        };
        let app = hyper::upgrade::on(&mut response);
        tunnel::open(&caller.worker, client, app, link, in_flight);
        headers::to_client(response.headers_mut(), true);
        return response.map(|_| Answer::empty());
    }
    *response.version_mut() = Version::HTTP_11;
    headers::to_client(response.headers_mut(), false);
    let (parts, incoming) = response.into_parts();
    let link = if link.is_done() {
        if let Some(upstream) = &in_flight.upstream {
            upstream.give_back(link);
        }
        None
    } else if incoming.is_end_stream() {
        // No body, but the request's may still be under way.
        if let Some(upstream) = &in_flight.upstream {
            upstream.give_back(link);
        }
        None
    } else {
        Some(link)
    };
    Response::from_parts(parts, Answer::app(incoming, link))
}
