//! A creation that is repeated makes nothing twice: the client names it (`Idempotency-Key`), and what it made is kept for a
//! day, in the same transaction as what it made.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::model::NewEvent;
use crate::http::problem::Problem;

/// What the client calls its request.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::field("Idempotency-Key", "is 1 to 255 letters, digits and signs of ASCII"));
    }
    Ok(Some(text.to_owned()))
}

/// What is the same request.
pub fn digest(new: &NewEvent) -> Result<Vec<u8>, Problem> {
    Ok(Sha256::digest(serde_json::to_vec(new).map_err(Problem::internal)?).to_vec())
}

/// What the same request made before. One that runs at this moment is waited for.
pub async fn made_before(
    database: &mut PgConnection,
    user: i64,
    key: &str,
    request: &[u8],
) -> Result<Option<i64>, Problem> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", key, user).execute(&mut *database).await?;
    let before =
        sqlx::query!("SELECT request_hash, event_id FROM idempotency_keys WHERE user_id = $1 AND key = $2", user, key,)
            .fetch_optional(database)
            .await?;
    match before {
        Some(before) if before.request_hash != request => {
            Err(Problem::field("Idempotency-Key", "was used for another request"))
        }
        before => Ok(before.map(|b| b.event_id)),
    }
}

pub async fn remember(
    database: &mut PgConnection,
    user: i64,
    key: &str,
    request: &[u8],
    event: i64,
) -> Result<(), Problem> {
    sqlx::query!(
        "INSERT INTO idempotency_keys (user_id, key, request_hash, event_id) VALUES ($1, $2, $3, $4)",
        user,
        key,
        request,
        event,
    )
    .execute(database)
    .await?;
    Ok(())
}
