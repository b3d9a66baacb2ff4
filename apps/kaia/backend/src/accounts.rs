//! Register, login, who am I.

use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::{SaltString, rand_core::OsRng}};
use axum::{Json, extract::State, http::{HeaderMap, StatusCode}};
use redis::AsyncCommands;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Kaia, error::Error, tokens::{User, issue}};

/// Attempts to log in with one address from one place, and for how many seconds they count.
const ATTEMPTS: i64 = 5;
const WINDOW: i64 = 60;

#[derive(Deserialize)]
pub struct Registration {
    email: String,
    name: String,
    password: String,
}

#[derive(Deserialize)]
pub struct Login {
    email: String,
    password: String,
}

pub async fn register(
    State(kaia): State<Arc<Kaia>>,
    Json(new): Json<Registration>,
) -> Result<(StatusCode, Json<Value>), Error> {
    let email = new.email.trim().to_owned();
    if email.len() > 254 || email.split_once('@').is_none_or(|(l, d)| l.is_empty() || !d.contains('.')) {
        return Err(Error::Invalid("email", "this is not an e-mail address"));
    }
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.len() > 200 {
        return Err(Error::Invalid("name", "a name has 1 to 200 characters"));
    }
    if new.password.len() < 8 || new.password.len() > 200 {
        return Err(Error::Invalid("password", "a password has 8 to 200 characters"));
    }
    let hash = {
        let _one = kaia.hashing.acquire().await.map_err(|e| Error::Unavailable(e.to_string()))?;
        let password = new.password;
        tokio::task::spawn_blocking(move || hash(&password)).await.map_err(|e| Error::Unavailable(e.to_string()))??
    };
    let id: i64 = sqlx::query_scalar("INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) RETURNING id")
        .bind(&email)
        .bind(&name)
        .bind(&hash)
        .fetch_one(&kaia.database)
        .await?;
    Ok((StatusCode::CREATED, Json(json!({ "token": issue(&kaia.config, id)?, "user": { "id": id, "email": email, "name": name } }))))
}

pub async fn login(
    State(kaia): State<Arc<Kaia>>,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Json<Value>, Error> {
    if kaia.config.rate_limit {
        limit(&kaia, &headers, &login.email).await?;
    }
    let found: Option<(i64, String)> =
        sqlx::query_as("SELECT id, password_hash FROM users WHERE lower(email) = lower($1)")
            .bind(login.email.trim())
            .fetch_optional(&kaia.database)
            .await?;
    let (id, stored) = found.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
    let password = login.password;
    let _one = kaia.hashing.acquire().await.map_err(|e| Error::Unavailable(e.to_string()))?;
    let right = tokio::task::spawn_blocking(move || match stored {
        Some(stored) => PasswordHash::new(&stored)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
        None => {
            // As much work as for an account that exists, so that the time tells nothing.
            let _ = hash(&password);
            false
        }
    })
    .await
    .map_err(|e| Error::Unavailable(e.to_string()))?;
    let id = id.filter(|_| right).ok_or(Error::Unauthorized)?;
    Ok(Json(json!({ "token": issue(&kaia.config, id)? })))
}

pub async fn me(State(kaia): State<Arc<Kaia>>, User(id): User) -> Result<Json<Value>, Error> {
    let found: Option<(String, String, bool)> =
        sqlx::query_as("SELECT email, name, onboarding_completed FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(&kaia.database)
            .await?;
    let (email, name, onboarding) = found.ok_or(Error::Unauthorized)?;
    Ok(Json(json!({ "id": id, "email": email, "name": name, "onboarding_completed": onboarding })))
}

/// Counts attempts in a window that begins with the first one.
async fn limit(kaia: &Kaia, headers: &HeaderMap, email: &str) -> Result<(), Error> {
    // The proxy writes this header itself; what a client sends of it never arrives.
    let from = headers.get("x-forwarded-for").and_then(|v| v.to_str().ok()).unwrap_or("local");
    let key = format!("login:{from}:{}", email.trim().to_lowercase().chars().take(254).collect::<String>());
    let mut cache = kaia.cache.clone();
    let count: i64 = cache.incr(&key, 1).await?;
    if count == 1 {
        let () = cache.expire(&key, WINDOW).await?;
    }
    if count > ATTEMPTS {
        return Err(Error::TooMany(cache.ttl(&key).await?));
    }
    Ok(())
}

pub fn hash(password: &str) -> Result<String, Error> {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map(|h| h.to_string())
        .map_err(|e| Error::Unavailable(e.to_string()))
}
