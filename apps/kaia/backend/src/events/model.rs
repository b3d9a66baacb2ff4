//! An event as people write it and as they read it.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::recurrence::Recurrence;
use crate::{accounts::text::Fields, http::problem::Problem};

/// No event lasts longer, so that those of a time are found by when they begin.
pub const LONGEST: TimeDelta = TimeDelta::days(366);
const YEARS: std::ops::Range<i32> = 1970..2200;
/// Four weeks.
const EARLIEST_REMINDER: i32 = 40_320;

/// An event, or one occurrence of one that recurs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Event {
    pub id: i64,
    pub title: String,
    pub description: String,
    pub location: String,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    /// In which it recurs.
    #[schema(example = "Europe/Madrid")]
    pub time_zone: String,
    /// A rule of RFC 5545.
    #[schema(example = "FREQ=WEEKLY;BYDAY=MO")]
    pub recurrence: Option<String>,
    /// How long before it begins an SMS is sent.
    pub reminder_minutes: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Of what this is an occurrence. `start_time` and `end_time` above are the occurrence's own.
    pub occurrence: Option<Occurrence>,
}

/// The event that recurs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Occurrence {
    pub series_start_time: DateTime<Utc>,
    pub series_end_time: DateTime<Utc>,
}

/// A new event.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub description: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    pub location: String,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    #[schema(default = "UTC", example = "Europe/Madrid")]
    pub time_zone: Option<String>,
    #[schema(max_length = 500, example = "FREQ=WEEKLY;BYDAY=MO")]
    pub recurrence: Option<String>,
    #[schema(minimum = 0, maximum = 40_320)]
    pub reminder_minutes: Option<i32>,
}

/// What is to be different; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventChange {
    #[schema(min_length = 1, max_length = 500)]
    title: Option<String>,
    #[schema(max_length = 10_000)]
    description: Option<String>,
    #[schema(max_length = 500)]
    location: Option<String>,
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    #[schema(example = "Europe/Madrid")]
    time_zone: Option<String>,
    /// `null` ends the recurrence.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, max_length = 500)]
    recurrence: Option<Option<String>>,
    /// `null` takes the reminder away.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 40_320)]
    reminder_minutes: Option<Option<i32>>,
}

/// Tells `null` from what is not named.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// An event that was found in order, with what follows from it.
pub struct Checked {
    pub event: NewEvent,
    pub time_zone: String,
    pub recurs_until: Option<DateTime<Utc>>,
    pub next_reminder_at: Option<DateTime<Utc>>,
}

impl NewEvent {
    /// Away from the threads that carry requests where there is a rule to calculate with.
    pub async fn checked(self, now: DateTime<Utc>) -> Result<Checked, Problem> {
        if self.recurrence.is_none() {
            return self.check(now);
        }
        tokio::task::spawn_blocking(move || self.check(now)).await.map_err(Problem::internal)?
    }

    fn check(mut self, now: DateTime<Utc>) -> Result<Checked, Problem> {
        let mut fields = Fields::default();
        self.title = fields.text("title", &self.title, 1, 500);
        self.description = fields.text("description", &self.description, 0, 10_000);
        self.location = fields.text("location", &self.location, 0, 500);
        let time_zone = self.time_zone.take().unwrap_or_else(|| "UTC".to_owned());
        fields.time_zone("time_zone", &time_zone);
        for (name, time) in [("start_time", self.start_time), ("end_time", self.end_time)] {
            if !YEARS.contains(&time.year()) {
                fields.wrong(name, "is a year from 1970 to 2199");
            }
        }
        if self.end_time < self.start_time {
            fields.wrong("end_time", "is not before start_time");
        } else if self.end_time - self.start_time > LONGEST {
            fields.wrong("end_time", "is at most 366 days after start_time");
        }
        if self.reminder_minutes.is_some_and(|m| !(0..=EARLIEST_REMINDER).contains(&m)) {
            fields.wrong("reminder_minutes", "is a number from 0 to 40320");
        }
        // The rule is looked at only with times and a zone that hold.
        fields.finish()?;
        let rule = match self.recurrence.as_deref().map(str::trim) {
            Some(text) => {
                let rule = Recurrence::parse(text, self.start_time, self.end_time, &time_zone)
                    .map_err(|why| Problem::field("recurrence", why))?;
                if !rule.occurs() {
                    return Err(Problem::field("recurrence", "never occurs"));
                }
                self.recurrence = Some(text.to_owned());
                Some(rule)
            }
            None => None,
        };
        let recurs_until = match &rule {
            Some(rule) => rule.until().map_err(|why| Problem::field("recurrence", why))?,
            None => None,
        };
        let next_reminder_at = next_reminder(self.start_time, rule.as_ref(), self.reminder_minutes, now);
        Ok(Checked { event: self, time_zone, recurs_until, next_reminder_at })
    }
}

/// When the next SMS is due.
pub fn next_reminder(
    start: DateTime<Utc>,
    rule: Option<&Recurrence>,
    minutes: Option<i32>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let ahead = TimeDelta::minutes(minutes?.into());
    let begins = match rule {
        Some(rule) => rule.next_after(now + ahead)?,
        None => start,
    };
    let due = begins - ahead;
    (due > now).then_some(due)
}

impl EventChange {
    /// The event as it is to be.
    pub fn apply(self, old: Event) -> NewEvent {
        NewEvent {
            title: self.title.unwrap_or(old.title),
            description: self.description.unwrap_or(old.description),
            location: self.location.unwrap_or(old.location),
            start_time: self.start_time.unwrap_or(old.start_time),
            end_time: self.end_time.unwrap_or(old.end_time),
            time_zone: Some(self.time_zone.unwrap_or(old.time_zone)),
            recurrence: self.recurrence.unwrap_or(old.recurrence),
            reminder_minutes: self.reminder_minutes.unwrap_or(old.reminder_minutes),
        }
    }
}
