//! The events of the user who asks. Other people's are not there.

use std::sync::Arc;

use axum::{Json, extract::{Path, State}, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Kaia, error::Error, tokens::User};

#[derive(Serialize, sqlx::FromRow)]
pub struct Event {
    id: i64,
    title: String,
    description: String,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
}

#[derive(Deserialize)]
pub struct New {
    title: String,
    #[serde(default)]
    description: String,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
}

#[derive(Deserialize)]
pub struct Change {
    title: Option<String>,
    description: Option<String>,
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
}

fn check(title: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<(), Error> {
    if title.trim().is_empty() || title.len() > 500 {
        return Err(Error::Invalid("title", "a title has 1 to 500 characters"));
    }
    if end < start {
        return Err(Error::Invalid("end_time", "an event ends after it begins"));
    }
    Ok(())
}

pub async fn list(State(kaia): State<Arc<Kaia>>, User(user): User) -> Result<Json<Vec<Event>>, Error> {
    let events = sqlx::query_as("SELECT id, title, description, start_time, end_time FROM events WHERE user_id = $1 ORDER BY start_time LIMIT 500")
        .bind(user)
        .fetch_all(&kaia.database)
        .await?;
    Ok(Json(events))
}

pub async fn create(
    State(kaia): State<Arc<Kaia>>,
    User(user): User,
    Json(new): Json<New>,
) -> Result<(StatusCode, Json<Event>), Error> {
    check(&new.title, new.start_time, new.end_time)?;
    let event = sqlx::query_as("INSERT INTO events (user_id, title, description, start_time, end_time) VALUES ($1, $2, $3, $4, $5) RETURNING id, title, description, start_time, end_time")
        .bind(user)
        .bind(new.title.trim())
        .bind(&new.description)
        .bind(new.start_time)
        .bind(new.end_time)
        .fetch_one(&kaia.database)
        .await?;
    Ok((StatusCode::CREATED, Json(event)))
}

async fn find(kaia: &Kaia, user: i64, id: i64) -> Result<Event, Error> {
    sqlx::query_as("SELECT id, title, description, start_time, end_time FROM events WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user)
        .fetch_optional(&kaia.database)
        .await?
        .ok_or(Error::NotFound)
}

pub async fn show(State(kaia): State<Arc<Kaia>>, User(user): User, Path(id): Path<i64>) -> Result<Json<Event>, Error> {
    Ok(Json(find(&kaia, user, id).await?))
}

pub async fn change(
    State(kaia): State<Arc<Kaia>>,
    User(user): User,
    Path(id): Path<i64>,
    Json(change): Json<Change>,
) -> Result<Json<Event>, Error> {
    let old = find(&kaia, user, id).await?;
    let event = Event {
        id,
        title: change.title.unwrap_or(old.title),
        description: change.description.unwrap_or(old.description),
        start_time: change.start_time.unwrap_or(old.start_time),
        end_time: change.end_time.unwrap_or(old.end_time),
    };
    check(&event.title, event.start_time, event.end_time)?;
    sqlx::query("UPDATE events SET title = $3, description = $4, start_time = $5, end_time = $6 WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user)
        .bind(&event.title)
        .bind(&event.description)
        .bind(event.start_time)
        .bind(event.end_time)
        .execute(&kaia.database)
        .await?;
    Ok(Json(event))
}

pub async fn delete(State(kaia): State<Arc<Kaia>>, User(user): User, Path(id): Path<i64>) -> Result<StatusCode, Error> {
    let gone = sqlx::query("DELETE FROM events WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user)
        .execute(&kaia.database)
        .await?;
    if gone.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(StatusCode::NO_CONTENT) }
}
