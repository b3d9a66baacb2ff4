//! Databases beside the one that an environment's apps use: made, copied, listed, dropped, and put in its place.
//!
//! A swap is one transaction of two renames, so that after a crash the database is there, the old one or the new one. A
//! copy is PostgreSQL's own `CREATE DATABASE … TEMPLATE`, which needs that nobody is connected to what is copied.

use std::time::{Duration, UNIX_EPOCH};

use ambit_domain::{
    Failure, FailureKind,
    provider::{DatabaseStatus, PostgresServer},
};
use tokio_postgres::{Client, error::SqlState};

use crate::postgres::{connect, identifier, query_failed};

/// How long sessions that were told to end may take.
const LET_GO_WITHIN: Duration = Duration::from_secs(30);
/// From this size on files are copied as they are (`STRATEGY FILE_COPY`), for which the server makes two checkpoints;
/// below it, block by block through the write-ahead log (PostgreSQL manual, CREATE DATABASE).
const LARGE: i64 = 64 << 20;
/// The first version that lets one choose.
const HAS_STRATEGY: i32 = 150_000;

pub(crate) async fn admin(server: &PostgresServer) -> Result<Client, Failure> {
    connect(server, "postgres", &server.admin_password, "postgres").await.map_err(|e| {
        Failure::new(FailureKind::Machine, "PostgreSQL does not answer")
            .because(e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned()))
            .hint("ambit status shows what runs, ambit up starts it")
    })
}

/// Makes an empty database of the application's role; one of that name is dropped.
pub(crate) async fn create(server: &PostgresServer, name: &str, owner: &str) -> Result<(), Failure> {
    not_the_present(server, name)?;
    let admin = admin(server).await?;
    drop_it(&admin, name).await?;
    run(&admin, &format!("CREATE DATABASE {} OWNER {}", identifier(name), identifier(owner))).await?;
    close(&admin, name).await
}

/// Copies a database; one of the new name is dropped. Whoever is connected to the original is cut off.
pub(crate) async fn copy(server: &PostgresServer, from: &str, to: &str) -> Result<(), Failure> {
    not_the_present(server, to)?;
    let admin = admin(server).await?;
    drop_it(&admin, to).await?;
    let row = admin
        .query_opt(
            "SELECT pg_database_size(oid), current_setting('server_version_num')::int FROM pg_database WHERE datname = $1",
            &[&from],
        )
        .await
        .map_err(|e| query_failed(&e))?
        .ok_or_else(|| missing(from))?;
    let strategy =
        if row.get::<_, i32>(1) >= HAS_STRATEGY && row.get::<_, i64>(0) >= LARGE { " STRATEGY FILE_COPY" } else { "" };
    let (original, new, role) = (identifier(from), identifier(to), identifier(&server.role));
    undisturbed(server, &admin, from, &format!("CREATE DATABASE {new} TEMPLATE {original} OWNER {role}{strategy}"))
        .await?;
    close(&admin, to).await
}

/// Puts `beside` in the place of the present database, which is called `kept` from then on: both at once.
pub(crate) async fn swap(server: &PostgresServer, beside: &str, kept: &str) -> Result<(), Failure> {
    not_the_present(server, beside)?;
    not_the_present(server, kept)?;
    let admin = admin(server).await?;
    for needed in [beside, &server.database] {
        if !exists(&admin, needed).await? {
            return Err(missing(needed));
        }
    }
    drop_it(&admin, kept).await?;
    end_sessions(&admin, beside).await?;
    let (present, new, old) = (identifier(&server.database), identifier(beside), identifier(kept));
    let renames =
        format!("BEGIN; ALTER DATABASE {present} RENAME TO {old}; ALTER DATABASE {new} RENAME TO {present}; COMMIT");
    undisturbed(server, &admin, &server.database, &renames).await
}

/// Gives a database and everything in it to the application's role, and removes the role that it belonged to.
pub(crate) async fn give(server: &PostgresServer, name: &str, from: &str) -> Result<(), Failure> {
    let there = connect(server, "postgres", &server.admin_password, name).await.map_err(|e| query_failed(&e))?;
    let (role, from) = (identifier(&server.role), identifier(from));
    run(&there, &format!("REASSIGN OWNED BY {from} TO {role}")).await?;
    run(&there, &format!("DROP OWNED BY {from}")).await?;
    drop(there);
    run(&admin(server).await?, &format!("DROP ROLE {from}")).await
}

/// Drops a database that is not the present one.
pub(crate) async fn remove(server: &PostgresServer, name: &str) -> Result<(), Failure> {
    not_the_present(server, name)?;
    drop_it(&admin(server).await?, name).await
}

/// The databases whose names begin with a prefix, in the order of their names.
pub(crate) async fn list(server: &PostgresServer, prefix: &str) -> Result<Vec<DatabaseStatus>, Failure> {
    let rows = admin(server)
        .await?
        .query(
            // A copy's own PG_VERSION is written when it is made and never again.
            "SELECT datname, pg_database_size(oid), (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification
             FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname",
            &[&prefix],
        )
        .await
        .map_err(|e| query_failed(&e))?;
    let status = |row: tokio_postgres::Row| {
        let made: Option<std::time::SystemTime> = row.get(2);
        let made = made.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        DatabaseStatus {
            name: row.get(0),
            size: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
            made: made.map_or(0, |at| i64::try_from(at.as_millis()).unwrap_or(i64::MAX)),
        }
    };
    Ok(rows.into_iter().map(status).collect())
}

/// Runs a statement that needs that nobody is connected to a database: while it waits for that, sessions are ended. The
/// statement keeps new ones out, since it locks the database's name before it looks.
async fn undisturbed(server: &PostgresServer, admin: &Client, database: &str, sql: &str) -> Result<(), Failure> {
    let other = self::admin(server).await?;
    let clear = async {
        loop {
            // What matters is whether the statement gets through.
            let _ = end_sessions(&other, database).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let work = async {
        let until = tokio::time::Instant::now() + LET_GO_WITHIN;
        loop {
            match admin.batch_execute(sql).await {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                    // A transaction that failed is still open.
                    run(admin, "ROLLBACK").await?;
                    if tokio::time::Instant::now() > until {
                        return Err(Failure::new(
                            FailureKind::Machine,
                            format!("the database {database} is in use and cannot be had alone; nothing was changed"),
                        )
                        .because(query_failed(&error).message)
                        .hint(
                            "a prepared transaction holds it where no session does: select * from pg_prepared_xacts",
                        ));
                    }
                }
                Err(error) => return Err(query_failed(&error)),
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = clear => Ok(()),
    }
}

async fn end_sessions(admin: &Client, database: &str) -> Result<(), Failure> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    admin.execute(sql, &[&database]).await.map(drop).map_err(|e| query_failed(&e))
}

/// Nobody but its owner may connect.
async fn close(admin: &Client, name: &str) -> Result<(), Failure> {
    run(admin, &format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", identifier(name))).await
}

async fn drop_it(admin: &Client, name: &str) -> Result<(), Failure> {
    run(admin, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name))).await
}

async fn run(admin: &Client, sql: &str) -> Result<(), Failure> {
    admin.batch_execute(sql).await.map_err(|e| query_failed(&e))
}

async fn exists(admin: &Client, name: &str) -> Result<bool, Failure> {
    let found = admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
    found.map(|row| row.is_some()).map_err(|e| query_failed(&e))
}

fn missing(name: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no database {name}; nothing was changed"))
}

/// The one database that nothing here ever drops or writes over.
fn not_the_present(server: &PostgresServer, name: &str) -> Result<(), Failure> {
    if name == server.database || matches!(name, "postgres" | "template0" | "template1") {
        return Err(Failure::new(FailureKind::Internal, format!("{name} is not a database beside the present one")));
    }
    Ok(())
}
