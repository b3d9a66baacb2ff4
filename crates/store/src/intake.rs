//! What the ways in need to know: where a project lies in its repository, who may tell of changes, and what they told.

use std::path::{Path, PathBuf};

use ambit_domain::spec::ProjectName;
use rusqlite::{OptionalExtension, params};

use crate::{Store, StoreError};

/// The schema of this part. `work` is what is still to be done with a delivery; NULL when nothing is.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE project_prefix (project TEXT PRIMARY KEY, prefix TEXT NOT NULL) STRICT;
    CREATE TABLE webhook (
        project TEXT PRIMARY KEY, secret TEXT NOT NULL, origin TEXT NOT NULL, repository TEXT NOT NULL,
        hosts TEXT NOT NULL
    ) STRICT;
    CREATE TABLE webhook_delivery (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL,
        at INTEGER NOT NULL, work TEXT, UNIQUE (project, id), UNIQUE (project, digest)
    ) STRICT;
    CREATE INDEX webhook_delivery_at ON webhook_delivery (at);
    CREATE INDEX webhook_delivery_work ON webhook_delivery (sequence) WHERE work IS NOT NULL;
";

/// How long deliveries are remembered, in milliseconds.
const REMEMBERED: i64 = 30 * 24 * 3600 * 1000;

/// Who may tell of changes to a project, and where they are fetched from.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The project.
    pub project: ProjectName,
    /// What deliveries are signed with.
    pub secret: String,
    /// Where commits are fetched from.
    pub origin: String,
    /// OWNER/NAME of the repository that it tells of.
    pub repository: String,
    /// The host names that it is told at.
    pub hosts: Vec<String>,
}

/// A delivery with which something is still to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDelivery {
    /// Its place in the order of arrival.
    pub sequence: i64,
    /// The project.
    pub project: ProjectName,
    /// The id that the sender gave it.
    pub id: String,
    /// What is to be done.
    pub work: String,
}

impl Store {
    /// Every project that is known on the machine.
    pub fn projects(&self) -> Result<Vec<ProjectName>, StoreError> {
        let names: Vec<String> = {
            let connection = self.connection();
            let mut statement =
                connection.prepare("SELECT name FROM project ORDER BY name").map_err(|e| self.sqlite(e))?;
            statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(|e| self.sqlite(e))?
        };
        names.iter().map(|name| self.project_name(name)).collect()
    }

    fn project_name(&self, name: &str) -> Result<ProjectName, StoreError> {
        name.parse().map_err(|_| self.damaged("a project"))
    }

    /// The folder of a project within its repository; empty where nobody said.
    pub fn project_prefix(&self, project: &ProjectName) -> Result<PathBuf, StoreError> {
        self.connection()
            .query_row("SELECT prefix FROM project_prefix WHERE project = ?1", [project.as_str()], |r| {
                r.get::<_, String>(0)
            })
            .optional()
            .map(|prefix| prefix.map(PathBuf::from).unwrap_or_default())
            .map_err(|e| self.sqlite(e))
    }

    /// Remembers the folder of a project within its repository.
    pub fn set_project_prefix(&self, project: &ProjectName, prefix: &Path) -> Result<(), StoreError> {
        self.connection()
            .execute(
                "INSERT INTO project_prefix VALUES (?1, ?2) ON CONFLICT DO UPDATE SET prefix = excluded.prefix",
                [project.as_str(), &prefix.to_string_lossy()],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Every webhook of the machine.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows: Vec<[String; 5]> = {
            let connection = self.connection();
            let mut statement = connection
                .prepare("SELECT project, secret, origin, repository, hosts FROM webhook ORDER BY project")
                .map_err(|e| self.sqlite(e))?;
            statement
                .query_map([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?]))
                .and_then(Iterator::collect)
                .map_err(|e| self.sqlite(e))?
        };
        rows.into_iter()
            .map(|[project, secret, origin, repository, hosts]| {
                let project = self.project_name(&project)?;
                let hosts = hosts.split_ascii_whitespace().map(str::to_owned).collect();
                Ok(Webhook { project, secret, origin, repository, hosts })
            })
            .collect()
    }

    /// Remembers a webhook, in the place of the project's earlier one.
    pub fn put_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let Webhook { project, secret, origin, repository, hosts } = webhook;
        self.connection()
            .execute(
                "INSERT INTO webhook VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET
                 secret = excluded.secret, origin = excluded.origin, repository = excluded.repository,
                 hosts = excluded.hosts",
                [project.as_str(), secret, origin, repository, &hosts.join(" ")],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Forgets a project's webhook; tells whether there was one.
    pub fn remove_webhook(&self, project: &ProjectName) -> Result<bool, StoreError> {
        self.connection()
            .execute("DELETE FROM webhook WHERE project = ?1", [project.as_str()])
            .map(|count| count > 0)
            .map_err(|e| self.sqlite(e))
    }

    /// Remembers a delivery with what is to be done, durable when it returns. `false` where its id or its content was
    /// known: the id alone is not signed. Those of more than 30 days ago are forgotten.
    pub fn add_delivery(
        &self,
        project: &ProjectName,
        id: &str,
        digest: &str,
        at: i64,
        work: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connection();
        let add = |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "DELETE FROM webhook_delivery WHERE at < ?1 AND work IS NULL",
                [at.saturating_sub(REMEMBERED)],
            )?;
            let added = transaction.execute(
                "INSERT OR IGNORE INTO webhook_delivery (project, id, digest, at, work) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![project.as_str(), id, digest, at, work],
            )?;
            transaction.commit()?;
            Ok(added > 0)
        };
        add(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// Deliveries with which something is still to be done, in the order of their arrival.
    pub fn pending_deliveries(&self) -> Result<Vec<PendingDelivery>, StoreError> {
        let rows: Vec<(i64, String, String, String)> = {
            let connection = self.connection();
            let mut statement = connection
                .prepare_cached(
                    "SELECT sequence, project, id, work FROM webhook_delivery WHERE work IS NOT NULL ORDER BY sequence",
                )
                .map_err(|e| self.sqlite(e))?;
            statement
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
                .and_then(Iterator::collect)
                .map_err(|e| self.sqlite(e))?
        };
        rows.into_iter()
            .map(|(sequence, project, id, work)| {
                Ok(PendingDelivery { sequence, project: self.project_name(&project)?, id, work })
            })
            .collect()
    }

    /// Notes that nothing is to be done any more with a delivery. Its id stays known.
    pub fn finish_delivery(&self, sequence: i64) -> Result<(), StoreError> {
        self.connection()
            .execute("UPDATE webhook_delivery SET work = NULL WHERE sequence = ?1", [sequence])
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store, ProjectName) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        (folder, store, "kaia".parse().unwrap())
    }

    #[test]
    fn a_delivery_is_taken_once_by_its_id_and_once_by_its_content() {
        let (_folder, store, kaia) = store();
        assert!(store.add_delivery(&kaia, "1", "a", 0, Some("x")).unwrap());
        assert!(!store.add_delivery(&kaia, "1", "b", 0, Some("x")).unwrap());
        assert!(!store.add_delivery(&kaia, "2", "a", 0, Some("x")).unwrap(), "the same content under another id");
        assert!(store.add_delivery(&"shop".parse().unwrap(), "1", "a", 0, None).unwrap());
        let pending = store.pending_deliveries().unwrap();
        assert_eq!(pending.len(), 1);
        store.finish_delivery(pending[0].sequence).unwrap();
        assert!(store.pending_deliveries().unwrap().is_empty());
        assert!(!store.add_delivery(&kaia, "1", "a", 0, Some("x")).unwrap());
    }

    #[test]
    fn deliveries_are_forgotten_after_thirty_days_unless_something_is_still_to_be_done() {
        let (_folder, store, kaia) = store();
        store.add_delivery(&kaia, "done", "a", 0, None).unwrap();
        store.add_delivery(&kaia, "open", "b", 0, Some("x")).unwrap();
        assert!(!store.add_delivery(&kaia, "done", "c", REMEMBERED, None).unwrap());
        assert!(store.add_delivery(&kaia, "done", "c", REMEMBERED + 1, None).unwrap());
        assert!(!store.add_delivery(&kaia, "open", "d", REMEMBERED + 1, None).unwrap());
    }

    #[test]
    fn a_webhook_is_replaced_and_removed() {
        let (_folder, store, kaia) = store();
        let hosts = vec!["hooks.kaia.ai".to_owned(), "hooks.kaia.localhost".to_owned()];
        let one =
            Webhook { project: kaia.clone(), secret: "1".into(), origin: "/a".into(), repository: "a/b".into(), hosts };
        store.put_webhook(&one).unwrap();
        let two = Webhook { secret: "2".into(), ..one };
        store.put_webhook(&two).unwrap();
        assert!(store.webhooks().unwrap() == [two]);
        assert!(store.remove_webhook(&kaia).unwrap());
        assert!(!store.remove_webhook(&kaia).unwrap());
        assert_eq!(store.project_prefix(&kaia).unwrap(), PathBuf::new());
        store.set_project_prefix(&kaia, Path::new("apps/kaia")).unwrap();
        assert_eq!(store.project_prefix(&kaia).unwrap(), PathBuf::from("apps/kaia"));
    }
}
