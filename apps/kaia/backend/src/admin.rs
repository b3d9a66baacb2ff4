//! The area of administrators.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Kaia,
    accounts::profile::Profile,
    events::{cursor::Cursor, model::Event},
    http::{extract::Query, identity::Admin, problem::Problem},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskedUsers {
    /// A part of a name or an address.
    #[param(max_length = 200)]
    search: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct UserPage {
    items: Vec<Profile>,
    next_cursor: Option<String>,
}

fn checked(limit: Option<i64>) -> Result<i64, Problem> {
    let limit = limit.unwrap_or(20);
    if (1..=100).contains(&limit) { Ok(limit) } else { Err(Problem::field("limit", "is a number from 1 to 100")) }
}

fn before(cursor: Option<&str>) -> Result<i64, Problem> {
    Ok(cursor.map(Cursor::read).transpose()?.map_or(i64::MAX, |c| c.id))
}

/// Removes what is beyond the page, and says where the next one begins.
fn next<T>(items: &mut Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(|last| cursor(last).write())
}

/// Users, newest first
#[utoipa::path(get, path = "/admin/users", tag = "admin", security(("bearer" = [])), params(AskedUsers),
    responses((status = 200, description = "A page of them", body = UserPage)))]
pub async fn users(
    _: Admin,
    State(kaia): State<Arc<Kaia>>,
    Query(asked): Query<AskedUsers>,
) -> Result<Answer<UserPage>, Problem> {
    let limit = checked(asked.limit)?;
    let search = asked.search.unwrap_or_default();
    if search.chars().count() > 200 || search.contains('\0') {
        return Err(Problem::field("search", "has at most 200 characters"));
    }
    // What people search for is a text, not a pattern.
    let pattern = format!("%{}%", search.trim().replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_"));
    let mut items = sqlx::query_as!(
        Profile,
        "SELECT id, email, name, phone, time_zone, language, role, onboarding_completed, created_at FROM users
         WHERE id < $1 AND ($2 = '%%' OR email ILIKE $2 OR name ILIKE $2) ORDER BY id DESC LIMIT $3",
        before(asked.cursor.as_deref())?,
        pattern,
        limit + 1,
    )
    .fetch_all(&kaia.database)
    .await?;
    let next_cursor = next(&mut items, limit, |u| Cursor { time: u.created_at, id: u.id });
    Ok(Answer(UserPage { items, next_cursor }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AskedEvents {
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An event and whose it is.
#[derive(Serialize, ToSchema)]
pub struct OwnedEvent {
    #[serde(flatten)]
    event: Event,
    user_id: i64,
    user_email: String,
}

#[derive(Serialize, ToSchema)]
pub struct OwnedEventPage {
    items: Vec<OwnedEvent>,
    next_cursor: Option<String>,
}

/// Everybody's events, newest first
#[utoipa::path(get, path = "/admin/events", tag = "admin", security(("bearer" = [])), params(AskedEvents),
    responses((status = 200, description = "A page of them", body = OwnedEventPage)))]
pub async fn events(
    _: Admin,
    State(kaia): State<Arc<Kaia>>,
    Query(asked): Query<AskedEvents>,
) -> Result<Answer<OwnedEventPage>, Problem> {
    let limit = checked(asked.limit)?;
    let rows = sqlx::query!(
        "SELECT e.id, e.title, e.description, e.location, e.start_time, e.end_time, e.time_zone, e.recurrence,
                e.reminder_minutes, e.created_at, e.updated_at, e.user_id, u.email
         FROM events e JOIN users u ON u.id = e.user_id WHERE e.id < $1 ORDER BY e.id DESC LIMIT $2",
        before(asked.cursor.as_deref())?,
        limit + 1,
    )
    .fetch_all(&kaia.database)
    .await?;
    let owned = rows.into_iter().map(|row| OwnedEvent {
        event: Event {
            id: row.id,
            title: row.title,
            description: row.description,
            location: row.location,
            start_time: row.start_time,
            end_time: row.end_time,
            time_zone: row.time_zone,
            recurrence: row.recurrence,
            reminder_minutes: row.reminder_minutes,
            created_at: row.created_at,
            updated_at: row.updated_at,
            occurrence: None,
        },
        user_id: row.user_id,
        user_email: row.email,
    });
    let mut items: Vec<_> = owned.collect();
    let next_cursor = next(&mut items, limit, |e| Cursor { time: e.event.created_at, id: e.event.id });
    Ok(Answer(OwnedEventPage { items, next_cursor }))
}

/// How much there is.
#[derive(Serialize, ToSchema)]
pub struct Counts {
    users: i64,
    administrators: i64,
    /// Registrations whose address is not verified yet.
    pending_registrations: i64,
    onboarded: i64,
    active_sessions: i64,
    events: i64,
    upcoming_events: i64,
    recurring_events: i64,
}

/// How much there is
#[utoipa::path(get, path = "/admin/counts", tag = "admin", security(("bearer" = [])),
    responses((status = 200, description = "Counted now", body = Counts)))]
pub async fn counts(_: Admin, State(kaia): State<Arc<Kaia>>) -> Result<Answer<Counts>, Problem> {
    let counts = sqlx::query_as!(
        Counts,
        r#"SELECT u.users AS "users!", u.administrators AS "administrators!", u.onboarded AS "onboarded!",
                  r.pending AS "pending_registrations!", s.active AS "active_sessions!", e.events AS "events!",
                  e.upcoming AS "upcoming_events!", e.recurring AS "recurring_events!"
           FROM (SELECT count(*) AS users, count(*) FILTER (WHERE role = 'admin') AS administrators,
                        count(*) FILTER (WHERE onboarding_completed) AS onboarded FROM users) u,
                (SELECT count(*) AS pending FROM registrations WHERE expires_at > now()) r,
                (SELECT count(*) AS active FROM sessions WHERE ended_at IS NULL) s,
                (SELECT count(*) AS events,
                        count(*) FILTER (WHERE start_time > now() OR (recurrence IS NOT NULL
                            AND (recurs_until IS NULL OR recurs_until > now()))) AS upcoming,
                        count(*) FILTER (WHERE recurrence IS NOT NULL) AS recurring FROM events) e"#
    )
    .fetch_one(&kaia.database)
    .await?;
    Ok(Answer(counts))
}
