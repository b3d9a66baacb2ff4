//! Deployments with their journal, releases, restore points and what QA said.

use std::path::PathBuf;

use ambit_domain::{
    Deployment, EnvironmentId, Release,
    ids::{DeploymentId, ReleaseId},
    release::{QaVerdict, RestorePoint},
    spec::ProjectName,
};
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE deployment (
        number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, environment TEXT NOT NULL,
        state TEXT NOT NULL, final INTEGER NOT NULL, record TEXT NOT NULL,
        folder TEXT NOT NULL, declaration TEXT NOT NULL, secrets TEXT
    ) STRICT;
    CREATE INDEX deployment_environment ON deployment (project, environment, number);
    CREATE INDEX deployment_unfinished ON deployment (final) WHERE final = 0;
    CREATE TABLE release (
        project TEXT NOT NULL, id TEXT NOT NULL, made INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (project, id)
    ) STRICT;
    CREATE TABLE restore_point (
        project TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (project, environment, name)
    ) STRICT;
    CREATE TABLE qa_verdict (
        project TEXT NOT NULL, release TEXT NOT NULL, at INTEGER NOT NULL, record TEXT NOT NULL
    ) STRICT;
";

/// What a deployment was declared by: the texts themselves, so that it can be repeated whatever happens to the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The folder or repository that the code comes from.
    pub folder: PathBuf,
    /// The text of `ambit.toml`.
    pub declaration: String,
    /// The text of `ambit.secrets`, encrypted as it is.
    pub secrets: Option<String>,
}

impl Store {
    /// Adds a deployment under the next number.
    pub fn add_deployment(
        &self,
        sources: &Sources,
        make: impl FnOnce(DeploymentId) -> Deployment,
    ) -> Result<Deployment, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(|e| self.sqlite(e))?;
        transaction
            .execute(
                "INSERT INTO deployment (project, environment, state, final, record, folder, declaration, secrets)
                 VALUES ('', '', '', 0, '', ?1, ?2, ?3)",
                params![sources.folder.to_string_lossy(), sources.declaration, sources.secrets],
            )
            .map_err(|e| self.sqlite(e))?;
        let number = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
        let deployment = make(DeploymentId(number));
        self.write_deployment(&transaction, &deployment)?;
        transaction.commit().map_err(|e| self.sqlite(e))?;
        Ok(deployment)
    }

    /// Writes a deployment with its journal; durable when it returns.
    pub fn set_deployment(&self, deployment: &Deployment) -> Result<(), StoreError> {
        self.write_deployment(&self.connection(), deployment)
    }

    fn write_deployment(&self, connection: &rusqlite::Connection, deployment: &Deployment) -> Result<(), StoreError> {
        let text = self.encode(&format!("deployment {}", deployment.number), deployment)?;
        let id = &deployment.environment;
        connection
            .execute(
                "UPDATE deployment SET project = ?2, environment = ?3, state = ?4, final = ?5, record = ?6
                 WHERE number = ?1",
                params![
                    deployment.number.0,
                    id.project.as_str(),
                    id.environment.as_str(),
                    deployment.state.name(),
                    deployment.state.is_final(),
                    text
                ],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// A deployment by its number.
    pub fn deployment(&self, number: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let text: Option<String> = self
            .connection()
            .query_row("SELECT record FROM deployment WHERE number = ?1", [number.0], |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))?;
        text.map(|text| self.decode(&format!("deployment {number}"), &text)).transpose()
    }

    /// What a deployment was declared by.
    pub fn sources(&self, number: DeploymentId) -> Result<Option<Sources>, StoreError> {
        self.connection()
            .query_row("SELECT folder, declaration, secrets FROM deployment WHERE number = ?1", [number.0], |r| {
                Ok(Sources {
                    folder: PathBuf::from(r.get::<_, String>(0)?),
                    declaration: r.get(1)?,
                    secrets: r.get(2)?,
                })
            })
            .optional()
            .map_err(|e| self.sqlite(e))
    }

    /// Deployments of a project, the newest first: of one environment, or of all.
    pub fn deployments(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentId>,
        limit: usize,
    ) -> Result<Vec<Deployment>, StoreError> {
        let environment = environment.map(|id| id.environment.as_str());
        self.list(
            "SELECT record FROM deployment WHERE project = ?1 AND (?2 IS NULL OR environment = ?2)
             ORDER BY number DESC LIMIT ?3",
            params![project.as_str(), environment, i64::try_from(limit).unwrap_or(i64::MAX)],
            "a deployment",
        )
    }

    /// Deployments to which something still happens, the oldest first.
    pub fn unfinished_deployments(&self) -> Result<Vec<Deployment>, StoreError> {
        self.list("SELECT record FROM deployment WHERE final = 0 ORDER BY number", [], "a deployment")
    }

    pub(crate) fn list<T: DeserializeOwned>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        what: &str,
    ) -> Result<Vec<T>, StoreError> {
        let rows: Vec<String> = {
            let connection = self.connection();
            let mut statement = connection.prepare_cached(sql).map_err(|e| self.sqlite(e))?;
            statement.query_map(parameters, |r| r.get(0)).and_then(Iterator::collect).map_err(|e| self.sqlite(e))?
        };
        rows.iter().map(|text| self.decode(what, text)).collect()
    }

    /// Remembers a release; one that is known already stays as it is, but for tests that ran since.
    pub fn put_release(&self, release: &Release) -> Result<(), StoreError> {
        let text = self.encode("a release", release)?;
        self.connection()
            .execute(
                "INSERT INTO release VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET record = excluded.record",
                params![release.project.as_str(), release.id.0, release.made, text],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// A release by its id.
    pub fn release(&self, project: &ProjectName, id: &ReleaseId) -> Result<Option<Release>, StoreError> {
        let found = self.list(
            "SELECT record FROM release WHERE project = ?1 AND id = ?2",
            [project.as_str(), &id.0],
            "a release",
        )?;
        Ok(found.into_iter().next())
    }

    /// Every release of a project, the newest first.
    pub fn releases(&self, project: &ProjectName) -> Result<Vec<Release>, StoreError> {
        self.list("SELECT record FROM release WHERE project = ?1 ORDER BY made DESC", [project.as_str()], "a release")
    }

    /// Remembers a copy of an environment's data.
    pub fn put_restore_point(&self, point: &RestorePoint) -> Result<(), StoreError> {
        let text = self.encode("a restore point", point)?;
        let id = &point.environment;
        self.connection()
            .execute(
                "INSERT INTO restore_point VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET at = excluded.at, record = excluded.record",
                params![id.project.as_str(), id.environment.as_str(), point.name, point.at, text],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// The copies of an environment's data, the newest first.
    pub fn restore_points(&self, id: &EnvironmentId) -> Result<Vec<RestorePoint>, StoreError> {
        self.list(
            "SELECT record FROM restore_point WHERE project = ?1 AND environment = ?2 ORDER BY at DESC",
            [id.project.as_str(), id.environment.as_str()],
            "a restore point",
        )
    }

    /// Forgets a copy that was deleted.
    pub fn forget_restore_point(&self, point: &RestorePoint) -> Result<(), StoreError> {
        let id = &point.environment;
        self.connection()
            .execute(
                "DELETE FROM restore_point WHERE project = ?1 AND environment = ?2 AND name = ?3",
                [id.project.as_str(), id.environment.as_str(), &point.name],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// Remembers what QA said.
    pub fn add_qa_verdict(&self, verdict: &QaVerdict) -> Result<(), StoreError> {
        let text = self.encode("a verdict", verdict)?;
        self.connection()
            .execute(
                "INSERT INTO qa_verdict VALUES (?1, ?2, ?3, ?4)",
                params![verdict.environment.project.as_str(), verdict.release.0, verdict.at, text],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }

    /// What QA said of a release, the newest first.
    pub fn qa_verdicts(&self, project: &ProjectName, release: &ReleaseId) -> Result<Vec<QaVerdict>, StoreError> {
        self.list(
            "SELECT record FROM qa_verdict WHERE project = ?1 AND release = ?2 ORDER BY at DESC, rowid DESC",
            [project.as_str(), &release.0],
            "a verdict",
        )
    }
}
