//! Events of a time, those that recur as often as they occur in it, page by page.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, pool::PoolConnection};
use utoipa::{IntoParams, ToSchema};

use super::{
    cursor::Cursor,
    model::{Event, Occurrence},
    recurrence::Recurrence,
    store::{self, Range},
};
use crate::{
    Kaia,
    http::{extract::Query, identity::User, problem::Problem},
};

/// How many dates of rules one question may look at.
const STEPS: usize = 200_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Events that end later. Without it: from the first one.
    from: Option<DateTime<Utc>>,
    /// Events that begin earlier. Without it: a year after `from`, or after now where that is later.
    to: Option<DateTime<Utc>>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub struct EventPage {
    items: Vec<Event>,
    /// Where the next page begins; `null` on the last one.
    next_cursor: Option<String>,
}

/// The events of a time
#[utoipa::path(get, path = "/events", tag = "events", security(("bearer" = [])), params(Asked),
    responses((status = 200, description = "In the order in which they begin", body = EventPage)))]
pub async fn list(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Query(asked): Query<Asked>,
) -> Result<Answer<EventPage>, Problem> {
    let limit = asked.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(Problem::field("limit", "is a number from 1 to 100"));
    }
    let range = range(asked.from, asked.to, asked.cursor.as_deref())?;
    let (items, more) = page(&kaia, user.id, &range, usize::try_from(limit).unwrap_or(100)).await?;
    let last = items.last().map(|e| Cursor { time: e.start_time, id: e.id });
    Ok(Answer(EventPage { next_cursor: last.filter(|_| more).map(Cursor::write), items }))
}

/// What is asked for, within what a calendar holds.
pub fn range(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Range, Problem> {
    let (first, last) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(84_370));
    let from = from.map_or(first, |f| f.clamp(first, last));
    let to = to.unwrap_or_else(|| from.max(Utc::now()) + TimeDelta::days(366)).clamp(first, last);
    if to < from {
        return Err(Problem::field("to", "is not before from"));
    }
    Ok(Range { from, to, after: cursor.map(Cursor::read).transpose()? })
}

/// At most so many, and whether there are more.
pub async fn page(kaia: &Kaia, user: i64, range: &Range, most: usize) -> Result<(Vec<Event>, bool), Problem> {
    let one_more = i64::try_from(most + 1).map_err(Problem::internal)?;
    let question =
        async |database: &mut PoolConnection<Postgres>| store::in_range(database, user, range, one_more).await;
    let found = kaia.readers.ask(question).await?;
    let mut items = if found.iter().any(|e| e.recurrence.is_some()) {
        let (from, to, after) = (range.from, range.to, range.after);
        // A calculation, away from the threads that carry requests.
        tokio::task::spawn_blocking(move || expand(found, &Range { from, to, after }, most + 1))
            .await
            .map_err(Problem::internal)??
    } else {
        found
    };
    let more = items.len() > most;
    items.truncate(most);
    Ok((items, more))
}

/// Puts occurrences in the place of what recurs.
fn expand(events: Vec<Event>, range: &Range, most: usize) -> Result<Vec<Event>, Problem> {
    let (mut items, mut steps) = (Vec::new(), 0);
    for event in events {
        let Some(rule) = &event.recurrence else {
            items.push(event);
            continue;
        };
        let rule =
            Recurrence::parse(rule, event.start_time, event.end_time, &event.time_zone).map_err(Problem::Internal)?;
        // Those of earlier pages are passed over; they began no later than the cursor.
        let past = |begin| range.after.is_none_or(|after| Cursor { time: begin, id: event.id } > after);
        let from = range.after.map_or(range.from, |after| range.from.max(after.time));
        let (dates, looked_at) = rule.between(from, range.to, most, past);
        steps += looked_at;
        if steps > STEPS {
            return Err(Problem::field("from", "too much recurs in this time: ask for a shorter one"));
        }
        let length = rule.length();
        items.extend(dates.into_iter().map(|begin| Event {
            start_time: begin,
            end_time: begin + length,
            occurrence: Some(Occurrence { series_start_time: event.start_time, series_end_time: event.end_time }),
            ..event.clone()
        }));
    }
    items.sort_by_key(|e| (e.start_time, e.id));
    items.truncate(most);
    Ok(items)
}
