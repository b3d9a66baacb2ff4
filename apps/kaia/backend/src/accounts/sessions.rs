//! Logins that last. A session is a family of refresh tokens of which each is good once.
//!
//! A refresh token that comes back after it was used means that two people have it, and nobody can tell which of them is the
//! right one: the session ends for both. That is strict on purpose; a client refreshes once at a time, and one whose answer
//! got lost logs in again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;

use super::{
    secret,
    tokens::{Claims, Tokens},
};
use crate::http::problem::Problem;

/// An access token of a session that was ended by another instance holds at most so much longer.
const REMEMBERED: Duration = Duration::from_secs(5);
const MOST: usize = 20_000;

/// What a client gets when it logs in.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    access_token: String,
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How many seconds the access token holds.
    expires_in: i64,
}

/// Which sessions were found alive a moment ago.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<i64, (i64, Instant)>>);

impl Sessions {
    /// Whether the session is this user's and has not ended.
    pub async fn lives(&self, database: &PgPool, session: i64, user: i64) -> Result<bool, Problem> {
        let known = self.lock().get(&session).copied();
        if known.is_some_and(|(of, at)| of == user && at.elapsed() < REMEMBERED) {
            return Ok(true);
        }
        let lives = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND user_id = $2 AND ended_at IS NULL) AS "lives!""#,
            session,
            user,
        )
        .fetch_one(database)
        .await?;
        let mut known = self.lock();
        if !lives {
            known.remove(&session);
            return Ok(false);
        }
        if known.len() >= MOST {
            known.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(session, (user, Instant::now()));
        Ok(true)
    }

    fn forget_user(&self, user: i64, except: Option<i64>) {
        self.lock().retain(|session, (of, _)| *of != user || Some(*session) == except);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (i64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends one.
    pub async fn end(&self, database: &mut PgConnection, session: i64) -> Result<(), Problem> {
        sqlx::query!("UPDATE sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL", session)
            .execute(database)
            .await?;
        self.lock().remove(&session);
        Ok(())
    }

    /// Ends all of a user's, or all but one.
    pub async fn end_all(&self, database: &mut PgConnection, user: i64, except: Option<i64>) -> Result<(), Problem> {
        sqlx::query!(
            "UPDATE sessions SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2",
            user,
            except,
        )
        .execute(database)
        .await?;
        self.forget_user(user, except);
        Ok(())
    }
}

/// Begins one.
pub async fn begin(database: &mut PgConnection, tokens: &Tokens, user: i64) -> Result<TokenPair, Problem> {
    let session = sqlx::query_scalar!("INSERT INTO sessions (user_id) VALUES ($1) RETURNING id", user)
        .fetch_one(&mut *database)
        .await?;
    pair(database, tokens, Claims { user, session }).await
}

async fn pair(database: &mut PgConnection, tokens: &Tokens, claims: Claims) -> Result<TokenPair, Problem> {
    let refresh_token = tokens.issue_refresh(claims)?;
    sqlx::query!(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, $3)",
        secret::hash(&refresh_token),
        claims.session,
        Utc::now() + TimeDelta::seconds(tokens.refresh_seconds()),
    )
    .execute(database)
    .await?;
    Ok(TokenPair {
        access_token: tokens.issue_access(claims)?,
        refresh_token,
        token_type: "Bearer",
        expires_in: tokens.access_seconds(),
    })
}

const REFUSED: Problem = Problem::Unauthorized("the refresh token does not hold, or not any more");

/// The next tokens of a session, for its newest refresh token.
pub async fn refresh(
    sessions: &Sessions,
    database: &PgPool,
    tokens: &Tokens,
    refresh_token: &str,
) -> Result<TokenPair, Problem> {
    let claims = tokens.refresh(refresh_token).ok_or(REFUSED)?;
    let mut transaction = database.begin().await?;
    // The lock lets one of two at once be first; the other one comes second, which ends the session.
    let found = sqlx::query!(
        r#"SELECT t.used_at IS NOT NULL AS "used!", t.expires_at, s.ended_at IS NOT NULL AS "ended!"
           FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
           WHERE t.token_hash = $1 AND t.session_id = $2 AND s.user_id = $3 FOR UPDATE OF t"#,
        secret::hash(refresh_token),
        claims.session,
        claims.user,
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or(REFUSED)?;
    if found.ended || found.expires_at < Utc::now() {
        return Err(REFUSED);
    }
    if found.used {
        sessions.end(&mut transaction, claims.session).await?;
        transaction.commit().await?;
        tracing::warn!(session = claims.session, "a refresh token came back: the session is ended");
        return Err(REFUSED);
    }
    sqlx::query!("UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1", secret::hash(refresh_token))
        .execute(&mut *transaction)
        .await?;
    let pair = pair(&mut transaction, tokens, claims).await?;
    transaction.commit().await?;
    Ok(pair)
}
