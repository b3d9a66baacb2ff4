//! The audit log's table. SQLite itself refuses to change or remove a row, and to insert one anywhere but at the end;
//! whoever can write to the file can go around that, and is found by the chain of hashes.

use ambit_domain::{
    audit::{Broken, Entry, EntryHash, Head, Note},
    spec::{EnvironmentName, ProjectName},
};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::database::{Store, StoreError};

pub(crate) const TABLE: &str = "
    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,
        project TEXT NOT NULL, environment TEXT, what TEXT NOT NULL, about TEXT NOT NULL,
        previous TEXT NOT NULL, hash TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_of_project ON audit (project, sequence);
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
        WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

const COLUMNS: &str = "sequence, at, who, origin, project, environment, what, about, previous, hash";

/// Which entries of the audit log to read.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this project and of the machine only.
    pub project: Option<ProjectName>,
    /// Of environments of this name only.
    pub environment: Option<EnvironmentName>,
    /// From this moment on, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// The newest so many.
    pub limit: Option<usize>,
}

impl Store {
    /// Appends an entry to the audit log; durable when it returns. Callers in several processes get one order.
    pub fn append_audit(&self, at: i64, note: Note) -> Result<Entry, StoreError> {
        let mut connection = self.connection();
        let append = |connection: &mut Connection| -> Result<Result<Entry, Broken>, rusqlite::Error> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let newest: Option<(u64, String)> = transaction
                .query_row("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1", [], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })
                .optional()?;
            let head = match newest {
                None => Head::EMPTY,
                Some((sequence, hash)) => match hash.parse() {
                    Ok(hash) => Head { sequence, hash },
                    Err(_) => return Ok(Err(unreadable(sequence))),
                },
            };
            let entry = Entry::after(head, at, note);
            transaction.execute(
                &format!("INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
                params![
                    entry.sequence,
                    entry.at,
                    entry.who,
                    entry.from,
                    entry.project,
                    entry.environment,
                    entry.what,
                    entry.about_json(),
                    entry.previous.to_string(),
                    entry.hash.to_string(),
                ],
            )?;
            transaction.commit()?;
            Ok(Ok(entry))
        };
        Ok(append(&mut connection).map_err(|e| self.sqlite(e))??)
    }

    /// Entries of the audit log, oldest first.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<Entry>, StoreError> {
        let connection = self.connection();
        let limit = filter.limit.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
        let mut statement = connection
            .prepare(&format!(
                "SELECT {COLUMNS} FROM (
                     SELECT * FROM audit
                     WHERE (?1 IS NULL OR project IN (?1, '')) AND (?2 IS NULL OR environment = ?2) AND (?3 IS NULL OR at >= ?3)
                     ORDER BY sequence DESC LIMIT ?4
                 ) ORDER BY sequence"
            ))
            .map_err(|e| self.sqlite(e))?;
        let project = filter.project.as_ref().map(ProjectName::as_str);
        let environment = filter.environment.as_ref().map(EnvironmentName::as_str);
        let rows: Vec<Result<Entry, Broken>> = statement
            .query_map(params![project, environment, filter.since, limit], entry)
            .and_then(Iterator::collect)
            .map_err(|e| self.sqlite(e))?;
        Ok(rows.into_iter().collect::<Result<_, _>>()?)
    }
}

fn entry(row: &Row<'_>) -> Result<Result<Entry, Broken>, rusqlite::Error> {
    let sequence: i64 = row.get(0)?;
    let sequence = u64::try_from(sequence).unwrap_or_default();
    let (about, previous, hash): (String, String, String) = (row.get(7)?, row.get(8)?, row.get(9)?);
    let (Ok(about), Ok(previous), Ok(hash)) =
        (serde_json::from_str(&about), previous.parse::<EntryHash>(), hash.parse::<EntryHash>())
    else {
        return Ok(Err(unreadable(sequence)));
    };
    Ok(Ok(Entry {
        sequence,
        at: row.get(1)?,
        who: row.get(2)?,
        from: row.get(3)?,
        project: row.get(4)?,
        environment: row.get(5)?,
        what: row.get(6)?,
        about,
        previous,
        hash,
    }))
}

fn unreadable(sequence: u64) -> Broken {
    Broken::new(sequence, "it cannot be read: ambit did not write it so")
}

#[cfg(test)]
mod tests {
    use ambit_domain::{
        Actor,
        audit::{self, Fact},
    };

    use super::*;

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("state.db")).unwrap()
    }

    fn note(what: &str, environment: &str) -> Note {
        Note::new(&Actor::daemon(), &"kaia".parse().unwrap(), what)
            .environment(&environment.parse().unwrap())
            .about("n", 1_i64)
    }

    #[test]
    fn entries_come_back_as_they_were_written_and_hold_together() {
        let folder = tempfile::tempdir().unwrap();
        let written: Vec<Entry> = {
            let store = store(&folder);
            (0..3).map(|n| store.append_audit(n, note("deployment.approved", "prod")).unwrap()).collect()
        };
        let store = store(&folder);
        let next = store.append_audit(3, note("environment.down", "dev")).unwrap();
        let all = store.audit(&AuditFilter::default()).unwrap();
        assert_eq!(all[..3], written);
        assert_eq!(audit::verify(&all), Ok(next.head()));
    }

    #[test]
    fn several_processes_write_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = Store::open(&path).unwrap();
                    (0..10).for_each(|at| drop(store.append_audit(at, note("secret.set", "dev")).unwrap()));
                });
            }
        });
        let all = store(&folder).audit(&AuditFilter::default()).unwrap();
        assert_eq!(audit::verify(&all).unwrap().sequence, 40);
    }

    #[test]
    fn the_newest_that_fit_are_listed_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        for (at, environment) in [(10, "dev"), (20, "prod"), (30, "dev"), (40, "dev")] {
            store.append_audit(at, note("environment.up", environment)).unwrap();
        }
        let listed = |filter: &AuditFilter| store.audit(filter).unwrap().iter().map(|e| e.sequence).collect::<Vec<_>>();
        let dev = AuditFilter { environment: Some("dev".parse().unwrap()), ..AuditFilter::default() };
        assert_eq!(listed(&dev), [1, 3, 4]);
        assert_eq!(listed(&AuditFilter { limit: Some(2), ..dev.clone() }), [3, 4]);
        assert_eq!(listed(&AuditFilter { since: Some(30), ..dev }), [3, 4]);
        assert!(listed(&AuditFilter { project: Some("shop".parse().unwrap()), ..AuditFilter::default() }).is_empty());
    }

    #[test]
    fn sqlite_refuses_to_change_remove_or_replace_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        for at in 0..2 {
            store.append_audit(at, note("environment.up", "dev")).unwrap();
        }
        let connection = Connection::open(folder.path().join("state.db")).unwrap();
        for statement in [
            "UPDATE audit SET who = 'nobody'",
            "DELETE FROM audit WHERE sequence = 2",
            "INSERT OR REPLACE INTO audit SELECT 1, at, 'nobody', origin, project, environment, what, about, previous, hash FROM audit WHERE sequence = 1",
            "INSERT INTO audit SELECT 9, at, who, origin, project, environment, what, about, previous, hash FROM audit WHERE sequence = 1",
        ] {
            let error = connection.execute(statement, []).unwrap_err().to_string();
            assert!(error.contains("append-only"), "{statement}: {error}");
        }
    }

    #[test]
    fn what_was_changed_behind_its_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        for at in 0..3 {
            store.append_audit(at, note("environment.up", "dev")).unwrap();
        }
        let connection = Connection::open(folder.path().join("state.db")).unwrap();
        connection.execute_batch("DROP TRIGGER audit_is_never_changed").unwrap();
        connection.execute("UPDATE audit SET about = '{\"n\":2}' WHERE sequence = 2", []).unwrap();
        let all = store.audit(&AuditFilter::default()).unwrap();
        assert_eq!(all[1].about["n"], Fact::Number(2));
        assert_eq!(audit::verify(&all).map_err(|b| b.sequence), Err(2));
        connection.execute("UPDATE audit SET about = '[]' WHERE sequence = 2", []).unwrap();
        assert!(
            matches!(store.audit(&AuditFilter::default()), Err(StoreError::Audit(Broken { sequence: 2, .. }))),
            "what cannot be read is told with its place"
        );
    }
}
