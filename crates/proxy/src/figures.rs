//! What the proxy counts, as it tells it.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// Everything counted since the proxy started. A proxy that takes over begins anew, and while the one before finishes, the
/// figures of both are added: who takes differences has to expect that a number falls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// One entry for each route id, in alphabetical order.
    pub routes: Vec<RouteFigures>,
    /// Apps' ports: those of the table, and those taken out of it that still have requests in flight.
    pub upstreams: Vec<UpstreamFigures>,
    /// Open connections of clients.
    pub connections: u64,
}

impl Figures {
    /// The figures of one route id.
    #[must_use]
    pub fn route(&self, id: &str) -> Option<&RouteFigures> {
        self.routes.iter().find(|r| r.id == id)
    }

    /// Requests and tunnels in flight to a port of this machine: zero once it is drained.
    #[must_use]
    pub fn in_flight_of(&self, port: u16) -> u64 {
        self.upstreams.iter().filter(|u| u.address.port() == port).map(|u| u.in_flight).sum()
    }

    /// Tunnels in flight to a port of this machine.
    #[must_use]
    pub fn tunnels_of(&self, port: u16) -> u64 {
        self.upstreams.iter().filter(|u| u.address.port() == port).map(|u| u.tunnels).sum()
    }

    /// What two proxies have counted together.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let mut routes: BTreeMap<String, RouteFigures> = BTreeMap::new();
        for one in self.routes.into_iter().chain(other.routes) {
            let sum = routes.remove(&one.id).map_or_else(|| one.clone(), |before| before.and(&one));
            routes.insert(one.id, sum);
        }
        let mut upstreams: BTreeMap<SocketAddr, UpstreamFigures> = BTreeMap::new();
        for one in self.upstreams.into_iter().chain(other.upstreams) {
            let none = UpstreamFigures { in_flight: 0, tunnels: 0, ..one.clone() };
            let sum = upstreams.entry(one.address).or_insert(none);
            sum.in_flight += one.in_flight;
            sum.tunnels += one.tunnels;
            sum.serving |= one.serving;
        }
        Self {
            routes: routes.into_values().collect(),
            upstreams: upstreams.into_values().collect(),
            connections: self.connections + other.connections,
        }
    }
}

/// What was counted for a route id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteFigures {
    /// The routes' id.
    pub id: String,
    /// Requests that arrived.
    pub requests: u64,
    /// Requests whose answer is not finished, tunnels included.
    pub in_flight: u64,
    /// Requests that wait because the route is held.
    pub held: u64,
    /// Open tunnels (websockets and other upgrades).
    pub websockets: u64,
    /// Answers by the class of their status.
    pub answers: Answers,
    /// Bytes of request bodies, and from clients through tunnels.
    pub bytes_in: u64,
    /// Bytes of answers' bodies, and to clients through tunnels.
    pub bytes_out: u64,
    /// Median time to the head of an answer in milliseconds, to within an eighth.
    pub p50_ms: f64,
    /// 95th percentile of it.
    pub p95_ms: f64,
    /// 99th percentile of it.
    pub p99_ms: f64,
    /// How many answers took how long, by classes that grow by a quarter of a doubling; see [`Self::percentile_since`].
    #[serde(default)]
    pub latency: Vec<u64>,
}

impl RouteFigures {
    /// A percentile of the time to the head of an answer, in milliseconds, of the requests since an earlier look.
    #[must_use]
    pub fn percentile_since(&self, earlier: &Self, share: f64) -> f64 {
        let before = |n: usize| earlier.latency.get(n).copied().unwrap_or(0);
        let since: Vec<u64> =
            self.latency.iter().enumerate().map(|(n, count)| count.saturating_sub(before(n))).collect();
        crate::registry::percentile(&since, share)
    }

    /// How many answers took at most so many seconds, for bounds that a doubling lies between, the shortest first. Those that
    /// took longer than the last are in none.
    #[must_use]
    pub fn latency_below(&self) -> Vec<(f64, u64)> {
        crate::registry::below(&self.latency)
    }

    /// About how many seconds all answers took together.
    #[must_use]
    pub fn latency_sum(&self) -> f64 {
        crate::registry::total_seconds(&self.latency)
    }

    fn and(self, other: &Self) -> Self {
        let (a, b) = (self.answers, other.answers);
        let classes = self.latency.len().max(other.latency.len());
        let of = |latency: &[u64], n: usize| latency.get(n).copied().unwrap_or(0);
        let latency: Vec<u64> = (0..classes).map(|n| of(&self.latency, n) + of(&other.latency, n)).collect();
        let percentile = |share| crate::registry::percentile(&latency, share);
        Self {
            requests: self.requests + other.requests,
            in_flight: self.in_flight + other.in_flight,
            held: self.held + other.held,
            websockets: self.websockets + other.websockets,
            answers: Answers {
                informational: a.informational + b.informational,
                success: a.success + b.success,
                redirection: a.redirection + b.redirection,
                client_error: a.client_error + b.client_error,
                server_error: a.server_error + b.server_error,
            },
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            p50_ms: percentile(0.50),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
            latency,
            id: self.id,
        }
    }
}

/// Answers by the class of their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// 1xx: upgrades.
    pub informational: u64,
    /// 2xx.
    pub success: u64,
    /// 3xx.
    pub redirection: u64,
    /// 4xx.
    pub client_error: u64,
    /// 5xx, made by the app or by the proxy in its place.
    pub server_error: u64,
}

/// What was counted for one port of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamFigures {
    /// Where it listens.
    pub address: SocketAddr,
    /// Requests and tunnels in flight to it.
    pub in_flight: u64,
    /// Tunnels alone: they have no end of their own.
    #[serde(default)]
    pub tunnels: u64,
    /// Whether the table sends it new requests.
    pub serving: bool,
}
