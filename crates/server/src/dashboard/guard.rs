//! What stands before every page: whether the browser means this server, who it is, and whether a form was ours.

use std::sync::Arc;

use ambit_domain::access::Caller;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Face;
use crate::github::hex;

/// No script, style or frame but our own, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// With this a page asks for itself again because something changed, and not a person.
const WATCHING: &str = "x-ambit-watching";
const COOKIE: &str = "ambit_session";
/// Over TLS: browsers take a cookie of this name only where nobody beside this host can set it.
const SECURE_COOKIE: &str = "__Host-ambit_session";

/// Refuses hosts that are not this server's, and says with every answer how it is to be treated.
pub(crate) async fn protect(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    let host = header_text(request.headers(), &header::HOST).unwrap_or_default().to_owned();
    let called = match face.ambit.dashboard() {
        Ok(address) => address.is_called(&host),
        Err(failure) => {
            tracing::error!(causes = ?failure.causes, "the dashboard's address cannot be read: {failure}");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let mut answer = if called {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this server has no such name\n").into_response()
    };
    let headers = answer.headers_mut();
    let always: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With none at all, browsers would hide the origin of our own forms, too.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// A session with whose it is.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) secret: String,
}

impl Session {
    /// The session of a request's cookie, while it lasts.
    pub(crate) fn of(face: &Face, headers: &HeaderMap) -> Option<Self> {
        let secret = cookie(headers, cookie_name(headers))?;
        let watching = headers.contains_key(WATCHING);
        let found = if watching { face.ambit.watching_session(&secret) } else { face.ambit.session(&secret) };
        let caller = found.unwrap_or_else(|failure| {
            tracing::error!(causes = ?failure.causes, "a session cannot be read: {failure}");
            None
        })?;
        Some(Self { caller, secret })
    }

    /// What every form of this session carries: nobody who cannot read the cookie can make it.
    pub(crate) fn form_token(&self) -> String {
        self.mac()
            .map(|mac| mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect())
            .unwrap_or_default()
    }

    /// Whether a form carries it, compared in constant time.
    pub(crate) fn made(&self, token: Option<&String>) -> bool {
        let given = token.and_then(|token| hex(token));
        given.zip(self.mac()).is_some_and(|(given, mac)| mac.verify_slice(&given).is_ok())
    }

    fn mac(&self) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).ok()?;
        mac.update(b"form");
        Some(mac)
    }
}

/// Whether a browser says that a form was sent from a page of this server, or says nothing about it.
pub(crate) fn is_from_here(headers: &HeaderMap) -> bool {
    let site = header_text(headers, &HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let host = header_text(headers, &header::HOST).unwrap_or_default();
            let scheme = if is_secure(headers) { "https" } else { "http" };
            origin.as_bytes() == format!("{scheme}://{host}").as_bytes()
        }
    }
}

/// Whether the client came to the proxy by TLS.
pub(crate) fn is_secure(headers: &HeaderMap) -> bool {
    header_text(headers, &HeaderName::from_static("x-forwarded-proto")) == Some("https")
}

/// The client's address as the proxy tells it; one name for all who come by loopback.
pub(crate) fn client(headers: &HeaderMap) -> String {
    let told = header_text(headers, &HeaderName::from_static("x-forwarded-for"));
    told.unwrap_or("here").chars().take(60).collect()
}

fn cookie_name(headers: &HeaderMap) -> &'static str {
    if is_secure(headers) { SECURE_COOKIE } else { COOKIE }
}

/// The header that gives a browser its session, or takes it away.
pub(crate) fn set_session(headers: &HeaderMap, secret: Option<&str>) -> String {
    let name = cookie_name(headers);
    let secure = if is_secure(headers) { "; Secure" } else { "" };
    let (value, end) = secret.map_or(("", "; Max-Age=0"), |secret| (secret, ""));
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{end}")
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// A header as text.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use ambit_domain::access::{Entrance, Role, User};

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn session(secret: &str) -> Session {
        let user = User { name: "ana".parse().unwrap(), role: Role::Admin, added: 0 };
        Session { caller: Caller { user, entrance: Entrance::Dashboard }, secret: secret.into() }
    }

    #[test]
    fn a_form_is_good_for_its_own_session_alone() {
        let (mine, other) = (session("one"), session("two"));
        assert!(mine.made(Some(&mine.form_token())));
        for forged in [None, Some(String::new()), Some("0".repeat(64)), Some(other.form_token()), Some("one".into())] {
            assert!(!mine.made(forged.as_ref()), "{forged:?}");
        }
    }

    #[test]
    fn what_another_page_sends_is_not_from_here() {
        let host = ("host", "ambit.localhost:7000");
        assert!(is_from_here(&headers(&[host])));
        assert!(is_from_here(&headers(&[
            host,
            ("origin", "http://ambit.localhost:7000"),
            ("sec-fetch-site", "same-origin")
        ])));
        for (name, value) in [
            ("origin", "null"),
            ("origin", "http://evil.example"),
            ("origin", "http://ambit.localhost:7001"),
            ("origin", "https://ambit.localhost:7000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
        ] {
            assert!(!is_from_here(&headers(&[host, (name, value)])), "{name}: {value}");
        }
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_over_tls_from_everything_else() {
        let plain = set_session(&headers(&[]), Some("x"));
        assert_eq!(plain, "ambit_session=x; Path=/; HttpOnly; SameSite=Strict");
        let secure =
            headers(&[("x-forwarded-proto", "https"), ("cookie", "a=b; ambit_session=no; __Host-ambit_session=yes")]);
        assert_eq!(
            set_session(&secure, None),
            "__Host-ambit_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0"
        );
        assert_eq!(cookie(&secure, cookie_name(&secure)).as_deref(), Some("yes"));
    }
}
