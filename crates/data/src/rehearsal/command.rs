//! The app's own command, seen through event triggers, which note each DDL command with its locks and each table that is
//! written anew, and by a session that looks at what runs.
//!
//! What a transaction that is taken back did is not noted; then the command has failed, and says why.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use ambit_domain::Failure;
use tokio_postgres::Client;

use super::{
    millis,
    report::{Failed, Lock, Observed},
    scratch::{Scratch, Tables, asked},
    sql::split,
};

/// How often it is looked at what runs.
const EVERY: Duration = Duration::from_millis(10);
/// A statement that is no DDL and takes less is not told.
const NOTICED: Duration = Duration::from_millis(50);

/// Notes every DDL command at its begin and its end. As a superuser, since the app's role cannot make event triggers, with
/// a search path that nobody else can put anything into.
const NOTES: &str = r"
    CREATE SCHEMA ambit_rehearsal;
    CREATE TABLE ambit_rehearsal.note (
        id bigserial PRIMARY KEY, at timestamptz NOT NULL, transaction bigint NOT NULL, event text NOT NULL, tag text NOT NULL,
        relation oid, query text, locks text[] NOT NULL
    );
    CREATE FUNCTION ambit_rehearsal.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $note$
    DECLARE
        written oid;
    BEGIN
        IF TG_EVENT = 'table_rewrite' THEN
            written := pg_event_trigger_table_rewrite_oid();
        END IF;
        INSERT INTO ambit_rehearsal.note (at, transaction, event, tag, relation, query, locks)
        SELECT clock_timestamp(), txid_current(), TG_EVENT, TG_TAG, written, current_query(),
               coalesce(array_agg(DISTINCT relation::bigint || ' ' || mode), '{}')
        FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted;
    END $note$;
    CREATE EVENT TRIGGER ambit_rehearsal_start ON ddl_command_start EXECUTE FUNCTION ambit_rehearsal.note();
    CREATE EVENT TRIGGER ambit_rehearsal_end ON ddl_command_end EXECUTE FUNCTION ambit_rehearsal.note();
    CREATE EVENT TRIGGER ambit_rehearsal_rewrite ON table_rewrite EXECUTE FUNCTION ambit_rehearsal.note();
";

/// What it left behind for others to stumble over.
const NO_NOTES: &str = "
    DROP EVENT TRIGGER ambit_rehearsal_start; DROP EVENT TRIGGER ambit_rehearsal_end; DROP EVENT TRIGGER ambit_rehearsal_rewrite;
";

/// What ran, and why it came to no end.
pub(super) async fn run(
    scratch: &Scratch,
    name: &str,
    run: impl Future<Output = Result<(), Failure>>,
    before: &Tables,
) -> Result<(Vec<Observed>, Option<Failed>), Failure> {
    let admin = scratch.as_admin().await?;
    admin.batch_execute(NOTES).await.map_err(|e| asked(&e))?;
    let watcher = scratch.as_admin().await?;
    let over = AtomicBool::new(false);
    let work = async {
        let ran = run.await;
        over.store(true, Ordering::Relaxed);
        ran
    };
    let (ran, seen) = tokio::join!(work, watch(&watcher, &over, before));
    admin.batch_execute(NO_NOTES).await.map_err(|e| asked(&e))?;
    let seen = seen?;
    let mut observed = noted(&admin, name, before, &seen).await?;
    // The next service's command finds the scratch database without them.
    admin.batch_execute("DROP SCHEMA ambit_rehearsal CASCADE").await.map_err(|e| asked(&e))?;
    observed.extend(seen.statements(name, &observed));
    let failed = ran.err().map(|failure| Failed {
        migration: name.to_owned(),
        statement: String::new(),
        error: std::iter::once(failure.message).chain(failure.causes).collect::<Vec<_>>().join("\n"),
    });
    Ok((observed, failed))
}

/// What the second session saw.
#[derive(Default)]
struct Seen {
    /// Statements by session and begin.
    running: BTreeMap<(i32, SystemTime), (String, Duration)>,
    /// Locks by session, begin of the transaction, table and mode.
    locks: HashMap<(i32, SystemTime, u32, String), (Instant, Instant)>,
}

async fn watch(watcher: &Client, over: &AtomicBool, before: &Tables) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    while !over.load(Ordering::Relaxed) {
        let rows = watcher
            .query(
                "SELECT pid, query_start, query, extract(epoch FROM clock_timestamp() - query_start)::float8, state = 'active'
                 FROM pg_catalog.pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'ambit rehearsal'
                   AND query_start IS NOT NULL AND backend_type = 'client backend'",
                &[],
            )
            .await
            .map_err(|e| asked(&e))?;
        for row in rows.iter().filter(|row| row.get(4)) {
            let took = Duration::try_from_secs_f64(row.get::<_, f64>(3)).unwrap_or_default();
            seen.running.insert((row.get(0), row.get(1)), (row.get(2), took));
        }
        let rows = watcher
            .query(
                "SELECT l.pid, a.xact_start, l.relation, l.mode
                 FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
                 WHERE a.datname = current_database() AND l.pid <> pg_backend_pid() AND l.locktype = 'relation'
                   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                   AND l.granted AND a.xact_start IS NOT NULL",
                &[],
            )
            .await
            .map_err(|e| asked(&e))?;
        let now = Instant::now();
        for row in rows.iter().filter(|row| before.get(row.get(2)).is_some()) {
            let key = (row.get(0), row.get(1), row.get(2), row.get(3));
            seen.locks.entry(key).or_insert((now, now)).1 = now;
        }
        tokio::time::sleep(EVERY).await;
    }
    Ok(seen)
}

impl Seen {
    /// The longest time that a lock was seen held.
    fn held(&self, oid: u32, mode: &str) -> Duration {
        let same = self.locks.iter().filter(|((_, _, table, m), _)| *table == oid && m == mode);
        same.map(|(_, (first, last))| *last - *first).max().unwrap_or_default()
    }

    /// What took long and was noted by no trigger: changes of rows.
    fn statements(&self, name: &str, noted: &[Observed]) -> Vec<Observed> {
        let is_noted = |text: &str| noted.iter().any(|observed| text.contains(&observed.statement));
        self.running
            .values()
            .filter(|(text, took)| *took >= NOTICED && !is_noted(text))
            .map(|(text, took)| Observed {
                migration: name.to_owned(),
                statement: text.clone(),
                millis: millis(*took),
                locks: Vec::new(),
                rewritten: Vec::new(),
                rows: 0,
            })
            .collect()
    }
}

/// What the triggers noted.
async fn noted(admin: &Client, name: &str, before: &Tables, seen: &Seen) -> Result<Vec<Observed>, Failure> {
    let rows = admin
        .query("SELECT event, tag, relation, coalesce(query, ''), locks, at, transaction FROM ambit_rehearsal.note ORDER BY id", &[])
        .await
        .map_err(|e| asked(&e))?;
    let mut all = Vec::new();
    let mut texts = Texts::default();
    let mut begun: Option<(SystemTime, Vec<String>)> = None;
    let mut rewritten = Vec::new();
    for row in rows {
        let (event, tag, locks, at): (String, String, Vec<String>, SystemTime) =
            (row.get(0), row.get(1), row.get(4), row.get(5));
        match event.as_str() {
            "ddl_command_start" => {
                rewritten.clear();
                begun = Some((at, locks));
            }
            "table_rewrite" => {
                let table = row.get::<_, Option<u32>>(2).and_then(|oid| before.get(oid));
                rewritten.extend(table.map(|table| table.name.clone()));
            }
            _ => {
                let (since, held) = begun.take().unwrap_or((at, Vec::new()));
                let took = at.duration_since(since).unwrap_or_default();
                let lock = |text: &String| {
                    let (oid, mode) = text.split_once(' ')?;
                    let oid = oid.parse().ok()?;
                    let table = before.get(oid)?.name.clone();
                    Some(Lock { table, mode: mode.to_owned(), millis: millis(took.max(seen.held(oid, mode))) })
                };
                all.push(Observed {
                    migration: name.to_owned(),
                    statement: texts.next(row.get(6), &row.get::<_, String>(3), &tag),
                    millis: millis(took),
                    locks: locks.iter().filter(|text| !held.contains(text)).filter_map(lock).collect(),
                    rewritten: std::mem::take(&mut rewritten),
                    rows: 0,
                });
            }
        }
    }
    Ok(all)
}

/// Tools send a whole file at once, and PostgreSQL then names the whole of it as what runs: which statement it was follows
/// from the order and the kind of command.
#[derive(Default)]
struct Texts {
    of: (i64, String),
    next: usize,
}

impl Texts {
    fn next(&mut self, transaction: i64, query: &str, tag: &str) -> String {
        if self.of.0 != transaction || self.of.1 != query {
            *self = Self { of: (transaction, query.to_owned()), next: 0 };
        }
        let statements = split(query);
        let is_it = |text: &str| {
            let mut words = text.split_whitespace();
            let mut tag = tag.split_whitespace();
            let first = tag.next().unwrap_or_default();
            words.next().is_some_and(|w| w.eq_ignore_ascii_case(first))
                && tag.all(|t| words.by_ref().take(3).any(|w| w.eq_ignore_ascii_case(t)))
        };
        let found = statements.iter().enumerate().skip(self.next).find(|(_, statement)| is_it(&statement.text));
        match found {
            Some((n, statement)) => {
                self.next = n + 1;
                statement.text.clone()
            }
            None => query.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_of_a_file_that_was_sent_at_once_is_told_apart() {
        let query = "SELECT 1; ALTER TABLE a ADD b int; create unique index i on a (b); ALTER TABLE a DROP c;";
        let mut texts = Texts::default();
        assert_eq!(texts.next(7, query, "ALTER TABLE"), "ALTER TABLE a ADD b int");
        assert_eq!(texts.next(7, query, "CREATE INDEX"), "create unique index i on a (b)");
        assert_eq!(texts.next(7, query, "ALTER TABLE"), "ALTER TABLE a DROP c");
        assert_eq!(texts.next(8, query, "ALTER TABLE"), "ALTER TABLE a ADD b int", "another transaction");
        assert_eq!(texts.next(8, "SELECT make()", "CREATE TABLE"), "SELECT make()", "a function's own");
    }
}
