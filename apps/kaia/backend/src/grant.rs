//! The first administrator of an environment, named by whoever runs it.

use std::error::Error;

use sqlx::PgPool;

pub async fn admin(database: &PgPool, email: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let done =
        sqlx::query!("UPDATE users SET role = 'admin' WHERE lower(email) = lower($1)", email).execute(database).await?;
    if done.rows_affected() == 0 {
        return Err("there is no account with this address: register it first".into());
    }
    println!("this account is an administrator now");
    Ok(())
}
