//! Migrations: forward only, one runner at a time.
//!
//! The lock is polled for and not waited for inside PostgreSQL: a statement that waits holds a snapshot, and
//! `CREATE INDEX CONCURRENTLY` of the runner that has the lock would wait for that one for ever.

use std::{borrow::Cow, error::Error, time::Duration};

use sqlx::{Connection, Executor, PgConnection, migrate::Migrator, postgres::PgConnectOptions};

static MIGRATIONS: Migrator = sqlx::migrate!();
/// Any number that nothing else in this database uses.
const LOCK: i64 = 0x6b61_6961;

pub async fn run(options: &PgConnectOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut database = PgConnection::connect_with(options).await?;
    while !sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "got!""#, LOCK).fetch_one(&mut database).await? {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop_what_was_left(&mut database).await?;
    let mut migrator = Migrator { migrations: Cow::Borrowed(&MIGRATIONS.migrations), ..Migrator::DEFAULT };
    migrator.set_locking(false);
    // A release that is deployed again after a later one finds that one's migrations; it does not need them.
    migrator.set_ignore_missing(true);
    let result = migrator.run_direct(&mut database).await;
    // The lock ends with the connection.
    database.close().await?;
    Ok(result?)
}

/// An index whose making was interrupted is there by its name and does nothing.
async fn drop_what_was_left(database: &mut PgConnection) -> Result<(), sqlx::Error> {
    let left = sqlx::query_scalar!(
        r#"SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass) AS "statement!" FROM pg_index i
           JOIN pg_class c ON c.oid = i.indexrelid
           WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace"#
    )
    .fetch_all(&mut *database)
    .await?;
    for statement in left {
        database.execute(statement.as_str()).await?;
    }
    Ok(())
}

/// By what a migration is known once it ran.
#[must_use]
pub fn checksum(version: i64) -> Option<String> {
    MIGRATIONS.iter().find(|m| m.version == version).map(|m| crate::hex(&m.checksum))
}
