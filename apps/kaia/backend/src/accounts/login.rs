//! Log in, stay logged in, log out.

use std::sync::Arc;

use axum::{Json as Answer, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    secret,
    sessions::{self, TokenPair},
};
use crate::{
    Kaia, hex,
    http::{extract::Json, identity::Caller, problem::Problem},
    limits::Rate,
};

/// Attempts at one account from one address, and at all accounts from one address. Guessing from many addresses meets the
/// third: slow enough for a guesser, wide enough for an owner with bad memory.
const AT_ONE: Rate = Rate::a_minute(5);
const FROM_ONE: Rate = Rate::a_minute(60);
const IN_ALL: Rate = Rate { count: 100, milliseconds: 3_600_000 };

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(max_length = 254, example = "dev@kaia.ai")]
    email: String,
    #[schema(format = "password", max_length = 200)]
    password: String,
}

const WRONG: Problem = Problem::Unauthorized("the address or the password is wrong");

/// Log in
#[utoipa::path(post, path = "/auth/login", tag = "accounts", request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = TokenPair),
        (status = 403, description = "The right password of an account whose address is not verified yet",
            body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
    ))]
pub async fn login(
    State(kaia): State<Arc<Kaia>>,
    caller: Caller,
    Json(login): Json<Login>,
) -> Result<Answer<TokenPair>, Problem> {
    let email = login.email.trim();
    attempt(&kaia, &caller, email).await?;
    if email.len() > 254 || email.contains('\0') || login.password.chars().count() > 200 {
        // As long as for any other wrong one.
        kaia.passwords.matches(String::new(), None).await?;
        return Err(WRONG);
    }
    let account = sqlx::query!("SELECT id, password_hash FROM users WHERE lower(email) = lower($1)", email)
        .fetch_optional(&kaia.database)
        .await?;
    let pending = sqlx::query_scalar!(
        "SELECT password_hash FROM registrations WHERE lower(email) = lower($1) AND expires_at > now() ORDER BY id DESC LIMIT 1",
        email,
    )
    .fetch_optional(&kaia.database)
    .await?;
    let (user, stored) = account.map_or((None, pending), |a| (Some(a.id), Some(a.password_hash)));
    if !kaia.passwords.matches(login.password, stored).await? {
        return Err(WRONG);
    }
    let user = user.ok_or(Problem::EmailNotVerified)?;
    let mut transaction = kaia.database.begin().await?;
    let pair = sessions::begin(&mut transaction, &kaia.tokens, user).await?;
    transaction.commit().await?;
    Ok(Answer(pair))
}

/// Counts an attempt. Also those of people who know their password: whether they do is not known yet.
async fn attempt(kaia: &Kaia, caller: &Caller, email: &str) -> Result<(), Problem> {
    if kaia.config.limits.is_none() {
        return Ok(());
    }
    // Hashed: addresses of people are nothing for a cache.
    let account = hex(&secret::hash(&email.to_lowercase()));
    let from = caller.address;
    let buckets = [
        (FROM_ONE, format!("login:{from}")),
        (AT_ONE, format!("login:{from}:{account}")),
        (IN_ALL, format!("login:{account}")),
    ];
    let verdict = kaia.limiter.take(&buckets).await;
    if verdict.allowed { Ok(()) } else { Err(Problem::TooMany(verdict.retry_after())) }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[schema(min_length = 1, max_length = 2000)]
    refresh_token: String,
}

impl Refresh {
    fn check(&self) -> Result<(), Problem> {
        let length = self.refresh_token.len();
        if (1..=2000).contains(&length) {
            Ok(())
        } else {
            Err(Problem::field("refresh_token", "is one that was issued"))
        }
    }
}

/// The next pair of tokens
///
/// A refresh token is good once. One that comes back ends the session: refresh one at a time.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", request_body = Refresh,
    responses((status = 200, description = "The next tokens", body = TokenPair)))]
pub async fn refresh(
    State(kaia): State<Arc<Kaia>>,
    Json(refresh): Json<Refresh>,
) -> Result<Answer<TokenPair>, Problem> {
    refresh.check()?;
    sessions::refresh(&kaia.sessions, &kaia.database, &kaia.tokens, &refresh.refresh_token).await.map(Answer)
}

/// End the session
///
/// Whoever holds a token of it may; one that does not hold any more has nothing to end.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", request_body = Refresh,
    responses((status = 204, description = "It has ended")))]
pub async fn logout(State(kaia): State<Arc<Kaia>>, Json(refresh): Json<Refresh>) -> Result<StatusCode, Problem> {
    refresh.check()?;
    if let Some(claims) = kaia.tokens.refresh(&refresh.refresh_token) {
        let mut connection = kaia.database.acquire().await?;
        kaia.sessions.end(&mut connection, claims.session).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
