//! Incidents of projects, with what was told of each.

use ambit_domain::{incident::Incident, spec::ProjectName};
use rusqlite::{OptionalExtension, params};

use crate::{Store, StoreError};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE incident (
        number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, opened INTEGER NOT NULL, open INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
";

impl Store {
    /// Writes an incident down and gives it its number.
    pub fn add_incident(&self, incident: &Incident) -> Result<Incident, StoreError> {
        let body = self.encode("an incident", incident)?;
        let connection = self.connection();
        connection
            .execute(
                "INSERT INTO incident (project, opened, open, body) VALUES (?1, ?2, ?3, ?4)",
                params![incident.project.as_str(), incident.opened, incident.is_open(), body],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(Incident { number: connection.last_insert_rowid(), ..incident.clone() })
    }

    /// Writes how an incident stands.
    pub fn set_incident(&self, incident: &Incident) -> Result<(), StoreError> {
        let body = self.encode("an incident", incident)?;
        self.connection()
            .execute(
                "UPDATE incident SET open = ?2, body = ?3 WHERE number = ?1",
                params![incident.number, incident.is_open(), body],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// The incident with a number.
    pub fn incident(&self, number: i64) -> Result<Option<Incident>, StoreError> {
        let body: Option<String> = self
            .connection()
            .query_row("SELECT body FROM incident WHERE number = ?1", [number], |row| row.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))?;
        body.map(|body| self.read_incident(number, &body)).transpose()
    }

    /// The newest incidents of a project: those that go on, then those that were opened since a moment.
    pub fn incidents(&self, project: &ProjectName, since: i64, limit: usize) -> Result<Vec<Incident>, StoreError> {
        let rows: Vec<(i64, String)> = {
            let connection = self.connection();
            let read = || -> rusqlite::Result<Vec<_>> {
                connection
                    .prepare_cached(
                        "SELECT number, body FROM incident WHERE project = ?1 AND (open = 1 OR opened >= ?2)
                         ORDER BY open DESC, number DESC LIMIT ?3",
                    )?
                    .query_map(params![project.as_str(), since, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?
                    .collect()
            };
            read().map_err(|e| self.sqlite(e))?
        };
        rows.into_iter().map(|(number, body)| self.read_incident(number, &body)).collect()
    }

    fn read_incident(&self, number: i64, body: &str) -> Result<Incident, StoreError> {
        // The number is the row's: the text was written before there was one.
        Ok(Incident { number, ..self.decode(&format!("incident {number}"), body)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_comes_first_and_what_is_long_over_is_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let incident = |project: &str, opened| Incident {
            number: 0,
            project: project.parse().unwrap(),
            title: "t".into(),
            services: vec!["app".into()],
            opened,
            resolved: None,
            alert: None,
            updates: Vec::new(),
        };
        let all: Vec<Incident> = [1, 2, 3].map(|at| store.add_incident(&incident("kaia", at)).unwrap()).into();
        store.add_incident(&incident("other", 9)).unwrap();
        for over in &all[1..] {
            store.set_incident(&Incident { resolved: Some(4), ..over.clone() }).unwrap();
        }
        let numbers = |since| -> Vec<i64> {
            store.incidents(&"kaia".parse().unwrap(), since, 9).unwrap().iter().map(|i| i.number).collect()
        };
        assert_eq!((numbers(0), numbers(3)), (vec![1, 3, 2], vec![1, 3]));
        assert_eq!(store.incident(2).unwrap().unwrap().resolved, Some(4));
        assert_eq!(store.incident(99).unwrap(), None);
    }
}
