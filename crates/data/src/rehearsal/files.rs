//! Files of SQL, run one statement after the other, each looked at by the session that ran it.

use std::{collections::BTreeMap, time::Instant};

use ambit_domain::Failure;
use tokio_postgres::Client;

use super::{
    Pending, millis,
    report::{Failed, Lock, Observed},
    scratch::{Scratch, Tables, asked, said},
    short,
    sql::split,
};

/// What ran, and why it came to no end.
pub(super) async fn run(
    scratch: &Scratch,
    pending: &[Pending],
    before: &Tables,
) -> Result<(Vec<Observed>, Option<Failed>), Failure> {
    let client = scratch.as_role().await?;
    let mut all = Vec::new();
    for (name, text) in pending {
        let mut migration = Migration { name, client: &client, before, locks: BTreeMap::new(), observed: Vec::new() };
        let failed = migration.run(text).await?;
        all.append(&mut migration.observed);
        if failed.is_some() {
            return Ok((all, failed));
        }
    }
    Ok((all, None))
}

struct Migration<'a> {
    name: &'a str,
    client: &'a Client,
    before: &'a Tables,
    /// By table and mode: the statement that took it, and when.
    locks: BTreeMap<(u32, String), (usize, Instant)>,
    observed: Vec<Observed>,
}

impl Migration<'_> {
    async fn run(&mut self, text: &str) -> Result<Option<Failed>, Failure> {
        self.client.batch_execute("BEGIN").await.map_err(|e| asked(&e))?;
        let (mut tables, mut rows) = (Tables::of(self.client).await?, self.rows().await?);
        for statement in split(text) {
            let start = Instant::now();
            if let Err(error) = self.client.batch_execute(&statement.text).await {
                return self
                    .failed(&statement.text, &format!("line {}: {}", statement.line, said(&error)))
                    .await
                    .map(Some);
            }
            let took = start.elapsed();
            let emptied = statement.text.get(..8).is_some_and(|first| first.eq_ignore_ascii_case("truncate"));
            let earlier = std::mem::replace(&mut tables, Tables::of(self.client).await?);
            let rewritten = if emptied { Vec::new() } else { tables.rewritten_since(&earlier) };
            let rows_before = std::mem::replace(&mut rows, self.rows().await?);
            self.observed.push(Observed {
                migration: self.name.to_owned(),
                statement: statement.text,
                millis: millis(took),
                locks: Vec::new(),
                rewritten,
                rows: rows.saturating_sub(rows_before),
            });
            self.look_at_locks(start).await?;
        }
        if let Err(error) = self.client.batch_execute("COMMIT").await {
            return self.failed("COMMIT", &said(&error)).await.map(Some);
        }
        let end = Instant::now();
        for ((oid, mode), (statement, since)) in std::mem::take(&mut self.locks) {
            let (Some(table), Some(observed)) = (self.before.get(oid), self.observed.get_mut(statement)) else {
                continue;
            };
            observed.locks.push(Lock { table: table.name.clone(), mode, millis: millis(end - since) });
        }
        Ok(None)
    }

    async fn failed(&mut self, statement: &str, error: &str) -> Result<Failed, Failure> {
        self.client.batch_execute("ROLLBACK").await.map_err(|e| asked(&e))?;
        Ok(Failed { migration: self.name.to_owned(), statement: short(statement), error: error.to_owned() })
    }

    /// Notes the locks that the last statement was the first to take.
    async fn look_at_locks(&mut self, since: Instant) -> Result<(), Failure> {
        let held = self
            .client
            .query(
                "SELECT DISTINCT relation, mode FROM pg_catalog.pg_locks
                 WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted",
                &[],
            )
            .await
            .map_err(|e| asked(&e))?;
        let last = self.observed.len().saturating_sub(1);
        for row in held {
            let (oid, mode): (u32, String) = (row.get(0), row.get(1));
            if self.before.get(oid).is_some() {
                self.locks.entry((oid, mode)).or_insert((last, since));
            }
        }
        Ok(())
    }

    /// Rows changed by this transaction so far.
    async fn rows(&self) -> Result<u64, Failure> {
        let sql = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
                   FROM pg_catalog.pg_stat_xact_user_tables";
        let row = self.client.query_one(sql, &[]).await.map_err(|e| asked(&e))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }
}
