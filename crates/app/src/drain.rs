//! Waiting until no request is in flight to some instances, of which nobody sends them any more.

use std::time::Duration;

use ambit_proxy::figures::Figures;

use crate::ambit::Ambit;

/// How long a websocket may stay with an instance that stops: it has no end of its own.
const GRACE: Duration = Duration::from_secs(5);

/// What did not finish.
pub(crate) struct Drained {
    /// Requests in flight.
    pub(crate) requests: u64,
    /// Websockets.
    pub(crate) tunnels: u64,
}

impl Ambit {
    /// Waits until nothing is in flight to ports of this machine: for requests no longer than `longest`, for websockets no
    /// longer than a moment.
    pub(crate) async fn drain(&self, ports: &[u16], longest: Duration) -> Drained {
        let begin = tokio::time::Instant::now();
        loop {
            // No proxy, no requests.
            let Ok(figures) = ambit_proxy::client::figures(&self.home.proxy()).await else {
                return Drained { requests: 0, tunnels: 0 };
            };
            let sum = |of: fn(&Figures, u16) -> u64| ports.iter().map(|port| of(&figures, *port)).sum::<u64>();
            let tunnels = sum(Figures::tunnels_of);
            let requests = sum(Figures::in_flight_of).saturating_sub(tunnels);
            let waited = begin.elapsed();
            if requests + tunnels == 0 || waited >= longest || (requests == 0 && waited >= GRACE) {
                return Drained { requests, tunnels };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
