//! People and events for development; running it again changes nothing. Everybody's password is `kaia-dev-2025`.

use sqlx::PgPool;

use crate::accounts::hash;

pub async fn run(database: &PgPool) -> Result<(), Box<dyn std::error::Error>> {
    let mut transaction = database.begin().await?;
    for (email, name, onboarding) in
        [("dev@kaia.ai", "Dev User", true), ("test1@kaia.ai", "Test User 1", true), ("test2@kaia.ai", "Test User 2", false)]
    {
        let hash = hash("kaia-dev-2025").map_err(|_| "the password cannot be hashed")?;
        sqlx::query("INSERT INTO users (email, name, password_hash, onboarding_completed) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(email)
            .bind(name)
            .bind(hash)
            .bind(onboarding)
            .execute(&mut *transaction)
            .await?;
    }
    for (title, description, start, end) in [
        ("Reunión de desarrollo", "Daily standup", "2025-10-20T10:00:00Z", "2025-10-20T10:30:00Z"),
        ("Testing session", "Probar nuevas features", "2025-10-20T14:00:00Z", "2025-10-20T16:00:00Z"),
    ] {
        sqlx::query(
            "INSERT INTO events (user_id, title, description, start_time, end_time)
             SELECT id, $1, $2, $3::timestamptz, $4::timestamptz FROM users u WHERE email = 'dev@kaia.ai'
             AND NOT EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.id AND e.title = $1)",
        )
        .bind(title)
        .bind(description)
        .bind(start)
        .bind(end)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    println!("seeded 3 people and 2 events");
    Ok(())
}
