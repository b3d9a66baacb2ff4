//! People and events for development; running it again changes nothing. Everybody's password is `kaia-dev-2025`, which is why
//! it does nothing in production.

use std::error::Error;

use sqlx::{
    PgPool,
    types::chrono::{DateTime, Utc},
};

use crate::{accounts::password::hash, config::Kind};

pub async fn run(database: &PgPool, kind: Kind) -> Result<(), Box<dyn Error + Send + Sync>> {
    if kind == Kind::Production {
        return Err("production is not seeded: its accounts would have a password that everybody knows".into());
    }
    let hash = hash("kaia-dev-2025").map_err(|error| error.to_string())?;
    let mut transaction = database.begin().await?;
    for (email, name, onboarded, role) in [
        ("dev@kaia.ai", "Dev User", true, "user"),
        ("test1@kaia.ai", "Test User 1", true, "user"),
        ("test2@kaia.ai", "Test User 2", false, "user"),
        ("admin@kaia.ai", "Admin", true, "admin"),
    ] {
        sqlx::query!(
            "INSERT INTO users (email, name, password_hash, onboarding_completed, role) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            email,
            name,
            hash,
            onboarded,
            role,
        )
        .execute(&mut *transaction)
        .await?;
    }
    for (title, description, start, end) in [
        ("Reunión de desarrollo", "Daily standup", "2025-10-20T10:00:00Z", "2025-10-20T10:30:00Z"),
        ("Testing session", "Probar nuevas features", "2025-10-20T14:00:00Z", "2025-10-20T16:00:00Z"),
    ] {
        let (start, end): (DateTime<Utc>, DateTime<Utc>) = (start.parse()?, end.parse()?);
        sqlx::query!(
            "INSERT INTO events (user_id, title, description, start_time, end_time)
             SELECT id, $1, $2, $3, $4 FROM users u WHERE email = 'dev@kaia.ai'
             AND NOT EXISTS (SELECT FROM events e WHERE e.user_id = u.id AND e.title = $1)",
            title,
            description,
            start,
            end,
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    println!("seeded 4 people and 2 events");
    Ok(())
}
