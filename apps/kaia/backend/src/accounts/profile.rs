//! Who am I, and what is to be different about it.

use std::sync::Arc;

use axum::{Json as Answer, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text::Fields;
use crate::{
    Kaia,
    http::{extract::Json, identity::User, problem::Problem},
    limits::Rate,
};

/// Guesses at the present password by whoever holds a token.
const GUESSES: Rate = Rate::a_minute(5);

/// Somebody with an account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct Profile {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub phone: Option<String>,
    #[schema(example = "Europe/Madrid")]
    pub time_zone: String,
    #[schema(example = "es")]
    pub language: String,
    /// `user` or `admin`.
    #[schema(example = "user")]
    pub role: String,
    pub onboarding_completed: bool,
    pub created_at: DateTime<Utc>,
}

/// Who am I
#[utoipa::path(get, path = "/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "You", body = Profile)))]
pub async fn show(State(kaia): State<Arc<Kaia>>, user: User) -> Result<Answer<Profile>, Problem> {
    let found = sqlx::query_as!(
        Profile,
        "SELECT id, email, name, phone, time_zone, language, role, onboarding_completed, created_at FROM users WHERE id = $1",
        user.id,
    )
    .fetch_optional(&kaia.database)
    .await?;
    found.map(Answer).ok_or(Problem::Unauthorized("the account is gone"))
}

/// What is to be different; what is not named stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// An empty text takes it away.
    #[schema(pattern = r"^(\+[1-9][0-9]{7,14})?$", example = "+34600123456")]
    phone: Option<String>,
    #[schema(example = "Europe/Madrid")]
    time_zone: Option<String>,
    #[schema(pattern = "^(es|en)$", example = "es")]
    language: Option<String>,
}

/// Change the profile
#[utoipa::path(patch, path = "/me", tag = "accounts", security(("bearer" = [])), request_body = ProfileChange,
    responses((status = 200, description = "You, as changed", body = Profile)))]
pub async fn change(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Json(change): Json<ProfileChange>,
) -> Result<Answer<Profile>, Problem> {
    apply(&kaia, &user, change, false).await
}

/// What somebody says on first use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Onboarding {
    #[schema(example = "Europe/Madrid")]
    time_zone: String,
    #[schema(pattern = "^(es|en)$", example = "es")]
    language: String,
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(pattern = r"^(\+[1-9][0-9]{7,14})?$", example = "+34600123456")]
    phone: Option<String>,
}

/// Finish the first steps
#[utoipa::path(put, path = "/me/onboarding", tag = "accounts", security(("bearer" = [])), request_body = Onboarding,
    responses((status = 200, description = "You, as changed", body = Profile)))]
pub async fn onboard(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Json(said): Json<Onboarding>,
) -> Result<Answer<Profile>, Problem> {
    let change = ProfileChange {
        name: said.name,
        phone: said.phone,
        time_zone: Some(said.time_zone),
        language: Some(said.language),
    };
    apply(&kaia, &user, change, true).await
}

async fn apply(kaia: &Kaia, user: &User, change: ProfileChange, onboarded: bool) -> Result<Answer<Profile>, Problem> {
    let mut fields = Fields::default();
    let name = change.name.map(|n| fields.line("name", &n, 200));
    let phone_named = change.phone.is_some();
    let phone = change.phone.filter(|p| !p.is_empty());
    if let Some(phone) = &phone {
        fields.phone("phone", phone);
    }
    if let Some(zone) = &change.time_zone {
        fields.time_zone("time_zone", zone);
    }
    if let Some(language) = &change.language {
        fields.language("language", language);
    }
    fields.finish()?;
    let found = sqlx::query_as!(
        Profile,
        "UPDATE users SET name = coalesce($2, name), phone = CASE WHEN $3 THEN $4 ELSE phone END,
             time_zone = coalesce($5, time_zone), language = coalesce($6, language),
             onboarding_completed = onboarding_completed OR $7
         WHERE id = $1
         RETURNING id, email, name, phone, time_zone, language, role, onboarding_completed, created_at",
        user.id,
        name,
        phone_named,
        phone,
        change.time_zone,
        change.language,
        onboarded,
    )
    .fetch_optional(&kaia.database)
    .await?;
    found.map(Answer).ok_or(Problem::Unauthorized("the account is gone"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = "password", max_length = 200)]
    current_password: String,
    #[schema(format = "password", min_length = 8, max_length = 200)]
    new_password: String,
}

/// Change the password
///
/// All other sessions end.
#[utoipa::path(put, path = "/me/password", tag = "accounts", security(("bearer" = [])), request_body = PasswordChange,
    responses((status = 204, description = "It is changed")))]
pub async fn change_password(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    fields.password("new_password", &change.new_password);
    fields.finish()?;
    if kaia.config.limits.is_some() {
        let verdict = kaia.limiter.take(&[(GUESSES, format!("password:{}", user.id))]).await;
        if !verdict.allowed {
            return Err(Problem::TooMany(verdict.retry_after()));
        }
    }
    let stored = sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1", user.id)
        .fetch_optional(&kaia.database)
        .await?;
    if !kaia.passwords.matches(change.current_password, stored).await? {
        return Err(Problem::field("current_password", "this is not your password"));
    }
    let hash = kaia.passwords.hash(change.new_password).await?;
    let mut transaction = kaia.database.begin().await?;
    sqlx::query!("UPDATE users SET password_hash = $2 WHERE id = $1", user.id, hash).execute(&mut *transaction).await?;
    kaia.sessions.end_all(&mut transaction, user.id, Some(user.session)).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
