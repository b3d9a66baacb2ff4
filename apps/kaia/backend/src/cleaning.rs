//! Throws away what nobody can use any more, now and then and a little at a time.

use std::{sync::Arc, time::Duration};

use crate::Kaia;

const EVERY: Duration = Duration::from_secs(600);

/// For as long as the process serves.
pub async fn run(kaia: Arc<Kaia>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = once(&kaia).await {
            tracing::warn!(%error, "what is out of date stays for now");
        }
    }
}

async fn once(kaia: &Kaia) -> Result<(), sqlx::Error> {
    let database = &kaia.database;
    sqlx::query!("DELETE FROM registrations WHERE expires_at < now()").execute(database).await?;
    sqlx::query!("DELETE FROM password_resets WHERE expires_at < now()").execute(database).await?;
    sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < now() - interval '1 day'").execute(database).await?;
    // A token that was used is kept as long as it would have held: until then its return is a theft.
    sqlx::query!("DELETE FROM refresh_tokens WHERE expires_at < now()").execute(database).await?;
    sqlx::query!(
        "DELETE FROM sessions s WHERE created_at < now() - interval '1 day'
         AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.session_id = s.id)"
    )
    .execute(database)
    .await?;
    Ok(())
}
