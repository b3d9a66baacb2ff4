//! Asks a daemon on another machine, by its HTTP API and with a token.

use ambit_cloud::Http;
use ambit_domain::{Failure, FailureKind};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A dashboard elsewhere.
pub struct Remote {
    base: String,
    headers: HeaderMap,
    http: Http,
}

impl Remote {
    /// The dashboard at an address, for whoever has the token. Without TLS only what lies on this machine is asked.
    pub fn new(address: &str, token: &str) -> Result<Self, Failure> {
        let base = address.trim_end_matches('/').to_owned();
        let wrong = |why: &str| Failure::new(FailureKind::User, format!("`{}` {why}", address.escape_debug()));
        let uri: Uri = base.parse().map_err(|_| wrong("is no address"))?;
        let host = uri.host().unwrap_or_default();
        let here = ["127.0.0.1", "[::1]", "localhost"].contains(&host) || host.ends_with(".localhost");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            _ => return Err(wrong("is not asked: a token is sent by https alone")),
        }
        // Not every machine's resolver knows that such names are its own (RFC 6761, section 6.3).
        let base = if host.ends_with(".localhost") { base.replacen(host, "127.0.0.1", 1) } else { base };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| {
            Failure::new(FailureKind::User, "AMBIT_TOKEN is no token").hint("ambit token create, on the other machine")
        })?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        let http = Http::new().map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
        Ok(Self { base, headers, http })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None).await
    }

    /// Has something done.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T, Failure> {
        let uri = format!("{}{}{path}", self.base, crate::dashboard::BASE).parse::<Uri>();
        let uri = uri.map_err(|e| Failure::from_error(FailureKind::User, &e))?;
        let json = body.map(|body| body.to_string().into_bytes());
        let answer = self.http.call(method, &uri, self.headers.clone(), json).await.map_err(|error| {
            Failure::from_error(FailureKind::Machine, &error).because(format!("{} was asked", self.base))
        })?;
        let strange = |error: &serde_json::Error| {
            Failure::new(
                FailureKind::Machine,
                format!("{} answered {} and nothing that is understood", self.base, answer.status),
            )
            .because(error.to_string())
            .hint("is this the address that `ambit dashboard` prints there?")
        };
        if answer.status.is_success() {
            return serde_json::from_str(&answer.body).map_err(|e| strange(&e));
        }
        let told = serde_json::from_str::<Told>(&answer.body).map_err(|e| strange(&e))?;
        Err(told.error)
    }
}

#[derive(serde::Deserialize)]
struct Told {
    error: Failure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        for good in
            ["https://ambit.kaia.ai", "https://ambit.kaia.ai/", "http://ambit.localhost:7000", "http://127.0.0.1:7000"]
        {
            assert!(Remote::new(good, "ambit_x").is_ok(), "{good}");
        }
        for bad in [
            "",
            "ambit.kaia.ai",
            "http://ambit.kaia.ai",
            "http://127.0.0.1.evil.example",
            "ftp://x",
            "http://localhost.evil.example",
        ] {
            assert!(Remote::new(bad, "ambit_x").is_err(), "{bad}");
        }
        assert!(Remote::new("https://ambit.kaia.ai", "a\nb").is_err());
    }
}
