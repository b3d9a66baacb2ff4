//! Backups that were made, with what their drills found.

use ambit_domain::{EnvironmentId, backup::Backup};
use rusqlite::params;

use crate::{Store, StoreError};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE backup (
        project TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, started INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (project, environment, name)
    ) STRICT;
";

impl Store {
    /// Remembers a backup, in the place of what was known of it.
    pub fn put_backup(&self, backup: &Backup) -> Result<(), StoreError> {
        let text = self.encode("a backup", backup)?;
        let id = &backup.environment;
        self.connection()
            .execute(
                "INSERT INTO backup VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET started = excluded.started, record = excluded.record",
                params![id.project.as_str(), id.environment.as_str(), backup.name, backup.started, text],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// The backups of an environment on this machine, the newest first. They outlive it.
    pub fn backups(&self, id: &EnvironmentId) -> Result<Vec<Backup>, StoreError> {
        Ok(self.all_backups(id)?.into_iter().filter(|b| b.hosted.is_none()).collect())
    }

    /// Those of where it lives at a service elsewhere, the newest first.
    pub fn hosted_backups(&self, id: &EnvironmentId) -> Result<Vec<Backup>, StoreError> {
        Ok(self.all_backups(id)?.into_iter().filter(|b| b.hosted.is_some()).collect())
    }

    fn all_backups(&self, id: &EnvironmentId) -> Result<Vec<Backup>, StoreError> {
        self.list(
            "SELECT record FROM backup WHERE project = ?1 AND environment = ?2 ORDER BY started DESC",
            [id.project.as_str(), id.environment.as_str()],
            "a backup",
        )
    }

    /// Forgets a backup that is kept no longer.
    pub fn forget_backup(&self, id: &EnvironmentId, name: &str) -> Result<(), StoreError> {
        self.connection()
            .execute(
                "DELETE FROM backup WHERE project = ?1 AND environment = ?2 AND name = ?3",
                [id.project.as_str(), id.environment.as_str(), name],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> EnvironmentId {
        EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() }
    }

    fn backup(name: &str, started: i64) -> Backup {
        Backup {
            name: name.into(),
            environment: id(),
            started,
            finished: started + 1,
            postgres: None,
            redis: None,
            hosted: None,
            drill: None,
        }
    }

    #[test]
    fn backups_and_the_key_to_them_outlive_their_environment() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        store.credential(&id(), "backup", || "key".into()).unwrap();
        store.put_backup(&backup("a", 1)).unwrap();
        store.put_backup(&backup("b", 2)).unwrap();
        store.forget_environment(&id()).unwrap();
        let names: Vec<String> = store.backups(&id()).unwrap().into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(store.credential(&id(), "backup", || "another".into()).unwrap(), "key");
        store.forget_backup(&id(), "a").unwrap();
        store.forget_backup(&id(), "b").unwrap();
        store.forget_environment(&id()).unwrap();
        assert_eq!(store.credential(&id(), "backup", || "another".into()).unwrap(), "another");
    }
}
