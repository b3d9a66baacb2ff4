//! A forgotten password.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{secret, text::Fields};
use crate::{
    Kaia, hex,
    http::{extract::Json, problem::Problem},
    limits::Rate,
    outbound::Message,
};

const VALID: TimeDelta = TimeDelta::hours(1);
/// Mails that one address gets.
const MAILS: Rate = Rate { count: 5, milliseconds: 3_600_000 };

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    #[schema(max_length = 254)]
    email: String,
}

/// Ask for a new password
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(post, path = "/auth/forgot", tag = "accounts", request_body = Forgotten,
    responses((status = 202, description = "Where there is such an account, a mail is on its way")))]
pub async fn forgot(State(kaia): State<Arc<Kaia>>, Json(forgotten): Json<Forgotten>) -> Result<StatusCode, Problem> {
    let email = forgotten.email.trim();
    if forgotten.email.chars().count() > 254 || email.contains('\0') {
        return Err(Problem::field("email", "is not an e-mail address"));
    }
    let token = secret::new();
    let hash = secret::hash(&token);
    // One statement in either case.
    let found = sqlx::query!(
        r#"WITH account AS (SELECT id, email, name, language FROM users WHERE lower(email) = lower($1)),
                made AS (INSERT INTO password_resets (token_hash, user_id, expires_at) SELECT $2, id, $3 FROM account)
           SELECT email, name, language FROM account"#,
        email,
        hash,
        Utc::now() + VALID,
    )
    .fetch_optional(&kaia.database)
    .await?;
    if let Some(account) = found {
        let bucket = [(MAILS, format!("reset:{}", hex(&secret::hash(&account.email.to_lowercase()))))];
        if kaia.config.limits.is_none() || kaia.limiter.take(&bucket).await.allowed {
            let (to, name, english) = (account.email, account.name, account.language == "en");
            kaia.post.send(Message::ResetPassword { to, name, token, english });
        }
    }
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(min_length = 1, max_length = 200)]
    token: String,
    #[schema(format = "password", min_length = 8, max_length = 200)]
    password: String,
}

/// Set a new password with the token of the mail
///
/// Every session ends: whoever knew the old password is out.
#[utoipa::path(post, path = "/auth/reset", tag = "accounts", request_body = Reset,
    responses((status = 204, description = "The password is changed")))]
pub async fn reset(State(kaia): State<Arc<Kaia>>, Json(reset): Json<Reset>) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    fields.password("password", &reset.password);
    fields.finish()?;
    let hash = kaia.passwords.hash(reset.password).await?;
    let mut transaction = kaia.database.begin().await?;
    let user = sqlx::query_scalar!(
        "DELETE FROM password_resets WHERE token_hash = $1 AND expires_at > now() RETURNING user_id",
        secret::hash(&reset.token),
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| Problem::field("token", "this link was used, or is too old: ask for another"))?;
    sqlx::query!("UPDATE users SET password_hash = $2 WHERE id = $1", user, hash).execute(&mut *transaction).await?;
    sqlx::query!("DELETE FROM password_resets WHERE user_id = $1", user).execute(&mut *transaction).await?;
    kaia.sessions.end_all(&mut transaction, user, None).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
