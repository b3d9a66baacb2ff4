//! Who asks. The token's signature is checked once, before anything else looks at it; whether its session still lives is
//! asked by the routes that need somebody.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};

use super::problem::Problem;
use crate::{Kaia, accounts::tokens::Claims};

/// What the request says of who sent it.
#[derive(Clone)]
pub struct Caller {
    /// The address that it came from.
    pub address: IpAddr,
    /// `None` without a token, an error with one that does not hold.
    claims: Option<Result<Claims, ()>>,
}

impl Caller {
    /// Whose requests are counted together.
    pub fn key(&self) -> String {
        match &self.claims {
            Some(Ok(claims)) => format!("user:{}", claims.user),
            _ => format!("address:{}", self.address),
        }
    }
}

pub async fn find(State(kaia): State<Arc<Kaia>>, mut request: Request, next: Next) -> Response {
    let address = address(&request);
    let claims = bearer(request.headers()).map(|token| kaia.tokens.access(token).ok_or(()));
    request.extensions_mut().insert(Caller { address, claims });
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

/// A proxy in front says whom it speaks for. Only one that is near is believed, and only the last name in the list is its
/// own word; the others are the client's.
fn address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let near = match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    };
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
    let named = forwarded.and_then(|v| v.rsplit(',').next()).and_then(|v| v.trim().parse().ok());
    named.filter(|_| near).unwrap_or(peer)
}

impl FromRequestParts<Arc<Kaia>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Kaia>) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("nobody looked who asks"))
    }
}

/// Somebody who is logged in.
pub struct User {
    pub id: i64,
    pub session: i64,
}

impl FromRequestParts<Arc<Kaia>> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, kaia: &Arc<Kaia>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, kaia).await?;
        let claims = match caller.claims {
            Some(Ok(claims)) => claims,
            Some(Err(())) => return Err(Problem::Unauthorized("the token does not hold, or not any more")),
            None => return Err(Problem::Unauthorized("send an access token: Authorization: Bearer …")),
        };
        if !kaia.sessions.lives(&kaia.database, claims.session, claims.user).await? {
            return Err(Problem::Unauthorized("the session has ended"));
        }
        Ok(Self { id: claims.user, session: claims.session })
    }
}

/// Somebody who is logged in and is an administrator at this moment.
pub struct Admin;

impl FromRequestParts<Arc<Kaia>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, kaia: &Arc<Kaia>) -> Result<Self, Problem> {
        let user = User::from_request_parts(parts, kaia).await?;
        let role =
            sqlx::query_scalar!("SELECT role FROM users WHERE id = $1", user.id).fetch_optional(&kaia.database).await?;
        if role.as_deref() == Some("admin") { Ok(Self) } else { Err(Problem::Forbidden) }
    }
}
