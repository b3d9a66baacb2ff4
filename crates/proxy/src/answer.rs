//! Bodies: what goes to the app, and what goes back to the client.

use std::{
    error::Error,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;

use crate::{
    connection::Connection,
    registry::RouteCounters,
    upstream::{Link, Upstream},
};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A request's body on its way to an app.
pub(crate) struct RequestBody {
    /// None once the request is sent again, which only one without a body is.
    incoming: Option<Incoming>,
    counters: Arc<RouteCounters>,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Option<Incoming>, counters: Arc<RouteCounters>, connection: Arc<Connection>) -> Self {
        Self { incoming, counters, connection }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let poll = Pin::new(&mut *incoming).poll_frame(cx);
        match &poll {
            Poll::Pending => this.connection.body_waits(true),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.counters.bytes_in.add(data.len() as u64);
                }
                if incoming.is_end_stream() {
                    this.connection.body_ended();
                } else {
                    this.connection.body_waits(false);
                }
            }
            Poll::Ready(None) => this.connection.body_ended(),
            Poll::Ready(Some(Err(_))) => {}
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A request from its arrival to the last byte of its answer; what it counts is uncounted when it goes.
pub(crate) struct InFlight {
    pub(crate) connection: Arc<Connection>,
    pub(crate) counters: Option<Arc<RouteCounters>>,
    pub(crate) upstream: Option<Rc<Upstream>>,
    pub(crate) since: Instant,
}

impl InFlight {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, counters: None, upstream: None, since: Instant::now() }
    }

    pub(crate) fn on_route(&mut self, counters: Arc<RouteCounters>) {
        counters.requests.add(1);
        counters.in_flight.add(1);
        self.counters = Some(counters);
    }

    /// The request goes to this app, and no longer to the one before.
    pub(crate) fn on_upstream(&mut self, upstream: Option<Rc<Upstream>>) {
        if let Some(upstream) = &upstream {
            upstream.counters.in_flight.add(1);
        }
        if let Some(before) = std::mem::replace(&mut self.upstream, upstream) {
            before.counters.in_flight.subtract(1);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(counters) = &self.counters {
            counters.in_flight.subtract(1);
        }
        if let Some(upstream) = &self.upstream {
            upstream.counters.in_flight.subtract(1);
        }
        self.connection.request_finished();
    }
}

/// An answer's body on its way to the client.
pub(crate) struct Answer {
    kind: Kind,
    in_flight: Option<InFlight>,
}

enum Kind {
    Empty,
    Text(&'static str),
    App { incoming: Incoming, link: Option<Link> },
    File(UnsyncBoxBody<Bytes, BoxError>),
}

impl Answer {
    pub(crate) fn empty() -> Self {
        Self { kind: Kind::Empty, in_flight: None }
    }

    pub(crate) fn text(text: &'static str) -> Self {
        Self { kind: Kind::Text(text), in_flight: None }
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self::file(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync())
    }

    /// `link` is what the rest of the body comes from, unless all of it has been read.
    pub(crate) fn app(incoming: Incoming, link: Option<Link>) -> Self {
        Self { kind: Kind::App { incoming, link }, in_flight: None }
    }

    pub(crate) fn file(body: UnsyncBoxBody<Bytes, BoxError>) -> Self {
        Self { kind: Kind::File(body), in_flight: None }
    }

    /// Ties the request's end to the end of this body.
    pub(crate) fn ends(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }
}

fn give_back(link: &mut Option<Link>, in_flight: Option<&InFlight>) {
    if let (Some(link), Some(upstream)) = (link.take(), in_flight.and_then(|f| f.upstream.as_ref())) {
        upstream.give_back(link);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let poll = match &mut this.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Text(text) => {
                let text = std::mem::take(text);
                this.kind = Kind::Empty;
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
            }
            Kind::App { incoming, link } => {
                let poll = match link {
                    Some(link) => link.poll_with(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)),
                    None => Pin::new(&mut *incoming).poll_frame(cx),
                };
                match &poll {
                    Poll::Ready(None) => give_back(link, this.in_flight.as_ref()),
                    Poll::Ready(Some(Ok(_))) if incoming.is_end_stream() => give_back(link, this.in_flight.as_ref()),
                    Poll::Ready(Some(Err(_))) => drop(link.take()),
                    _ => {}
                }
                poll.map_err(BoxError::from)
            }
            Kind::File(body) => Pin::new(body).poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &poll
            && let Some(data) = frame.data_ref()
            && let Some(counters) = this.in_flight.as_ref().and_then(|f| f.counters.as_ref())
        {
            counters.bytes_out.add(data.len() as u64);
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Text(text) => text.is_empty(),
            Kind::App { incoming, .. } => incoming.is_end_stream(),
            Kind::File(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Text(text) => SizeHint::with_exact(text.len() as u64),
            Kind::App { incoming, .. } => incoming.size_hint(),
            Kind::File(body) => body.size_hint(),
        }
    }
}
