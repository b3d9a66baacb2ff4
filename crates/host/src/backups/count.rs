//! The rows of every table at a point of the log that has a name.
//!
//! A drill recovers to that point and counts again. So that a busy database raises no false alarm, the point is put where
//! nobody writes: between two equal snapshots, while no transaction holds a number of its own. Where no such moment comes, a row
//! counts if it was there before the point and still is after it; at least those have to come back.

use std::time::{Duration, Instant};

use ambit_domain::{
    Failure,
    backup::{Count, TableCount},
    provider::PostgresServer,
};
use tokio_postgres::Client;

use crate::postgres::{connect, query_failed};

/// How often a quiet moment is looked for, and the pause between.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);
/// How long transactions that may have been ending at the point are waited for.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Transactions that have a number, and so may have written. They hold its lock until everybody sees how they ended.
const WRITERS: &str = "SELECT transactionid::text FROM pg_locks WHERE locktype = 'transactionid' AND granted \
                       AND mode = 'ExclusiveLock'";

/// Tables whose rows come back: unlogged and temporary ones do not.
const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND (c.relkind = 'r' OR c.relispopulated)
    ORDER BY 1";

struct Database {
    name: String,
    before: Client,
    after: Client,
}

/// Marks a point of the log, named after `point`, and counts there.
pub(super) async fn at_point(server: &PostgresServer, point: &str) -> Result<Count, Failure> {
    let told = |e: tokio_postgres::Error| query_failed(&e);
    let admin = connect(server, "postgres", &server.admin_password, "postgres").await.map_err(told)?;
    let mut databases = Vec::new();
    for name in databases_of(&admin).await.map_err(told)? {
        let open = async || connected(server, &name).await.map_err(|e| query_failed(&e));
        let (before, after) = (open().await?, open().await?);
        databases.push(Database { name, before, after });
    }
    for attempt in 1..=TRIES {
        let name = format!("{point}-{attempt}");
        let first = snapshots(databases.iter().map(|d| &d.before)).await.map_err(told)?;
        admin.execute("SELECT pg_create_restore_point($1)", &[&name]).await.map_err(told)?;
        let writing = writers(&admin).await.map_err(told)?;
        let last = attempt == TRIES;
        if last {
            let until = Instant::now() + ENDS_WITHIN;
            while Instant::now() < until
                && writers(&admin).await.map_err(told)?.iter().any(|writer| writing.contains(writer))
            {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let second = snapshots(databases.iter().map(|d| &d.after)).await.map_err(told)?;
        let exact = writing.is_empty() && quiet(first.iter().chain(&second));
        if exact || last {
            let oldest = oldest(&first);
            let mut tables = Vec::new();
            for database in &databases {
                tables.extend(counted(database, exact, oldest).await.map_err(told)?);
            }
            return Ok(Count { point: name, tables });
        }
        for client in databases.iter().flat_map(|d| [&d.before, &d.after]) {
            client.batch_execute("ROLLBACK").await.map_err(told)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(crate::machine::internal("no point of the log was marked"))
}

/// The rows of a cluster that nobody writes to.
pub(super) async fn all_rows(server: &PostgresServer) -> Result<Vec<TableCount>, Failure> {
    let told = |e: tokio_postgres::Error| query_failed(&e);
    let admin = connect(server, "postgres", &server.admin_password, "postgres").await.map_err(told)?;
    let mut all = Vec::new();
    for name in databases_of(&admin).await.map_err(told)? {
        let client = connected(server, &name).await.map_err(told)?;
        for table in names(&client).await.map_err(told)? {
            let rows = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.map_err(told)?.get(0);
            all.push(TableCount { database: name.clone(), table, rows, exact: true });
        }
    }
    Ok(all)
}

pub(super) async fn databases_of(admin: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1";
    Ok(admin.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// A session that nothing which the database's owner set disturbs.
pub(super) async fn connected(server: &PostgresServer, database: &str) -> Result<Client, tokio_postgres::Error> {
    let client = connect(server, "postgres", &server.admin_password, database).await?;
    client
        .batch_execute(
            "SET search_path = pg_catalog; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0",
        )
        .await?;
    Ok(client)
}

async fn writers(admin: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    Ok(admin.query(WRITERS, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Opens a snapshot in each session; returns the oldest transaction that it does not see and the first that it cannot.
async fn snapshots(clients: impl Iterator<Item = &Client>) -> Result<Vec<(i64, i64)>, tokio_postgres::Error> {
    let mut all = Vec::new();
    for client in clients {
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let sql = "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint \
                   FROM pg_current_snapshot() s";
        let row = client.query_one(sql, &[]).await?;
        all.push((row.get(0), row.get(1)));
    }
    Ok(all)
}

/// Whether they all see the same and none saw anybody at work.
fn quiet<'a>(mut snapshots: impl Iterator<Item = &'a (i64, i64)>) -> bool {
    let Some(first) = snapshots.next() else { return true };
    first.0 == first.1 && snapshots.all(|s| s == first)
}

fn oldest(snapshots: &[(i64, i64)]) -> i64 {
    snapshots.iter().map(|s| s.0).min().unwrap_or_default()
}

async fn names(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    Ok(client.query(TABLES, &[]).await?.iter().map(|row| row.get(0)).collect())
}

async fn counted(database: &Database, exact: bool, oldest: i64) -> Result<Vec<TableCount>, tokio_postgres::Error> {
    let client = if exact { &database.before } else { &database.after };
    let mut all = Vec::new();
    for table in names(client).await? {
        let count = if exact {
            format!("SELECT count(*) FROM {table}")
        } else {
            // Of rows, 32 bits of the number are known: how old both are compares them (manual, 25.1.5).
            let bound = oldest.rem_euclid(1 << 32);
            format!("SELECT count(*) FROM {table} WHERE age(xmin) > age('{bound}'::xid)")
        };
        let rows = client.query_one(&count, &[]).await?.get(0);
        all.push(TableCount { database: database.name.clone(), table, rows, exact });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_quiet_only_where_every_snapshot_sees_the_same_and_nobody_at_work() {
        assert!(quiet([(7, 7), (7, 7)].iter()));
        assert!(!quiet([(7, 7), (8, 8)].iter()));
        assert!(!quiet([(7, 9), (7, 9)].iter()));
    }
}
