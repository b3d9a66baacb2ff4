//! How a PostgreSQL stands.

use ambit_domain::{
    monitoring::{PostgresFigures, SlowQuery},
    provider::PostgresServer,
};
use tokio_postgres::Client;

use crate::{Host, measure::in_time, postgres::connect};

/// Fewer dead rows than these are not worth a word.
const DEAD_ROWS: i64 = 10_000;
/// A statement that ran less often than this has no mean to speak of.
const CALLS: i64 = 20;

/// Connections, size and transactions, and what the archiver says of itself.
const STANDING: &str = "
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
           current_setting('max_connections')::bigint,
           pg_database_size(current_database()),
           (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
           current_setting('archive_mode') <> 'off',
           (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
           (SELECT extract(epoch FROM now() - coalesce(last_archived_time, stats_reset))::bigint FROM pg_stat_archiver
            WHERE last_failed_time > coalesce(last_archived_time, '-infinity')),
           (SELECT coalesce(sum(pg_relation_size(relid) * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1)), 0)::bigint
            FROM pg_stat_user_tables)";

/// The estimate is the server's own, of rows and not of bytes: enough to see that vacuuming does not keep up.
const BLOATED: &str = "
    SELECT relname::text, (n_dead_tup::float8 / (n_live_tup + n_dead_tup))
    FROM pg_stat_user_tables WHERE n_dead_tup >= $1 ORDER BY 2 DESC LIMIT 1";

const SLOW_ON_AVERAGE: &str = "
    SELECT queryid::text, mean_exec_time / 1000 FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
    WHERE calls >= $1 AND rolname <> 'postgres' ORDER BY mean_exec_time DESC LIMIT 1";

/// Ambit's own user makes backups and copies, which may take their time.
const SLOW_NOW: &str = "
    SELECT pid::text, extract(epoch FROM now() - query_start)::float8 FROM pg_stat_activity
    WHERE state = 'active' AND backend_type = 'client backend' AND usename <> 'postgres' AND query_start IS NOT NULL
    ORDER BY query_start LIMIT 1";

impl Host {
    /// Whether the PostgreSQL answers its application.
    pub async fn postgres_answers(&self, server: &PostgresServer) -> Result<(), String> {
        in_time(async {
            let client =
                connect(server, &server.role, &server.role_password, &server.database).await.map_err(|e| said(&e))?;
            client.simple_query("SELECT 1").await.map(drop).map_err(|e| said(&e))
        })
        .await
    }

    /// How the PostgreSQL stands.
    pub async fn postgres_figures(&self, server: &PostgresServer) -> Result<PostgresFigures, String> {
        in_time(async {
            let admin =
                connect(server, "postgres", &server.admin_password, &server.database).await.map_err(|e| said(&e))?;
            figures(&admin).await.map_err(|e| said(&e))
        })
        .await
    }
}

async fn figures(admin: &Client) -> Result<PostgresFigures, tokio_postgres::Error> {
    let row = admin.query_one(STANDING, &[]).await?;
    let bloated = admin.query_opt(BLOATED, &[&DEAD_ROWS]).await?;
    let counted = admin.query_one("SELECT to_regclass('pg_stat_statements') IS NOT NULL", &[]).await?.get(0);
    // Without its library preloaded, the view is there and refuses.
    let on_average = if counted { admin.query_opt(SLOW_ON_AVERAGE, &[&CALLS]).await.ok().flatten() } else { None };
    let (slow, runs) = match on_average {
        Some(row) => (Some(row), false),
        None => (admin.query_opt(SLOW_NOW, &[]).await?, true),
    };
    let slow_query = |row: tokio_postgres::Row| Ok(SlowQuery { name: row.try_get(0)?, seconds: row.try_get(1)?, runs });
    Ok(PostgresFigures {
        connections: row.try_get(0)?,
        max_connections: row.try_get(1)?,
        size: row.try_get(2)?,
        transactions: row.try_get::<_, Option<i64>>(3)?.unwrap_or_default(),
        archives: row.try_get(4)?,
        waiting_segments: row.try_get(5)?,
        archive_failing: row.try_get(6)?,
        dead_bytes: row.try_get(7)?,
        bloated: bloated.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()?,
        slowest: slow.map(slow_query).transpose()?,
    })
}

fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(error), _) => error.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
