//! Making, reading, changing and deleting one event.

use std::sync::Arc;

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::Utc;

use super::{
    idempotency,
    model::{Event, EventChange, NewEvent},
    store,
};
use crate::{
    Kaia,
    http::{
        extract::{Id, Json},
        identity::User,
        problem::Problem,
    },
};

/// Make an event
#[utoipa::path(post, path = "/events", tag = "events", security(("bearer" = [])), request_body = NewEvent,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A name of the client's for this request: repeated with the same name it makes nothing new")),
    responses(
        (status = 201, description = "The event", body = Event),
        (status = 409, description = "What the repeated request made was deleted since, or too much recurs",
            body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
    ))]
pub async fn create(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    headers: HeaderMap,
    Json(new): Json<NewEvent>,
) -> Result<(StatusCode, Answer<Event>), Problem> {
    let key = idempotency::key(&headers)?;
    let request = idempotency::digest(&new)?;
    let checked = new.checked(Utc::now()).await?;
    let mut transaction = kaia.database.begin().await?;
    if let Some(key) = &key
        && let Some(event) = idempotency::made_before(&mut transaction, user.id, key, &request).await?
    {
        let event = store::find(&mut transaction, user.id, event).await.map_err(|problem| match problem {
            Problem::NotFound => Problem::Conflict("this request made an event that was deleted since"),
            other => other,
        })?;
        return Ok((StatusCode::CREATED, Answer(event)));
    }
    let made = store::insert(&mut transaction, user.id, &checked, None).await?;
    let made = made.ok_or_else(|| Problem::internal("nothing was inserted"))?;
    if let Some(key) = &key {
        idempotency::remember(&mut transaction, user.id, key, &request, made.id).await?;
    }
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Answer(made)))
}

/// Read an event
#[utoipa::path(get, path = "/events/{id}", tag = "events", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, description = "The event", body = Event)))]
pub async fn show(State(kaia): State<Arc<Kaia>>, user: User, Id(id): Id) -> Result<Answer<Event>, Problem> {
    let mut connection = kaia.database.acquire().await?;
    store::find(&mut connection, user.id, id).await.map(Answer)
}

/// Change an event
///
/// What is not named stays. An event that recurs changes as a whole.
#[utoipa::path(patch, path = "/events/{id}", tag = "events", security(("bearer" = [])), request_body = EventChange,
    params(("id" = i64, Path)),
    responses(
        (status = 200, description = "The event, as changed", body = Event),
        (status = 409, description = "Too much recurs",
            body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
    ))]
pub async fn change(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Id(id): Id,
    Json(change): Json<EventChange>,
) -> Result<Answer<Event>, Problem> {
    let mut transaction = kaia.database.begin().await?;
    let old = store::find_to_change(&mut transaction, user.id, id).await?;
    let recurred = old.recurrence.is_some();
    let checked = change.apply(old).checked(Utc::now()).await?;
    if checked.event.recurrence.is_some() && !recurred {
        store::room_for_one_more(&mut transaction, user.id).await?;
    }
    let event = store::update(&mut transaction, user.id, id, &checked).await?;
    transaction.commit().await?;
    Ok(Answer(event))
}

/// Delete an event
#[utoipa::path(delete, path = "/events/{id}", tag = "events", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 204, description = "It is gone")))]
pub async fn delete(State(kaia): State<Arc<Kaia>>, user: User, Id(id): Id) -> Result<StatusCode, Problem> {
    store::delete(&kaia.database, user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
