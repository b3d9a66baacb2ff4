//! Who asks: a signed token in the `Authorization` header.

use std::{sync::Arc, time::{SystemTime, UNIX_EPOCH}};

use axum::{extract::FromRequestParts, http::{header, request::Parts}};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::{Kaia, config::Config, error::Error};

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

pub fn issue(config: &Config, user: i64) -> Result<String, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let claims = Claims { sub: user.to_string(), exp: now + config.jwt_seconds };
    encode(&Header::default(), &claims, &EncodingKey::from_secret(config.jwt_secret.as_bytes()))
        .map_err(|e| Error::Unavailable(e.to_string()))
}

/// The user whose token came with the request.
pub struct User(pub i64);

impl FromRequestParts<Arc<Kaia>> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, kaia: &Arc<Kaia>) -> Result<Self, Error> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let token = value.strip_prefix("Bearer ").ok_or(Error::Unauthorized)?;
        let key = DecodingKey::from_secret(kaia.config.jwt_secret.as_bytes());
        let claims = decode::<Claims>(token, &key, &Validation::default()).map_err(|_| Error::Unauthorized)?.claims;
        claims.sub.parse().map(User).map_err(|_| Error::Unauthorized)
    }
}
