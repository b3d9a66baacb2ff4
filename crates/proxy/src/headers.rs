//! Which headers go on and which end here (RFC 9110, section 7.6.1), and what the proxy says about the client.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{self, Entry},
};

const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// What a look at a request's head tells.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    hosts: u8,
    transfer_encoding: bool,
    content_length: bool,
    connection: bool,
    upgrade: bool,
    hop_by_hop: bool,
    forwarded: bool,
    expect: bool,
    request_id: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It can be understood in two ways, or in none.
    Malformed,
    /// It expects what is not done here.
    Expectation,
    /// Not for a proxy in front of apps.
    Method,
}

/// Looks at each header once.
pub(crate) fn look(headers: &HeaderMap) -> Seen {
    let mut seen = Seen::default();
    for name in headers.keys() {
        match *name {
            header::HOST => seen.hosts = 1,
            header::TRANSFER_ENCODING => seen.transfer_encoding = true,
            header::CONTENT_LENGTH => seen.content_length = true,
            header::CONNECTION => seen.connection = true,
            header::UPGRADE => seen.upgrade = true,
            header::TE | header::PROXY_AUTHORIZATION => seen.hop_by_hop = true,
            header::FORWARDED => seen.forwarded = true,
            header::EXPECT => seen.expect = true,
            _ => match name.as_str().as_bytes() {
                [b'x', b'-', b'f', ..] => seen.forwarded |= name.as_str().starts_with("x-forwarded-"),
                [b'x', b'-', b'r', ..] => {
                    seen.request_id |= *name == X_REQUEST_ID;
                    seen.forwarded |= *name == X_REAL_IP;
                }
                [b'k' | b'p' | b'h', ..] => {
                    seen.hop_by_hop |= *name == KEEP_ALIVE || *name == PROXY_CONNECTION || *name == HTTP2_SETTINGS;
                    seen.forwarded |= *name == PROXY;
                }
                _ => {}
            },
        }
    }
    if seen.hosts > 0 && has_several(headers, &header::HOST) {
        seen.hosts = 2;
    }
    seen
}

fn has_several(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.len() != headers.keys_len() && headers.get_all(name).iter().nth(1).is_some()
}

/// Whether a request is one that everybody on its way understands alike.
pub(crate) fn refusal(method: &Method, version: Version, headers: &HeaderMap, seen: &Seen) -> Option<Refusal> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Some(Refusal::Method);
    }
    if seen.hosts > 1 || (seen.hosts == 0 && version != Version::HTTP_10) {
        return Some(Refusal::Malformed);
    }
    if seen.transfer_encoding {
        let chunked =
            headers.get(header::TRANSFER_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if seen.content_length || !chunked || has_several(headers, &header::TRANSFER_ENCODING) {
            return Some(Refusal::Malformed);
        }
    }
    if seen.content_length && has_several(headers, &header::CONTENT_LENGTH) {
        return Some(Refusal::Malformed);
    }
    if seen.expect && !headers.get(header::EXPECT).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Some(Refusal::Expectation);
    }
    None
}

/// The client, as a request is passed on for it.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    pub(crate) address: &'a HeaderValue,
    pub(crate) secure: bool,
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) prefix: Option<&'a HeaderValue>,
}

/// Rewrites a request's headers for the app. Tells whether it asks for an upgrade that may pass.
pub(crate) fn to_app(
    headers: &mut HeaderMap,
    seen: &Seen,
    client: &Client<'_>,
    id: impl FnOnce() -> HeaderValue,
) -> bool {
    let mut upgrade = None;
    if seen.connection || seen.upgrade {
        let asks = seen.upgrade && connection_names(headers, "upgrade");
        upgrade = headers.remove(header::UPGRADE).filter(|protocol| asks && !is_h2c(protocol));
        remove_connection_named(headers);
    }
    if seen.hop_by_hop {
        for name in [header::TE, header::PROXY_AUTHORIZATION, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS] {
            headers.remove(name);
        }
    }
    if seen.forwarded {
        let claimed: Vec<HeaderName> = headers
            .keys()
            .filter(|n| {
                **n == header::FORWARDED || **n == X_REAL_IP || **n == PROXY || n.as_str().starts_with("x-forwarded-")
            })
            .cloned()
            .collect();
        for name in claimed {
            headers.remove(name);
        }
    }
    if seen.expect {
        // hyper answers the client's expectation as soon as the app's connection asks for the body.
        headers.remove(header::EXPECT);
    }
    headers.append(X_FORWARDED_FOR, client.address.clone());
    headers.append(X_FORWARDED_PROTO, if client.secure { HTTPS } else { HTTP });
    if let Some(host) = client.host {
        headers.append(X_FORWARDED_HOST, host.clone());
    }
    if let Some(prefix) = client.prefix {
        headers.append(X_FORWARDED_PREFIX, prefix.clone());
    }
    if seen.request_id {
        let good = |v: &HeaderValue| (1..=128).contains(&v.len()) && v.as_bytes().iter().all(u8::is_ascii_graphic);
        if has_several(headers, &X_REQUEST_ID) || !headers.get(X_REQUEST_ID).is_some_and(good) {
            headers.insert(X_REQUEST_ID, id());
        }
    } else {
        headers.append(X_REQUEST_ID, id());
    }
    match upgrade {
        Some(protocol) => {
            headers.insert(header::UPGRADE, protocol);
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            true
        }
        None => false,
    }
}

/// Rewrites an answer's headers for the client.
pub(crate) fn to_client(headers: &mut HeaderMap, switches: bool) {
    let mut connection = false;
    let mut hop_by_hop = false;
    let mut transfer_encoding = false;
    for name in headers.keys() {
        match *name {
            header::CONNECTION => connection = true,
            header::TRANSFER_ENCODING => transfer_encoding = true,
            header::UPGRADE | header::TE => hop_by_hop = true,
            _ => {
                if let [b'k' | b'p', ..] = name.as_str().as_bytes() {
                    hop_by_hop |= *name == KEEP_ALIVE || *name == PROXY_CONNECTION;
                }
            }
        }
    }
    let upgrade = if switches { headers.get(header::UPGRADE).cloned() } else { None };
    if connection {
        remove_connection_named(headers);
    }
    if transfer_encoding {
        // hyper frames the answer anew; a length beside it would be about something else (RFC 9112, section 6.3).
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    if hop_by_hop {
        for name in [header::UPGRADE, header::TE, KEEP_ALIVE, PROXY_CONNECTION] {
            headers.remove(name);
        }
    }
    if switches {
        if let Some(upgrade) = upgrade {
            headers.insert(header::UPGRADE, upgrade);
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|t| t.trim_matches([' ', '\t']))
}

fn connection_names(headers: &HeaderMap, token: &str) -> bool {
    connection_tokens(headers).any(|t| t.eq_ignore_ascii_case(token))
}

/// Removes `Connection` and what it names, but not what the message cannot do without.
fn remove_connection_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter(|t| !t.eq_ignore_ascii_case("close") && !t.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|t| HeaderName::from_bytes(t.as_bytes()).ok())
        .filter(|n| {
            !matches!(*n, header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONTENT_TYPE)
        })
        .collect();
    for name in named {
        headers.remove(name);
    }
    if let Entry::Occupied(entry) = headers.entry(header::CONNECTION) {
        entry.remove_entry_mult();
    }
}

/// Requests smuggled past the proxy inside of HTTP/2 would reach the app unchecked.
fn is_h2c(protocol: &HeaderValue) -> bool {
    protocol.to_str().map_or(true, |p| p.split(',').any(|p| p.trim().eq_ignore_ascii_case("h2c")))
}
