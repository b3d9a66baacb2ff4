//! iCalendar (RFC 5545): all events out, and another calendar's events in.

use std::sync::Arc;

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderName, header},
};
use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use icalendar::{
    Calendar as Document, CalendarDateTime, Component, DatePerhapsTime, Event as Entry, EventLike, Property,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    model::{Event, NewEvent},
    store::{self, Range},
};
use crate::{
    Kaia,
    http::{extract::Calendar, identity::User, problem::Problem},
};

/// As many as a calendar holds that somebody wrote.
const MOST: i64 = 10_000;
/// A calendar holds events, those hold alarms: what lies deeper is meant to exhaust a parser.
const DEEPEST: usize = 4;

/// All events as a calendar
#[utoipa::path(get, path = "/events/export.ics", tag = "events", security(("bearer" = [])),
    responses((status = 200, description = "An iCalendar document", body = String, content_type = "text/calendar")))]
pub async fn export(
    State(kaia): State<Arc<Kaia>>,
    user: User,
) -> Result<([(HeaderName, &'static str); 2], String), Problem> {
    let range = Range { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH + TimeDelta::days(84_370), after: None };
    let mut connection = kaia.database.acquire().await?;
    let events = store::in_range(&mut connection, user.id, &range, MOST).await?;
    drop(connection);
    let mut document = Document::new();
    document.name("Kaia");
    for event in events {
        document.push(entry(&event)?);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"kaia.ics\""),
    ];
    Ok((headers, document.done().to_string()))
}

fn entry(event: &Event) -> Result<Entry, Problem> {
    let mut entry = Entry::new();
    entry.uid(&format!("{}@kaia.ai", event.id)).summary(&event.title).timestamp(event.updated_at);
    if !event.description.is_empty() {
        entry.description(&event.description);
    }
    if !event.location.is_empty() {
        entry.location(&event.location);
    }
    match &event.recurrence {
        // What recurs does so in its own zone.
        Some(rule) => {
            let zone: chrono_tz::Tz = event.time_zone.parse().map_err(Problem::internal)?;
            for (name, time) in [("DTSTART", event.start_time), ("DTEND", event.end_time)] {
                let local = time.with_timezone(&zone).format("%Y%m%dT%H%M%S").to_string();
                let mut property = Property::new(name, local);
                property.add_parameter("TZID", &event.time_zone);
                entry.append_property(property);
            }
            entry.add_property("RRULE", rule);
        }
        None => {
            entry.starts(event.start_time).ends(event.end_time);
        }
    }
    Ok(entry.done())
}

/// What became of a calendar.
#[derive(Serialize, ToSchema)]
pub struct Imported {
    /// Events that are new.
    imported: u32,
    /// Events that were there already, or that make no sense here.
    skipped: u32,
}

/// Take a calendar's events over
///
/// An event that was taken over before (by its UID) is skipped.
#[utoipa::path(post, path = "/events/import", tag = "events", security(("bearer" = [])),
    request_body(content = String, content_type = "text/calendar"),
    responses(
        (status = 200, description = "How many", body = Imported),
        (status = 409, description = "Too much recurs: nothing is taken over",
            body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
    ))]
pub async fn import(
    State(kaia): State<Arc<Kaia>>,
    user: User,
    Calendar(text): Calendar,
) -> Result<Answer<Imported>, Problem> {
    let (found, mut skipped) = tokio::task::spawn_blocking(move || read(&text)).await.map_err(Problem::internal)??;
    let (mut fit, mut imported) = (Vec::new(), 0);
    for (uid, new) in found {
        match new.checked(Utc::now()).await {
            Ok(checked) => fit.push((uid, checked)),
            Err(_) => skipped += 1,
        }
    }
    let mut transaction = kaia.database.begin().await?;
    for (uid, checked) in fit {
        match store::insert(&mut transaction, user.id, &checked, uid.as_deref()).await? {
            Some(_) => imported += 1,
            None => skipped += 1,
        }
    }
    transaction.commit().await?;
    Ok(Answer(Imported { imported, skipped }))
}

/// An event and its UID.
type Named = (Option<String>, NewEvent);

/// The events of a calendar with their UIDs, and how many make no sense.
fn read(text: &str) -> Result<(Vec<Named>, u32), Problem> {
    let malformed = |why: String| Problem::Malformed(format!("this is no iCalendar document: {why}"));
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.get(..15).is_some_and(|head| head.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(malformed("it does not begin with BEGIN:VCALENDAR".into()));
    }
    let (mut depth, mut deepest) = (0usize, 0);
    for line in text.lines() {
        let head: String = line.chars().take(6).collect::<String>().to_ascii_uppercase();
        if head.starts_with("BEGIN:") {
            depth += 1;
            deepest = deepest.max(depth);
        } else if head.starts_with("END:") {
            depth = depth.saturating_sub(1);
        }
    }
    if deepest > DEEPEST || depth != 0 {
        return Err(malformed("its parts do not lie in one another as they should".into()));
    }
    let document: Document =
        text.parse().map_err(|why: String| malformed(why.chars().filter(|c| !c.is_control()).take(200).collect()))?;
    let (mut found, mut skipped) = (Vec::new(), 0);
    for entry in document.components.iter().filter_map(|c| c.as_event()) {
        match understood(entry) {
            Some(new) => found.push((entry.get_uid().filter(|u| u.len() <= 500).map(str::to_owned), new)),
            None => skipped += 1,
        }
        if found.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
            return Err(Problem::field("body", "a calendar has at most 10000 events"));
        }
    }
    Ok((found, skipped))
}

fn understood(entry: &Entry) -> Option<NewEvent> {
    let (start, zone) = time(&entry.get_start()?)?;
    let end = match entry.get_end() {
        Some(end) => time(&end)?.0,
        None => match entry.property_value("DURATION") {
            Some(text) => start + duration(text)?,
            // A day without an end is that day; a moment is a moment.
            None if matches!(entry.get_start()?, DatePerhapsTime::Date(_)) => start + TimeDelta::days(1),
            None => start,
        },
    };
    Some(NewEvent {
        title: entry.get_summary().filter(|s| !s.trim().is_empty()).unwrap_or("(sin título)").to_owned(),
        description: entry.get_description().unwrap_or_default().to_owned(),
        location: entry.get_location().unwrap_or_default().to_owned(),
        start_time: start,
        end_time: end,
        time_zone: Some(zone),
        recurrence: entry.property_value("RRULE").map(str::to_owned),
        reminder_minutes: None,
    })
}

/// A moment and its zone. A time without a zone is the reader's own, which nobody here knows: UTC.
fn time(time: &DatePerhapsTime) -> Option<(DateTime<Utc>, String)> {
    match time {
        DatePerhapsTime::Date(date) => Some((date.and_time(NaiveTime::MIN).and_utc(), "UTC".into())),
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(time)) => Some((*time, "UTC".into())),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(local)) => Some((local.and_utc(), "UTC".into())),
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let zone: chrono_tz::Tz = tzid.parse().ok()?;
            let there = zone.from_local_datetime(date_time);
            // In the hour that the clocks leave out: an hour later, as RFC 5545 says.
            let there = there
                .earliest()
                .or_else(|| zone.from_local_datetime(&(*date_time + TimeDelta::hours(1))).earliest())?;
            Some((there.with_timezone(&Utc), zone.name().to_owned()))
        }
    }
}

/// `P1DT2H30M`, `P2W`.
fn duration(text: &str) -> Option<TimeDelta> {
    let mut total = TimeDelta::zero();
    let mut number = String::new();
    let mut of_day = false;
    for c in text.strip_prefix('P')?.chars() {
        let unit = match (c, of_day) {
            ('0'..='9', _) if number.len() < 6 => {
                number.push(c);
                continue;
            }
            ('T', false) if number.is_empty() => {
                of_day = true;
                continue;
            }
            ('W', false) => 604_800,
            ('D', false) => 86_400,
            ('H', true) => 3600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        total += TimeDelta::seconds(number.parse::<i64>().ok()? * unit);
        number.clear();
    }
    number.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_of_another_program_is_understood() {
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20260101T000000Z\r\n\
            DTSTART;TZID=Europe/Madrid:20260330T090000\r\nDURATION:PT1H30M\r\nSUMMARY:Uno\\, dos\r\nRRULE:FREQ=WEEKLY\r\n\
            BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT\r\n\
            BEGIN:VEVENT\r\nUID:2@x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20260501\r\nSUMMARY:Todo el día\r\nEND:VEVENT\r\n\
            BEGIN:VEVENT\r\nUID:3@x\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Nunca\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let (found, skipped) = read(text).unwrap();
        assert_eq!((found.len(), skipped), (2, 1));
        let (uid, first) = &found[0];
        assert_eq!((uid.as_deref(), first.title.as_str()), (Some("1@x"), "Uno, dos"));
        assert_eq!(first.start_time.to_rfc3339(), "2026-03-30T07:00:00+00:00");
        assert_eq!((first.end_time - first.start_time).num_minutes(), 90);
        assert_eq!(first.time_zone.as_deref(), Some("Europe/Madrid"));
        assert_eq!((found[1].1.end_time - found[1].1.start_time).num_hours(), 24);
    }

    #[test]
    fn what_is_no_calendar_is_refused() {
        let deep = "BEGIN:VCALENDAR\n".repeat(50_000);
        let closed = format!("{deep}{}", "END:VCALENDAR\n".repeat(50_000));
        for wrong in ["", "hello", "BEGIN:VCALENDAR", "BEGIN:VCALENDAR\n\0\nEND:VCALENDAR", &deep, &closed] {
            assert!(read(wrong).is_err(), "{:.40}", wrong);
        }
    }
}
