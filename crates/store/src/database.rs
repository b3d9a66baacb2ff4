//! The database: small tables of facts, each written in one transaction.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ambit_domain::{
    EnvironmentId, EnvironmentRecord,
    audit::Broken,
    spec::{EnvironmentName, ProjectName},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use crate::{audit, outbox};

/// Schema versions in order; `user_version` tells how many have been applied.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE project (name TEXT PRIMARY KEY, folder TEXT NOT NULL) STRICT;
    CREATE TABLE environment (
        project TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (project, name)
    ) STRICT;
    CREATE TABLE port (key TEXT PRIMARY KEY, port INTEGER NOT NULL UNIQUE) STRICT;
    CREATE TABLE credential (
        project TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, environment, name)
    ) STRICT;
    ",
    crate::deployments::MIGRATION,
    audit::TABLE,
    outbox::TABLES,
    crate::intake::MIGRATION,
    crate::backups::MIGRATION,
    crate::mobile_builds::MIGRATION,
    crate::alerts::MIGRATION,
    crate::access::MIGRATION,
    crate::incidents::MIGRATION,
    crate::passkeys::MIGRATION,
];

/// How long to wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// Has the database write ahead. SQLite's own busy handler is not asked when a lock has to be widened, as the first
/// change to write-ahead logging does, so processes that open a new database at once have to take turns here
/// (<https://www.sqlite.org/c3ref/busy_handler.html>).
pub(crate) fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    let until = Instant::now() + BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// Why something could not be remembered or recalled.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the state database {path} cannot be used")]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It was written by a later program.
    #[error("the state database {path} has schema {found}, newer than this program knows; nothing was touched")]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: usize,
    },
    /// A record in it cannot be read.
    #[error("the state database {path} holds a record that cannot be read ({what})")]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// Which record.
        what: String,
    },
    /// The audit log holds what ambit does not write.
    #[error("the audit log was tampered with")]
    Audit(#[from] Broken),
    /// The hashes of the audit log outside of the database cannot be used.
    #[error("cannot use {path}, which holds the hashes of the audit log")]
    Heads {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The open database. Calls are short and block; they may be made from any thread.
pub struct Store {
    pub(crate) path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database and brings its schema up to date. The file is readable by its owner only: it holds the
    /// passwords of the databases.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Sqlite { path: path.to_path_buf(), source };
        if fs::metadata(path).is_err() {
            // SQLite would make it with the umask's mode.
            let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
            made.map_err(|e| failed(rusqlite::Error::ToSqlConversionFailure(Box::new(e))))?;
        }
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        write_ahead(&connection).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
        connection.pragma_update(None, "cache_size", -512).map_err(failed)?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let version: usize = transaction.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(failed)?;
        let pending =
            MIGRATIONS.get(version..).ok_or_else(|| StoreError::Newer { path: path.to_path_buf(), found: version })?;
        for migration in pending {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        if !pending.is_empty() {
            transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(Self { path: path.to_path_buf(), connection: Mutex::new(connection) })
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic in another caller leaves SQLite's own state whole: transactions roll back on drop.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    /// A setting of the machine.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.connection()
            .query_row("SELECT value FROM setting WHERE name = ?1", [name], |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))
    }

    /// Settings whose names begin with a prefix, and their values.
    pub fn settings_with(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare("SELECT name, value FROM setting WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")
            .map_err(|e| self.sqlite(e))?;
        let rows = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|e| self.sqlite(e))?;
        rows.collect::<Result<_, _>>().map_err(|e| self.sqlite(e))
    }

    /// Sets a setting of the machine.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.connection()
            .execute(
                "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
                [name, value],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// The folder that a project was last brought up from.
    pub fn project_folder(&self, project: &ProjectName) -> Result<Option<PathBuf>, StoreError> {
        self.connection()
            .query_row("SELECT folder FROM project WHERE name = ?1", [project.as_str()], |r| r.get::<_, String>(0))
            .optional()
            .map(|folder| folder.map(PathBuf::from))
            .map_err(|e| self.sqlite(e))
    }

    /// Remembers where a project's `ambit.toml` lies.
    pub fn set_project_folder(&self, project: &ProjectName, folder: &Path) -> Result<(), StoreError> {
        self.connection()
            .execute(
                "INSERT INTO project VALUES (?1, ?2) ON CONFLICT DO UPDATE SET folder = excluded.folder",
                [project.as_str(), &folder.to_string_lossy()],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// The record of an environment; `None` where nothing of it exists.
    pub fn environment(&self, id: &EnvironmentId) -> Result<Option<EnvironmentRecord>, StoreError> {
        let text: Option<String> = self
            .connection()
            .query_row("SELECT record FROM environment WHERE project = ?1 AND name = ?2", key(id), |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))?;
        text.map(|text| self.decode(&id.to_string(), &text)).transpose()
    }

    /// Every environment on the machine, ordered by project and name.
    pub fn environments(&self) -> Result<Vec<(EnvironmentId, EnvironmentRecord)>, StoreError> {
        let rows: Vec<(String, String, String)> = {
            let connection = self.connection();
            let mut statement = connection
                .prepare("SELECT project, name, record FROM environment ORDER BY project, name")
                .map_err(|e| self.sqlite(e))?;
            statement
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .and_then(Iterator::collect)
                .map_err(|e| self.sqlite(e))?
        };
        rows.into_iter()
            .map(|(project, name, text)| {
                let what = format!("{project}/{name}");
                let damaged = |_| self.damaged(what.as_str());
                let id = EnvironmentId {
                    project: project.parse::<ProjectName>().map_err(damaged)?,
                    environment: name.parse::<EnvironmentName>().map_err(damaged)?,
                };
                let record = self.decode(&what, &text)?;
                Ok((id, record))
            })
            .collect()
    }

    pub(crate) fn encode<T: Serialize>(&self, what: &str, value: &T) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|_| self.damaged(what))
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self, what: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.damaged(what))
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: what.into() }
    }

    /// Writes the record of an environment; durable when it returns.
    pub fn set_environment(&self, id: &EnvironmentId, record: &EnvironmentRecord) -> Result<(), StoreError> {
        let text = self.encode(&id.to_string(), record)?;
        let (project, name) = (id.project.as_str(), id.environment.as_str());
        self.connection()
            .execute(
                "INSERT INTO environment VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET record = excluded.record",
                params![project, name, text],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Forgets an environment with its ports and, where it has no backups, its credentials: what is restored from them was
    /// opened by the same ones.
    pub fn forget_environment(&self, id: &EnvironmentId) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let forget = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM environment WHERE project = ?1 AND name = ?2", key(id))?;
            Self::forget_alerts(&transaction, id)?;
            transaction.execute("DELETE FROM mobile_build WHERE project = ?1 AND environment = ?2", key(id))?;
            transaction.execute(
                "DELETE FROM credential WHERE project = ?1 AND environment = ?2
                 AND NOT EXISTS (SELECT 1 FROM backup WHERE project = ?1 AND environment = ?2)",
                key(id),
            )?;
            let prefix = format!("{id}/");
            transaction.execute("DELETE FROM port WHERE substr(key, 1, length(?1)) = ?1", [prefix])?;
            transaction.commit()
        };
        forget(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// The recorded port of a key such as `kaia/dev/postgres`.
    pub fn port(&self, key: &str) -> Result<Option<u16>, StoreError> {
        self.connection()
            .query_row("SELECT port FROM port WHERE key = ?1", [key], |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))
    }

    /// Every recorded port.
    pub fn ports(&self) -> Result<Vec<u16>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT port FROM port").map_err(|e| self.sqlite(e))?;
        statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(|e| self.sqlite(e))
    }

    /// Records a port, in the place of the key's earlier one. Fails where another key has it.
    pub fn set_port(&self, key: &str, port: u16) -> Result<(), StoreError> {
        self.connection()
            .execute(
                "INSERT INTO port VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET port = excluded.port",
                params![key, port],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Gives a port back.
    pub fn release_port(&self, key: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM port WHERE key = ?1", [key]).map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// A credential of an environment; where there is none yet, `make` makes it. Two callers at once get the same one.
    pub fn credential(
        &self,
        id: &EnvironmentId,
        name: &str,
        make: impl FnOnce() -> String,
    ) -> Result<String, StoreError> {
        let connection = self.connection();
        let (project, environment) = (id.project.as_str(), id.environment.as_str());
        let read = || {
            connection
                .query_row(
                    "SELECT value FROM credential WHERE project = ?1 AND environment = ?2 AND name = ?3",
                    [project, environment, name],
                    |r| r.get(0),
                )
                .optional()
                .map_err(|e| self.sqlite(e))
        };
        if let Some(value) = read()? {
            return Ok(value);
        }
        connection
            .execute("INSERT OR IGNORE INTO credential VALUES (?1, ?2, ?3, ?4)", [project, environment, name, &make()])
            .map_err(|e| self.sqlite(e))?;
        read()?.ok_or_else(|| self.damaged(id.to_string()))
    }
}

fn key(id: &EnvironmentId) -> [&str; 2] {
    [id.project.as_str(), id.environment.as_str()]
}

#[cfg(test)]
mod tests {
    use ambit_domain::spec::Kind;

    use super::*;

    fn dev() -> EnvironmentId {
        EnvironmentId { project: "kaia".parse().unwrap(), environment: "dev".parse().unwrap() }
    }

    #[test]
    fn many_open_a_new_database_at_once() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| Store::open(&path).unwrap()))));
        }
    }

    #[test]
    fn what_was_remembered_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let record = EnvironmentRecord::new(Kind::Development);
        {
            let store = Store::open(&path).unwrap();
            store.set_environment(&dev(), &record).unwrap();
            store.set_port("kaia/dev/postgres", 15_432).unwrap();
            assert_eq!(store.credential(&dev(), "postgres", || "one".into()).unwrap(), "one");
        }
        let store = Store::open(&path).unwrap();
        assert_eq!(store.environment(&dev()).unwrap(), Some(record));
        assert_eq!(store.port("kaia/dev/postgres").unwrap(), Some(15_432));
        assert_eq!(store.credential(&dev(), "postgres", || "two".into()).unwrap(), "one");
    }

    #[test]
    fn a_port_belongs_to_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        store.set_port("kaia/dev/postgres", 15_432).unwrap();
        assert!(store.set_port("kaia/test/postgres", 15_432).is_err());
    }

    #[test]
    fn a_forgotten_environment_leaves_the_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        store.set_port("kaia/dev/redis", 15_001).unwrap();
        store.set_port("kaia/dev2/redis", 15_002).unwrap();
        store.forget_environment(&dev()).unwrap();
        assert_eq!(store.ports().unwrap(), [15_002]);
    }

    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(Store::open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 99, .. })));
    }
}
