//! Counters: written by one worker each, without locks or read-modify-write instructions, and summed when someone asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    figures::{Answers, Figures, RouteFigures, UpstreamFigures},
    table::{RoutingTable, Target},
};

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Four buckets for each doubling, from a microsecond up to more than an hour.
const BUCKETS: usize = 128;

fn bucket(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros < 4 {
        return usize::try_from(micros).unwrap_or(0);
    }
    let octave = micros.ilog2();
    let quarter = (micros >> (octave - 2)) & 3;
    (usize::try_from(u64::from(octave - 1) * 4 + quarter).unwrap_or(BUCKETS)).min(BUCKETS - 1)
}

/// The middle of a bucket, in milliseconds.
fn middle_ms(bucket: usize) -> f64 {
    if bucket < 4 {
        return bucket as f64 / 1000.0;
    }
    let octave = (bucket / 4 + 1) as i32;
    let width = 2f64.powi(octave - 2);
    (width * (4 + bucket % 4) as f64 + width / 2.0) / 1000.0
}

/// Cumulative counts for a bound at each second doubling from a millisecond to half a minute, in seconds.
pub(crate) fn below(latency: &[u64]) -> Vec<(f64, u64)> {
    (10..26)
        .map(|octave| {
            // The first bucket of an octave begins at that power of two of microseconds.
            let first = (octave - 1) * 4;
            let count = latency.iter().take(first).sum();
            (f64::from(1_u32 << octave) / 1_000_000.0, count)
        })
        .collect()
}

/// About how many seconds all took together.
pub(crate) fn total_seconds(latency: &[u64]) -> f64 {
    latency.iter().enumerate().map(|(bucket, count)| middle_ms(bucket) / 1000.0 * *count as f64).sum()
}

/// One worker's counters of one port of an app.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCounters {
    /// Requests and tunnels.
    pub(crate) in_flight: Counter,
    /// Tunnels alone.
    pub(crate) tunnels: Counter,
}

/// One worker's counters of one route id.
#[derive(Debug)]
pub(crate) struct RouteCounters {
    pub(crate) requests: Counter,
    pub(crate) in_flight: Counter,
    pub(crate) held: Counter,
    pub(crate) websockets: Counter,
    classes: [Counter; 5],
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    latency: [Counter; BUCKETS],
}

impl RouteCounters {
    pub(crate) fn answered(&self, status: http::StatusCode, after: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].add(1);
        self.latency[bucket(after)].add(1);
    }
}

impl Default for RouteCounters {
    fn default() -> Self {
        Self {
            requests: Counter::default(),
            in_flight: Counter::default(),
            held: Counter::default(),
            websockets: Counter::default(),
            classes: Default::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            latency: std::array::from_fn(|_| Counter::default()),
        }
    }
}

/// Every worker's counters.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    pub(crate) connections: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    routes: BTreeMap<(String, usize), Arc<RouteCounters>>,
    upstreams: BTreeMap<(SocketAddr, usize), Arc<UpstreamCounters>>,
    current_routes: BTreeSet<String>,
    current_upstreams: BTreeSet<SocketAddr>,
}

impl Registry {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Every change is one insertion or removal: a panic between two of them leaves a valid map.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn route(&self, id: &str, worker: usize) -> Arc<RouteCounters> {
        Arc::clone(self.inner().routes.entry((id.to_owned(), worker)).or_default())
    }

    pub(crate) fn upstream(&self, address: SocketAddr, worker: usize) -> Arc<UpstreamCounters> {
        Arc::clone(self.inner().upstreams.entry((address, worker)).or_default())
    }

    /// Notes which routes are in force, and forgets those that are not and have nothing in flight.
    pub(crate) fn in_force(&self, table: &RoutingTable) {
        let inner = &mut *self.inner();
        inner.current_routes = table.routes.iter().map(|r| r.id.clone()).collect();
        inner.current_upstreams = table
            .routes
            .iter()
            .filter_map(|r| match &r.target {
                Target::App { upstreams } => Some(upstreams),
                Target::Site { .. } => None,
            })
            .flatten()
            .copied()
            .collect();
        inner.routes.retain(|(id, _), c| inner.current_routes.contains(id) || c.in_flight.get() > 0);
        inner.upstreams.retain(|(address, _), c| inner.current_upstreams.contains(address) || c.in_flight.get() > 0);
    }

    pub(crate) fn figures(&self) -> Figures {
        let inner = &*self.inner();
        let mut routes: BTreeMap<&str, Vec<&RouteCounters>> =
            inner.current_routes.iter().map(|id| (id.as_str(), Vec::new())).collect();
        for ((id, _), counters) in &inner.routes {
            if counters.in_flight.get() > 0 || inner.current_routes.contains(id) {
                routes.entry(id).or_default().push(counters);
            }
        }
        let mut upstreams: BTreeMap<SocketAddr, (u64, u64)> =
            inner.current_upstreams.iter().map(|a| (*a, (0, 0))).collect();
        for ((address, _), counters) in &inner.upstreams {
            if counters.in_flight.get() > 0 {
                let (in_flight, tunnels) = upstreams.entry(*address).or_default();
                *in_flight += counters.in_flight.get();
                *tunnels += counters.tunnels.get();
            }
        }
        Figures {
            routes: routes.into_iter().map(|(id, counters)| sum(id, &counters)).collect(),
            upstreams: upstreams
                .into_iter()
                .map(|(address, (in_flight, tunnels))| UpstreamFigures {
                    address,
                    in_flight,
                    tunnels,
                    serving: inner.current_upstreams.contains(&address),
                })
                .collect(),
            connections: self.connections.load(Relaxed),
        }
    }
}

fn sum(id: &str, all: &[&RouteCounters]) -> RouteFigures {
    let of = |pick: fn(&RouteCounters) -> &Counter| all.iter().map(|c| pick(c).get()).sum::<u64>();
    let class = |n: usize| all.iter().map(|c| c.classes[n].get()).sum::<u64>();
    let latency: Vec<u64> = (0..BUCKETS).map(|b| all.iter().map(|c| c.latency[b].get()).sum()).collect();
    RouteFigures {
        id: id.to_owned(),
        requests: of(|c| &c.requests),
        in_flight: of(|c| &c.in_flight),
        held: of(|c| &c.held),
        websockets: of(|c| &c.websockets),
        answers: Answers {
            informational: class(0),
            success: class(1),
            redirection: class(2),
            client_error: class(3),
            server_error: class(4),
        },
        bytes_in: of(|c| &c.bytes_in),
        bytes_out: of(|c| &c.bytes_out),
        p50_ms: percentile(&latency, 0.50),
        p95_ms: percentile(&latency, 0.95),
        p99_ms: percentile(&latency, 0.99),
        latency,
    }
}

pub(crate) fn percentile(latency: &[u64], share: f64) -> f64 {
    let total: u64 = latency.iter().sum();
    let rank = (total as f64 * share).ceil() as u64;
    let mut seen = 0;
    for (bucket, count) in latency.iter().enumerate() {
        seen += count;
        if *count > 0 && seen >= rank {
            return middle_ms(bucket);
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_for_its_durations_to_within_an_eighth() {
        for micros in (1..2_000_000u64).step_by(997) {
            let told = middle_ms(bucket(Duration::from_micros(micros))) * 1000.0;
            assert!((told - micros as f64).abs() <= micros as f64 / 7.9, "{micros} told as {told}");
        }
    }

    #[test]
    fn percentiles_find_the_slow_tail() {
        let counters = RouteCounters::default();
        for n in 0..100 {
            let after = if n < 94 { Duration::from_millis(1) } else { Duration::from_millis(100) };
            counters.answered(http::StatusCode::OK, after);
        }
        let figures = sum("x", &[&counters]);
        assert!((0.85..1.15).contains(&figures.p50_ms), "{}", figures.p50_ms);
        assert!((85.0..115.0).contains(&figures.p95_ms), "{}", figures.p95_ms);
        assert_eq!(figures.answers.success, 100);
    }
}
