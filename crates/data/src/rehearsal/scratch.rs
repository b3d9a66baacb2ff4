//! The scratch database, and the tables that are in it.

use std::{collections::BTreeMap, time::Duration};

use ambit_domain::{Failure, FailureKind};
use tokio_postgres::{Client, Config, NoTls};

use super::report::{Size, Sizes};

/// A database that is thrown away afterwards. Its passwords show up nowhere.
#[derive(Clone)]
pub struct Scratch {
    /// Loopback port of its server.
    pub port: u16,
    /// Its name.
    pub database: String,
    /// The application's role, which owns it.
    pub role: String,
    /// The role's password.
    pub role_password: String,
    /// The password of the superuser `postgres`.
    pub admin_password: String,
}

impl Scratch {
    pub(super) async fn as_role(&self) -> Result<Client, Failure> {
        self.connect(&self.role, &self.role_password).await
    }

    pub(super) async fn as_admin(&self) -> Result<Client, Failure> {
        self.connect("postgres", &self.admin_password).await
    }

    async fn connect(&self, user: &str, password: &str) -> Result<Client, Failure> {
        let (client, connection) = Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user(user)
            .password(password)
            .dbname(&self.database)
            .application_name("ambit rehearsal")
            .connect_timeout(Duration::from_secs(5))
            .connect(NoTls)
            .await
            .map_err(|e| asked(&e))?;
        // Ends when the client is dropped.
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The scratch database did not do what it was asked for the rehearsal's own sake.
pub(super) fn asked(error: &tokio_postgres::Error) -> Failure {
    Failure::new(FailureKind::Machine, "the scratch database of the rehearsal cannot be used").because(said(error))
}

/// An error with everything that PostgreSQL says about it.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else { return error.to_string() };
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    text
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// Another one after the table was written anew.
    pub(super) file: u32,
    size: Size,
}

/// Tables and materialized views, by their object ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables(BTreeMap<u32, Table>);

impl Tables {
    /// What there is, with sizes that are estimated anew.
    pub(super) async fn analyzed(scratch: &Scratch) -> Result<Self, Failure> {
        let admin = scratch.as_admin().await?;
        admin.batch_execute("ANALYZE").await.map_err(|e| asked(&e))?;
        Self::of(&admin).await
    }

    /// What a session sees.
    pub(super) async fn of(client: &Client) -> Result<Self, Failure> {
        let rows = client
            .query(
                "SELECT c.oid, c.relname::text, c.relfilenode, greatest(c.reltuples, 0)::bigint,
                        CASE WHEN c.relkind = 'p' THEN 0 ELSE pg_catalog.pg_total_relation_size(c.oid) END
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ambit_rehearsal')
                   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'",
                &[],
            )
            .await
            .map_err(|e| asked(&e))?;
        let table = |row: tokio_postgres::Row| {
            let natural = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
            let size = Size { rows: natural(3), bytes: natural(4) };
            (row.get(0), Table { name: row.get(1), file: row.get(2), size })
        };
        Ok(Self(rows.into_iter().map(table).collect()))
    }

    pub(super) fn get(&self, oid: u32) -> Option<&Table> {
        self.0.get(&oid)
    }

    /// Those of `before` that were written anew until now.
    pub(super) fn rewritten_since(&self, before: &Self) -> Vec<String> {
        let changed = |(oid, table): (&u32, &Table)| {
            let then = before.get(*oid)?;
            (then.file != table.file && table.file != 0).then(|| table.name.clone())
        };
        self.0.iter().filter_map(changed).collect()
    }

    pub(super) fn sizes(&self) -> Sizes {
        let mut all = Sizes::new();
        for table in self.0.values() {
            // Of tables of one name in several schemas the largest counts.
            let size: &mut Size = all.entry(table.name.clone()).or_default();
            size.rows = size.rows.max(table.size.rows);
            size.bytes = size.bytes.max(table.size.bytes);
        }
        all
    }
}
