//! SMS before an event begins. One instance takes each: it writes down when the next one is due before it sends this one, so
//! that nobody gets one twice; one that cannot be sent is tried again by the post for a while and then given up.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};

use super::{model::next_reminder, recurrence::Recurrence};
use crate::{Kaia, http::problem::Problem, outbound::Message};

const EVERY: Duration = Duration::from_secs(5);
/// So late a reminder helps nobody.
const LATEST: TimeDelta = TimeDelta::hours(1);

/// For as long as the process serves.
pub async fn run(kaia: Arc<Kaia>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(problem) = due(&kaia).await {
            tracing::warn!(?problem, "reminders wait");
        }
    }
}

async fn due(kaia: &Kaia) -> Result<(), Problem> {
    let now = Utc::now();
    let mut transaction = kaia.database.begin().await?;
    let due = sqlx::query!(
        r#"SELECT e.id, e.title, e.start_time, e.end_time, e.time_zone, e.recurrence, e.reminder_minutes,
                  e.next_reminder_at AS "next_reminder_at!", u.phone, u.language, u.time_zone AS user_zone
           FROM events e JOIN users u ON u.id = e.user_id
           WHERE e.next_reminder_at <= $1 ORDER BY e.next_reminder_at LIMIT 100 FOR UPDATE OF e SKIP LOCKED"#,
        now,
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut messages = Vec::new();
    for event in due {
        let rule = event
            .recurrence
            .as_deref()
            .and_then(|rule| Recurrence::parse(rule, event.start_time, event.end_time, &event.time_zone).ok());
        let next = rule.and_then(|rule| next_reminder(event.start_time, Some(&rule), event.reminder_minutes, now));
        sqlx::query!("UPDATE events SET next_reminder_at = $2 WHERE id = $1", event.id, next)
            .execute(&mut *transaction)
            .await?;
        let begins = event.next_reminder_at + TimeDelta::minutes(event.reminder_minutes.unwrap_or(0).into());
        let zone = event.user_zone.parse().unwrap_or(chrono_tz::UTC);
        if let Some(to) = event.phone
            && now - event.next_reminder_at < LATEST
        {
            let at = begins.with_timezone(&zone).format("%H:%M").to_string();
            messages.push(Message::Reminder { to, title: event.title, at, english: event.language == "en" });
        }
    }
    transaction.commit().await?;
    messages.into_iter().for_each(|message| kaia.post.send(message));
    Ok(())
}
