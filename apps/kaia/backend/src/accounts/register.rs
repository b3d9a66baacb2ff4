//! A new account: asked for, then confirmed by mail. Nobody learns here which addresses have one.

use std::sync::Arc;

use axum::{Json as Answer, extract::State, http::StatusCode};
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    secret,
    sessions::{self, TokenPair},
    text::Fields,
};
use crate::{
    Kaia,
    http::{extract::Json, problem::Problem},
    outbound::Message,
};

/// How long the link in the mail is good.
const VALID: TimeDelta = TimeDelta::hours(48);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[schema(format = "email", max_length = 254, example = "ana@kaia.ai")]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(format = "password", min_length = 8, max_length = 200)]
    password: String,
}

/// Ask for an account
///
/// The answer is the same whether or not the address has one already; a mail tells its owner.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", request_body = Registration,
    responses((status = 202, description = "A mail is on its way")))]
pub async fn register(State(kaia): State<Arc<Kaia>>, Json(new): Json<Registration>) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    let (email, name) = (fields.email("email", &new.email), fields.line("name", &new.name, 200));
    fields.password("password", &new.password);
    fields.finish()?;
    // Hashed in any case: the time of an answer tells nothing either.
    let hash = kaia.passwords.hash(new.password).await?;
    let known = sqlx::query_scalar!("SELECT id FROM users WHERE lower(email) = lower($1)", email)
        .fetch_optional(&kaia.database)
        .await?;
    if known.is_some() {
        kaia.post.send(Message::AddressKnown { to: email, name });
        return Ok(StatusCode::ACCEPTED);
    }
    let token = secret::new();
    sqlx::query!(
        "INSERT INTO registrations (email, name, password_hash, token_hash, expires_at) VALUES ($1, $2, $3, $4, $5)",
        email,
        name,
        hash,
        secret::hash(&token),
        Utc::now() + VALID,
    )
    .execute(&kaia.database)
    .await?;
    kaia.post.send(Message::VerifyAddress { to: email, name, token });
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// From the link in the mail.
    #[schema(min_length = 1, max_length = 200)]
    token: String,
}

/// Confirm the address of a new account
#[utoipa::path(post, path = "/auth/verify", tag = "accounts", request_body = Verification,
    responses((status = 200, description = "The account is there, and logged in", body = TokenPair)))]
pub async fn verify(
    State(kaia): State<Arc<Kaia>>,
    Json(verification): Json<Verification>,
) -> Result<Answer<TokenPair>, Problem> {
    let refused = || Problem::field("token", "this link was used, or is too old: register again");
    let mut transaction = kaia.database.begin().await?;
    let pending = sqlx::query!(
        "DELETE FROM registrations WHERE token_hash = $1 AND expires_at > now() RETURNING email, name, password_hash",
        secret::hash(&verification.token),
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(refused)?;
    let user = sqlx::query_scalar!(
        "INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id",
        pending.email,
        pending.name,
        pending.password_hash,
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(refused)?;
    // Whoever else asked for this address did not read its mail.
    sqlx::query!("DELETE FROM registrations WHERE lower(email) = lower($1)", pending.email)
        .execute(&mut *transaction)
        .await?;
    let pair = sessions::begin(&mut transaction, &kaia.tokens, user).await?;
    transaction.commit().await?;
    Ok(Answer(pair))
}
