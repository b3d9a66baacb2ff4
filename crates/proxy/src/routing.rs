//! From a host and a path to a route: the table as a worker uses it.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use foldhash::fast::FixedState;
use http::HeaderValue;
use tokio::time::Instant;

use crate::{
    registry::RouteCounters,
    site::Site,
    table::{RoutingTable, Target},
    upstream::Upstream,
};

/// Longer than any valid host name.
pub(crate) const MAX_HOST: usize = 255;

/// Finds what a request is for. Built anew for each table, never changed.
pub(crate) struct Routing<R> {
    hosts: HashMap<Box<[u8]>, Paths<R>, FixedState>,
}

/// A host's routes, longest path first.
type Paths<R> = Vec<(Box<str>, Rc<R>)>;

/// A route that was found.
#[derive(Debug)]
pub(crate) struct Found<'a, R> {
    pub(crate) route: &'a Rc<R>,
    /// Whether other paths of the host go elsewhere, so that it matters how a path is read.
    pub(crate) shared: bool,
}

impl<R> Routing<R> {
    pub(crate) fn new(routes: impl IntoIterator<Item = (Vec<String>, String, Rc<R>)>) -> Self {
        let mut hosts: HashMap<Box<[u8]>, Paths<R>, FixedState> = HashMap::default();
        for (names, path, route) in routes {
            for host in names {
                let paths = hosts.entry(host.into_bytes().into()).or_default();
                paths.push((path.as_str().into(), Rc::clone(&route)));
                paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
            }
        }
        Self { hosts }
    }

    /// `host` as the client wrote it: in any case, with or without a port or a final dot.
    pub(crate) fn find(&self, host: &[u8], path: &str) -> Option<Found<'_, R>> {
        let paths = self.paths(host)?;
        let (_, route) = paths.iter().find(|(prefix, _)| is_below(path, prefix))?;
        Some(Found { route, shared: paths.len() > 1 })
    }

    /// Whether some path of a host leads somewhere.
    pub(crate) fn knows(&self, host: &[u8]) -> bool {
        self.paths(host).is_some()
    }

    fn paths(&self, host: &[u8]) -> Option<&Paths<R>> {
        self.hosts.get(host).or_else(|| {
            let mut buffer = [0; MAX_HOST];
            self.hosts.get(plain_host(host, &mut buffer)?)
        })
    }
}

/// Lower-case, without port and final dot.
pub(crate) fn plain_host<'a>(host: &[u8], buffer: &'a mut [u8; MAX_HOST]) -> Option<&'a [u8]> {
    let name = match memchr::memrchr(b':', host) {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let plain = buffer.get_mut(..name.len())?;
    plain.copy_from_slice(name);
    plain.make_ascii_lowercase();
    Some(plain)
}

fn is_below(path: &str, prefix: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether some reader takes the path for another one: `.` or `..` as a segment, plain or encoded, or a backslash.
pub(crate) fn has_dot_segments(path: &str) -> bool {
    let bytes = path.as_bytes();
    if memchr::memchr2(b'%', b'\\', bytes).is_none() && memchr::memmem::find(bytes, b"/.").is_none() {
        return false;
    }
    let decoded: Vec<u8> = percent_encoding::percent_decode(bytes).collect();
    decoded.split(|b| matches!(b, b'/' | b'\\')).any(|segment| matches!(segment, b"." | b".."))
}

/// A route as a worker serves it.
pub(crate) struct ActiveRoute {
    /// Empty for `/`.
    pub(crate) prefix: String,
    pub(crate) prefix_header: Option<HeaderValue>,
    pub(crate) target: ActiveTarget,
    pub(crate) noindex: bool,
    pub(crate) environment: HeaderValue,
    /// Whether plain requests are sent on to HTTPS.
    pub(crate) https: bool,
    /// Whether answers over HTTPS ask browsers to come back by HTTPS only.
    pub(crate) hsts: bool,
    held: Option<Instant>,
    pub(crate) counters: Arc<RouteCounters>,
}

impl ActiveRoute {
    /// Until when its requests wait; `None` where they go on.
    pub(crate) fn held(&self) -> Option<Instant> {
        self.held.filter(|until| Instant::now() < *until)
    }
}

pub(crate) enum ActiveTarget {
    App(Vec<Rc<Upstream>>),
    Site(Site),
}

/// Builds a worker's view of a table.
pub(crate) fn activate(
    table: &RoutingTable,
    counters: impl Fn(&str) -> Arc<RouteCounters>,
    mut upstream: impl FnMut(std::net::SocketAddr) -> Rc<Upstream>,
) -> Routing<ActiveRoute> {
    Routing::new(table.routes.iter().flat_map(|route| {
        let mut hosts = route.hosts.clone();
        hosts.sort_unstable();
        hosts.dedup();
        let (https, plain): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| route.https.contains(host));
        [(https, true), (plain, false)].map(|(hosts, https)| {
            let prefix = if route.path == "/" { String::new() } else { route.path.clone() };
            let active = ActiveRoute {
                prefix_header: if prefix.is_empty() { None } else { HeaderValue::from_str(&prefix).ok() },
                target: match &route.target {
                    Target::App { upstreams } => ActiveTarget::App(upstreams.iter().map(|a| upstream(*a)).collect()),
                    Target::Site { root, single_page } => ActiveTarget::Site(Site::new(root, &prefix, *single_page)),
                },
                prefix,
                noindex: route.noindex,
                environment: HeaderValue::from_str(&route.environment).unwrap_or(HeaderValue::from_static("")),
                https,
                hsts: https && route.hsts,
                // A hold far in the future is one by a clock that was wrong; each request waits for a bounded time.
                held: route.state.held().and_then(|left| Instant::now().checked_add(left)),
                counters: counters(&route.id),
            };
            (hosts, route.path.clone(), Rc::new(active))
        })
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule as one would explain it.
    fn model(routes: &[(String, String)], host: &str, path: &str) -> Option<usize> {
        let segments = |p: &str| p.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
        let host = host.split(':').next().unwrap().trim_end_matches('.').to_lowercase();
        routes
            .iter()
            .enumerate()
            .filter(|(_, (h, p))| *h == host && (p == "/" || segments(path).starts_with(&segments(p))))
            .max_by_key(|(_, (_, p))| if p == "/" { 0 } else { segments(p).len() })
            .map(|(n, _)| n)
    }

    fn path() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]{0,2}", 0..4).prop_map(|s| format!("/{}", s.join("/")))
    }

    proptest! {
        #[test]
        fn the_longest_prefix_at_a_segments_boundary_wins(
            routes in proptest::collection::btree_set(("[ab]\\.x", "(/[ab]{1,2}){0,3}"), 0..8),
            host in "[abAB]\\.[xX]\\.?(:[0-9]{1,4})?",
            path in path(),
        ) {
            let routes: Vec<(String, String)> = routes
                .into_iter()
                .map(|(h, p)| (h, if p.is_empty() { "/".into() } else { p }))
                .collect();
            let routing = Routing::new(
                routes.iter().enumerate().map(|(n, (h, p))| (vec![h.clone()], p.clone(), Rc::new(n))),
            );
            prop_assert_eq!(routing.find(host.as_bytes(), &path).map(|f| **f.route), model(&routes, &host, &path));
        }

        #[test]
        fn no_host_and_no_path_makes_it_panic(host in proptest::collection::vec(any::<u8>(), 0..400), path in ".*") {
            let routing = Routing::new([(vec!["a.x".to_owned()], "/".to_owned(), Rc::new(()))]);
            let _ = routing.find(&host, &path);
            let _ = has_dot_segments(&path);
        }
    }

    #[test]
    fn dot_segments_are_seen_through_every_disguise() {
        for path in ["/a/../b", "/..", "/a/%2e%2E/b", "/a/.%2e", "/a/./b", "/a%2f..%2fb", "/a\\..\\b", "/a/%5c../b/.."]
        {
            assert!(has_dot_segments(path), "{path}");
        }
        for path in ["/", "/a.b/c", "/.well-known/x", "/...", "/a%20b", "/..a"] {
            assert!(!has_dot_segments(path), "{path}");
        }
    }
}
