//! Rows of the table `events`.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::{
    cursor::Cursor,
    model::{Checked, Event, LONGEST},
};
use crate::http::problem::Problem;

/// Somebody has at most so many events that recur: each is a calculation in every question.
const MOST_RECURRING: i64 = 500;

struct Row {
    id: i64,
    title: String,
    description: String,
    location: String,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    time_zone: String,
    recurrence: Option<String>,
    reminder_minutes: Option<i32>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        let Row { id, title, description, location, start_time, end_time, time_zone, .. } = row;
        let Row { recurrence, reminder_minutes, created_at, updated_at, .. } = row;
        let occurrence = None;
        Self {
            id,
            title,
            description,
            location,
            start_time,
            end_time,
            time_zone,
            recurrence,
            reminder_minutes,
            created_at,
            updated_at,
            occurrence,
        }
    }
}

/// Which events are asked for.
pub struct Range {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub after: Option<Cursor>,
}

/// In one question: the single events of a time in their order, at most so many, and every event that recurs then.
pub async fn in_range(
    database: &mut PgConnection,
    user: i64,
    range: &Range,
    most: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    let after = range.after.unwrap_or(Cursor { time: range.from - LONGEST, id: i64::MIN });
    let rows = sqlx::query_as!(
        Row,
        r#"(SELECT id AS "id!", title AS "title!", description AS "description!", location AS "location!",
                   start_time AS "start_time!", end_time AS "end_time!", time_zone AS "time_zone!", recurrence,
                   reminder_minutes, created_at AS "created_at!", updated_at AS "updated_at!"
            FROM events
            WHERE user_id = $1 AND recurrence IS NULL AND (start_time, id) > ($2, $3) AND start_time < $4
              AND (end_time > $5 OR start_time >= $5)
            ORDER BY start_time, id LIMIT $6)
           UNION ALL
           (SELECT id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes,
                   created_at, updated_at
            FROM events
            WHERE user_id = $1 AND recurrence IS NOT NULL AND start_time < $4
              AND (recurs_until IS NULL OR recurs_until >= $5)
            ORDER BY id LIMIT $7)"#,
        user,
        after.time,
        after.id,
        range.to,
        range.from,
        most,
        // Several at once may pass the limit by a few.
        2 * MOST_RECURRING,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(Event::from).collect())
}

pub async fn find(database: &mut PgConnection, user: i64, id: i64) -> Result<Event, Problem> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes,
                created_at, updated_at FROM events WHERE id = $1 AND user_id = $2",
        id,
        user,
    )
    .fetch_optional(database)
    .await?;
    row.map(Event::from).ok_or(Problem::NotFound)
}

/// The same, and nobody else changes it meanwhile.
pub async fn find_to_change(database: &mut PgConnection, user: i64, id: i64) -> Result<Event, Problem> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes,
                created_at, updated_at FROM events WHERE id = $1 AND user_id = $2 FOR UPDATE",
        id,
        user,
    )
    .fetch_optional(database)
    .await?;
    row.map(Event::from).ok_or(Problem::NotFound)
}

/// Whether another event may recur.
pub async fn room_for_one_more(database: &mut PgConnection, user: i64) -> Result<(), Problem> {
    let recurring = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM events WHERE user_id = $1 AND recurrence IS NOT NULL"#,
        user
    )
    .fetch_one(database)
    .await?;
    if recurring >= MOST_RECURRING {
        return Err(Problem::Conflict("there are 500 events that recur already: delete one first"));
    }
    Ok(())
}

/// `None` where an event with the same name in a calendar is there already.
pub async fn insert(
    database: &mut PgConnection,
    user: i64,
    new: &Checked,
    ical_uid: Option<&str>,
) -> Result<Option<Event>, Problem> {
    if new.event.recurrence.is_some() {
        room_for_one_more(database, user).await?;
    }
    let event = &new.event;
    let row = sqlx::query_as!(
        Row,
        "INSERT INTO events (user_id, title, description, location, start_time, end_time, time_zone, recurrence,
                             recurs_until, reminder_minutes, next_reminder_at, ical_uid)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
         RETURNING id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes,
                   created_at, updated_at",
        user,
        event.title,
        event.description,
        event.location,
        event.start_time,
        event.end_time,
        new.time_zone,
        event.recurrence,
        new.recurs_until,
        event.reminder_minutes,
        new.next_reminder_at,
        ical_uid,
    )
    .fetch_optional(database)
    .await?;
    Ok(row.map(Event::from))
}

pub async fn update(database: &mut PgConnection, user: i64, id: i64, new: &Checked) -> Result<Event, Problem> {
    let event = &new.event;
    let row = sqlx::query_as!(
        Row,
        "UPDATE events SET title = $3, description = $4, location = $5, start_time = $6, end_time = $7, time_zone = $8,
                recurrence = $9, recurs_until = $10, reminder_minutes = $11, next_reminder_at = $12, updated_at = now()
         WHERE id = $1 AND user_id = $2
         RETURNING id, title, description, location, start_time, end_time, time_zone, recurrence, reminder_minutes,
                   created_at, updated_at",
        id,
        user,
        event.title,
        event.description,
        event.location,
        event.start_time,
        event.end_time,
        new.time_zone,
        event.recurrence,
        new.recurs_until,
        event.reminder_minutes,
        new.next_reminder_at,
    )
    .fetch_optional(database)
    .await?;
    row.map(Event::from).ok_or(Problem::NotFound)
}

pub async fn delete(database: &PgPool, user: i64, id: i64) -> Result<(), Problem> {
    let gone = sqlx::query!("DELETE FROM events WHERE id = $1 AND user_id = $2", id, user).execute(database).await?;
    if gone.rows_affected() == 0 { Err(Problem::NotFound) } else { Ok(()) }
}
