//! Alerts: what was found wrong, until it is over and for ninety days after. An alert and what is told of it are written in
//! one transaction, so that neither is without the other after a crash.

use ambit_domain::{
    EnvironmentId, Outgoing,
    monitoring::Alert,
    spec::{EnvironmentName, ProjectName},
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    database::{Store, StoreError},
    outbox,
};

pub(crate) const MIGRATION: &str = "
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, environment TEXT NOT NULL, opened INTEGER NOT NULL,
        check_key TEXT NOT NULL, open INTEGER NOT NULL, pending INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX alert_open ON alert (project, environment, check_key) WHERE open = 1;
    CREATE INDEX alert_pending ON alert (id) WHERE pending = 1;
";

/// How long what is over stays listed, in milliseconds.
const KEPT: i64 = 90 * 24 * 3600 * 1000;

impl Store {
    /// Writes down an alert that was just found and gives it its number; `None` where the check has an open one.
    pub fn open_alert(&self, alert: &Alert) -> Result<Option<Alert>, StoreError> {
        let key = alert.check.key();
        let (project, environment) = (alert.environment.project.as_str(), alert.environment.environment.as_str());
        let body = self.encode(&key, alert)?;
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let new = transaction.execute(
                "INSERT OR IGNORE INTO alert (project, environment, opened, check_key, open, pending, body)
                 VALUES (?1, ?2, ?3, ?4, 1, 1, ?5)",
                params![project, environment, alert.opened, key, body],
            )?;
            let id = transaction.last_insert_rowid();
            transaction.execute("DELETE FROM alert WHERE pending = 0 AND opened < ?1", [alert.opened - KEPT])?;
            transaction.commit()?;
            Ok((new > 0).then_some(id))
        };
        let id = write(&mut connection).map_err(|e| self.sqlite(e))?;
        Ok(id.map(|id| Alert { id, ..alert.clone() }))
    }

    /// Writes how an alert stands and, where there is something to tell, puts it into the outbox.
    pub fn set_alert(&self, alert: &Alert, told: Option<&Outgoing>) -> Result<(), StoreError> {
        let what = format!("alert {}", alert.id);
        let body = self.encode(&what, alert)?;
        let announcement = told.map(|outgoing| self.encode(&what, &outgoing.announcement)).transpose()?;
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "UPDATE alert SET open = ?2, pending = ?3, body = ?4 WHERE id = ?1",
                params![alert.id, alert.is_open(), alert.is_pending(), body],
            )?;
            if let (Some(outgoing), Some(announcement)) = (told, &announcement) {
                outbox::insert(&transaction, outgoing, announcement)?;
            }
            transaction.commit()
        };
        write(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// The alert with a number.
    pub fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        let body: Option<String> = self
            .connection()
            .query_row("SELECT body FROM alert WHERE id = ?1", [id], |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))?;
        body.map(|body| self.read_alert(id, &body)).transpose()
    }

    /// Every alert that goes on, or of which there is something left to tell, the oldest first.
    pub fn pending_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.alerts_where("WHERE pending = 1 ORDER BY id", &[])
    }

    /// The alerts of a project, or of one environment of it: those that go on, or all, the newest first.
    pub fn alerts(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentName>,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        self.alerts_where(
            "WHERE project = ?1 AND (?2 IS NULL OR environment = ?2) AND (?3 OR open = 1) ORDER BY id DESC LIMIT ?4",
            params![
                project.as_str(),
                environment.map(EnvironmentName::as_str),
                all,
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
        )
    }

    fn alerts_where(&self, which: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Alert>, StoreError> {
        let rows: Vec<(i64, String)> = {
            let connection = self.connection();
            let read = || -> rusqlite::Result<Vec<_>> {
                connection
                    .prepare_cached(&format!("SELECT id, body FROM alert {which}"))?
                    .query_map(parameters, |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect()
            };
            read().map_err(|e| self.sqlite(e))?
        };
        rows.into_iter().map(|(id, body)| self.read_alert(id, &body)).collect()
    }

    fn read_alert(&self, id: i64, body: &str) -> Result<Alert, StoreError> {
        // The number is the row's: the text was written before there was one.
        Ok(Alert { id, ..self.decode(&format!("alert {id}"), body)? })
    }

    /// Forgets the alerts of an environment that is no more.
    pub(crate) fn forget_alerts(transaction: &Connection, id: &EnvironmentId) -> rusqlite::Result<()> {
        transaction
            .execute(
                "DELETE FROM alert WHERE project = ?1 AND environment = ?2",
                [id.project.as_str(), id.environment.as_str()],
            )
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use ambit_domain::{
        Announcement,
        monitoring::{Check, What},
        spec::Occasion,
    };

    use super::*;

    fn prod() -> EnvironmentId {
        EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() }
    }

    fn found(what: What, at: i64) -> Alert {
        Alert::new(prod(), Check::of(what, "backend"), "503".into(), at)
    }

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("state.db")).unwrap()
    }

    #[test]
    fn a_check_has_one_open_alert_and_after_its_end_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let first = store.open_alert(&found(What::Http, 1)).unwrap().unwrap();
        assert_eq!(store.open_alert(&found(What::Http, 2)).unwrap(), None);
        assert!(store.open_alert(&found(What::Tcp, 2)).unwrap().is_some());
        store.set_alert(&Alert { resolved: Some(3), ..first.clone() }, None).unwrap();
        let second = store.open_alert(&found(What::Http, 4)).unwrap().unwrap();
        assert!(second.id > first.id);
        let project = "kaia".parse().unwrap();
        assert_eq!(store.alerts(&project, None, false, 9).unwrap().len(), 2);
        assert_eq!(store.alerts(&project, Some(&"prod".parse().unwrap()), true, 9).unwrap().len(), 3);
        assert!(store.alerts(&project, Some(&"test".parse().unwrap()), true, 9).unwrap().is_empty());
    }

    #[test]
    fn an_alert_whose_end_has_to_be_told_is_pending_until_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let alert = store.open_alert(&found(What::Http, 1)).unwrap().unwrap();
        let outgoing = Outgoing {
            id: "0".repeat(32),
            announced: 1,
            environment: prod(),
            announcement: Announcement::new(Occasion::Alert, None, "x"),
        };
        let told = Alert { told: 1, told_at: Some(1), ..alert };
        store.set_alert(&told, Some(&outgoing)).unwrap();
        assert_eq!(store.due_deliveries(9, 9).unwrap()[0].0, outgoing);
        let over = Alert { resolved: Some(2), ..told };
        store.set_alert(&over, None).unwrap();
        assert_eq!(store.pending_alerts().unwrap(), std::slice::from_ref(&over));
        store.set_alert(&Alert { end_told: true, ..over.clone() }, None).unwrap();
        assert!(store.pending_alerts().unwrap().is_empty());
        assert!(store.alert(over.id).unwrap().unwrap().end_told);
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_what_goes_on_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let old = store.open_alert(&found(What::Http, 1)).unwrap().unwrap();
        store.open_alert(&found(What::Tcp, 1)).unwrap().unwrap();
        store.set_alert(&Alert { resolved: Some(2), ..old }, None).unwrap();
        store.open_alert(&found(What::Disk, KEPT + 2)).unwrap().unwrap();
        let left = store.alerts(&"kaia".parse().unwrap(), None, true, 9).unwrap();
        assert_eq!(left.iter().map(|a| a.check.what).collect::<Vec<_>>(), [What::Disk, What::Tcp]);
    }
}
