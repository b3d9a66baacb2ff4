//! The outbox: announcements, and how each stands on its way to each place that is told. An announcement and the wish to
//! deliver it are written in one transaction, so that neither is without the other after a crash.

use ambit_domain::{
    Announcement, Channel, Delivery, DeliveryState, EnvironmentId, Outgoing,
    spec::{EnvironmentName, ProjectName},
};
use rusqlite::{Connection, Row, Transaction, params};

use crate::database::{Store, StoreError};

pub(crate) const TABLES: &str = "
    CREATE TABLE announcement (
        id TEXT PRIMARY KEY, announced INTEGER NOT NULL, project TEXT NOT NULL, environment TEXT NOT NULL,
        deployment INTEGER NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
        UNIQUE (project, environment, deployment, event)
    ) STRICT;
    CREATE TABLE delivery (
        number INTEGER PRIMARY KEY, announcement TEXT NOT NULL REFERENCES announcement (id),
        channel TEXT, recipient TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL,
        error TEXT, UNIQUE (announcement, channel, recipient)
    ) STRICT;
    CREATE INDEX delivery_to_come ON delivery (due) WHERE state = 'waiting';
";

/// How long what was announced stays listed, in milliseconds.
const KEPT: i64 = 30 * 24 * 3600 * 1000;

const COLUMNS: &str = "a.id, a.announced, a.project, a.environment, a.body,
    d.number, d.channel, d.recipient, d.state, d.attempts, d.due, d.error";

/// Puts an announcement into the outbox within a transaction of whoever has something to tell.
pub(crate) fn insert(transaction: &Transaction<'_>, outgoing: &Outgoing, body: &str) -> rusqlite::Result<bool> {
    let Outgoing { id, announced, environment, announcement } = outgoing;
    let new = transaction.execute(
        "INSERT OR IGNORE INTO announcement VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            announced,
            environment.project.as_str(),
            environment.environment.as_str(),
            announcement.deployment.map_or_else(|| own_number(outgoing), |d| i64::try_from(d.0).unwrap_or(i64::MAX)),
            announcement.event.name(),
            body
        ],
    )?;
    if new > 0 {
        transaction.execute(
            "INSERT INTO delivery (announcement, recipient, state, attempts, due) VALUES (?1, '', 'waiting', 0, ?2)",
            params![id, announced],
        )?;
        for table in [
            "DELETE FROM delivery WHERE announcement IN (SELECT id FROM announcement WHERE announced < ?1)",
            "DELETE FROM announcement WHERE announced < ?1",
        ] {
            transaction.execute(table, [announced - KEPT])?;
        }
    }
    Ok(new > 0)
}

/// What belongs to no deployment has a number of its own, below those of deployments: two alerts may be told at the same
/// moment.
fn own_number(outgoing: &Outgoing) -> i64 {
    let number = outgoing.id.get(..15).and_then(|digits| i64::from_str_radix(digits, 16).ok());
    -number.unwrap_or(outgoing.announced)
}

impl Store {
    /// Puts an announcement into the outbox, due at once; durable when it returns. The same event of the same deployment
    /// is announced once, however often a step is repeated: tells whether it is new.
    pub fn announce(&self, outgoing: &Outgoing) -> Result<bool, StoreError> {
        let body = self.encode(&outgoing.id, &outgoing.announcement)?;
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let new = insert(&transaction, outgoing, &body)?;
            transaction.commit()?;
            Ok(new)
        };
        write(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// What is due at a moment, the longest waiting first.
    pub fn due_deliveries(&self, now: i64, limit: u32) -> Result<Vec<(Outgoing, Delivery)>, StoreError> {
        self.deliveries(
            "WHERE d.state = 'waiting' AND d.due <= ?1 ORDER BY d.due, d.number LIMIT ?2",
            params![now, limit],
        )
    }

    /// When the next one after a moment is due.
    pub fn next_delivery(&self, now: i64) -> Result<Option<i64>, StoreError> {
        self.connection()
            .query_row("SELECT min(due) FROM delivery WHERE state = 'waiting' AND due > ?1", [now], |r| r.get(0))
            .map_err(|e| self.sqlite(e))
    }

    /// Replaces a delivery that did not know its places by one for each; they are due at once.
    pub fn address_delivery(&self, delivery: &Delivery, places: &[(Channel, String)]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for (channel, recipient) in places {
                transaction.execute(
                    "INSERT OR IGNORE INTO delivery (announcement, channel, recipient, state, attempts, due)
                     SELECT announcement, ?2, ?3, 'waiting', 0, due FROM delivery WHERE number = ?1",
                    params![delivery.number, channel.name(), recipient],
                )?;
            }
            transaction.execute("DELETE FROM delivery WHERE number = ?1", [delivery.number])?;
            transaction.commit()
        };
        write(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// Writes how a delivery stands; durable when it returns.
    pub fn set_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let Delivery { number, state, attempts, due, error, .. } = delivery;
        self.connection()
            .execute(
                "UPDATE delivery SET state = ?2, attempts = ?3, due = ?4, error = ?5 WHERE number = ?1",
                params![number, state.name(), attempts, due, error],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// What was announced of a project, or of one environment of it, newest first.
    pub fn recent_deliveries(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentName>,
        limit: usize,
    ) -> Result<Vec<(Outgoing, Delivery)>, StoreError> {
        self.deliveries(
            "WHERE a.project = ?1 AND (?2 IS NULL OR a.environment = ?2)
             ORDER BY a.announced DESC, d.number DESC LIMIT ?3",
            params![
                project.as_str(),
                environment.map(EnvironmentName::as_str),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
        )
    }

    fn deliveries(
        &self,
        which: &str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<(Outgoing, Delivery)>, StoreError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare(&format!("SELECT {COLUMNS} FROM delivery d JOIN announcement a ON a.id = d.announcement {which}"))
            .map_err(|e| self.sqlite(e))?;
        let rows: Vec<Result<_, String>> =
            statement.query_map(parameters, row).and_then(Iterator::collect).map_err(|e| self.sqlite(e))?;
        rows.into_iter().map(|row| row.map_err(|id| self.damaged(format!("announcement {id}")))).collect()
    }
}

/// A row, or the id of an announcement that cannot be read.
fn row(row: &Row<'_>) -> Result<Result<(Outgoing, Delivery), String>, rusqlite::Error> {
    let (id, project, environment, body): (String, String, String, String) =
        (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let (channel, state): (Option<String>, String) = (row.get(6)?, row.get(8)?);
    let channel = channel.map(|name| Channel::named(&name).ok_or(())).transpose();
    let (Ok(project), Ok(environment), Ok(announcement), Ok(channel), Some(state)) = (
        project.parse(),
        environment.parse(),
        serde_json::from_str::<Announcement>(&body),
        channel,
        DeliveryState::named(&state),
    ) else {
        return Ok(Err(id));
    };
    let outgoing =
        Outgoing { id, announced: row.get(1)?, environment: EnvironmentId { project, environment }, announcement };
    let delivery = Delivery {
        number: row.get(5)?,
        channel,
        recipient: row.get(7)?,
        state,
        attempts: row.get(9)?,
        due: row.get(10)?,
        error: row.get(11)?,
    };
    Ok(Ok((outgoing, delivery)))
}

#[cfg(test)]
mod tests {
    use ambit_domain::{DeploymentId, spec::Occasion};

    use super::*;

    fn outgoing(id: &str, announced: i64, deployment: u64) -> Outgoing {
        Outgoing {
            id: id.to_owned(),
            announced,
            environment: EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() },
            announcement: Announcement::new(Occasion::Deployed, DeploymentId(deployment), "v1"),
        }
    }

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("state.db")).unwrap()
    }

    #[test]
    fn an_announcement_is_due_until_each_place_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let told = outgoing("a", 1000, 1);
        assert!(store.announce(&told).unwrap());
        let (found, unaddressed) = store.due_deliveries(1000, 9).unwrap().remove(0);
        assert_eq!((found, unaddressed.channel), (told, None));
        let places = [(Channel::Slack, String::new()), (Channel::Email, "lead@kaia.ai".to_owned())];
        store.address_delivery(&unaddressed, &places).unwrap();
        let mut due: Vec<Delivery> = store.due_deliveries(1000, 9).unwrap().into_iter().map(|(_, d)| d).collect();
        assert_eq!(due.iter().map(|d| (d.channel.unwrap(), d.recipient.clone())).collect::<Vec<_>>(), places);
        (due[0].state, due[1].due, due[1].attempts) = (DeliveryState::Sent, 5000, 1);
        due[1].error = Some("busy".to_owned());
        due.iter().for_each(|d| store.set_delivery(d).unwrap());
        assert!(store.due_deliveries(4999, 9).unwrap().is_empty());
        assert_eq!(store.next_delivery(1000).unwrap(), Some(5000));
        assert_eq!(store.due_deliveries(5000, 9).unwrap()[0].1, due[1]);
    }

    #[test]
    fn an_event_of_a_deployment_is_announced_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        assert!(store.announce(&outgoing("a", 1, 7)).unwrap());
        assert!(!store.announce(&outgoing("b", 2, 7)).unwrap());
        assert!(store.announce(&outgoing("c", 3, 8)).unwrap());
        assert_eq!(store.due_deliveries(9, 9).unwrap().len(), 2);
    }

    #[test]
    fn two_that_belong_to_no_deployment_are_both_told_though_they_are_announced_at_the_same_moment() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        for id in ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"] {
            let announcement = Announcement::new(Occasion::Alert, None, "x");
            assert!(store.announce(&Outgoing { announcement, ..outgoing(id, 1, 1) }).unwrap());
        }
        assert_eq!(store.due_deliveries(9, 9).unwrap().len(), 2);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.announce(&outgoing("a", 0, 1)).unwrap();
        store.announce(&outgoing("b", KEPT + 1, 2)).unwrap();
        let listed = store.recent_deliveries(&"kaia".parse().unwrap(), None, 9).unwrap();
        assert_eq!(listed.iter().map(|(o, _)| o.id.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
