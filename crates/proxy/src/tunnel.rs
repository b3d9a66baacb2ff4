//! After an upgrade: bytes in both directions until both have ended, whatever they mean.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    answer::InFlight,
    registry::RouteCounters,
    upstream::Link,
    worker::{Active, Worker},
};

const BUFFER: usize = 16 << 10;

/// Counts as in flight, for its route and its app, for as long as it is open.
struct Open {
    in_flight: InFlight,
    _active: Active,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(counters) = &self.in_flight.counters {
            counters.websockets.subtract(1);
        }
        if let Some(upstream) = &self.in_flight.upstream {
            upstream.counters.tunnels.subtract(1);
        }
    }
}

pub(crate) fn open(worker: &Rc<Worker>, client: OnUpgrade, app: OnUpgrade, link: Link, in_flight: &InFlight) {
    let mut mine = InFlight {
        connection: Arc::clone(&in_flight.connection),
        counters: in_flight.counters.clone(),
        upstream: None,
        since: Instant::now(),
    };
    mine.on_upstream(in_flight.upstream.clone());
    if let Some(upstream) = &mine.upstream {
        upstream.counters.tunnels.add(1);
    }
    if let Some(counters) = &mine.counters {
        counters.in_flight.add(1);
        counters.websockets.add(1);
    }
    let open = Open { in_flight: mine, _active: worker.active() };
    tokio::task::spawn_local(link.into_driver());
    tokio::task::spawn_local(async move {
        let (mut client, mut app) = match tokio::try_join!(client, app) {
            Ok((client, app)) => (TokioIo::new(client), TokioIo::new(app)),
            Err(error) => return tracing::debug!(error = ?error, "an upgrade was agreed on but not made"),
        };
        open.in_flight.connection.became_tunnel();
        let counters = open.in_flight.counters.clone().unwrap_or_default();
        let mut client = Counted { io: &mut client, counters };
        // An error on either side has ended both; there is nobody left to tell.
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut app, BUFFER, BUFFER).await;
        drop(open);
    });
}

/// The client's side, counted.
struct Counted<T> {
    io: T,
    counters: Arc<RouteCounters>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.counters.bytes_in.add((buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.counters.bytes_out.add(n as u64);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
