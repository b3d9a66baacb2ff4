//! Copies of an environment's database: made before migrations or when somebody asks, and put back.

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind,
    audit::Note,
    provider::PostgresServer,
    release::RestorePoint,
    spec::{EnvironmentName, Kind, ProjectName},
};
use ambit_host::database_names;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now, store_failure},
    progress::Progress,
    swap_database::Swap,
};

/// Whose data to copy.
#[derive(Clone, Serialize, Deserialize)]
pub struct MakeRestorePoint {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Who asks.
    pub actor: Actor,
}

/// Which copy to put back.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoadRestorePoint {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The copy's name.
    pub name: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Copies the database of an environment that runs.
    pub async fn restore_point(
        &self,
        request: &MakeRestorePoint,
        progress: &Progress,
    ) -> Result<RestorePoint, Failure> {
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        let server = self.recorded_postgres(&id)?;
        let _alone = self.alone(&id).await;
        let at = now();
        let name = jiff::Timestamp::from_millisecond(at)
            .map_or_else(|_| at.to_string(), |t| t.strftime("%Y-%m-%dT%H-%M-%S").to_string());
        let work = async {
            let point = self.copy_data(&id, &server, &name).await?;
            let detail = format!("{name}, {} kB", point.size.div_ceil(1024));
            Ok((point, detail, true))
        };
        let point = progress.environment(&id.environment).step("restore point", work).await?;
        self.prune_restore_points(&id).await?;
        self.note_quietly(
            Note::new(&request.actor, &id.project, "restore-point.made")
                .environment(&id.environment)
                .about("name", point.name.as_str()),
        );
        Ok(point)
    }

    /// Copies a database and records the copy.
    pub(crate) async fn copy_data(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
    ) -> Result<RestorePoint, Failure> {
        // What it holds is as of its beginning.
        let at = now();
        let size = self.provider.make_restore_point(id, server, name).await?;
        let point = RestorePoint { name: name.to_owned(), environment: id.clone(), at, size };
        self.store.put_restore_point(&point).map_err(|e| store_failure(&e))?;
        Ok(point)
    }

    /// The copies of an environment, the newest first.
    pub fn restore_points(&self, id: &EnvironmentId) -> Result<Vec<RestorePoint>, Failure> {
        self.store.restore_points(id).map_err(|e| store_failure(&e))
    }

    /// Puts a copy back; the present database is kept under another name.
    pub async fn put_back(&self, request: &LoadRestorePoint, progress: &Progress) -> Result<String, Failure> {
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        let progress = progress.environment(&id.environment);
        let work = async {
            let kept = self.load_restore_point(&id, &request.name, &request.actor, true, &progress).await?;
            Ok((kept.clone(), format!("put back; what was there is kept as the database {kept}"), true))
        };
        progress.step("restore point", work).await
    }

    /// `has_to_serve`: whether what runs is to go on with the copy. Where it does not, nothing is changed.
    pub(crate) async fn load_restore_point(
        &self,
        id: &EnvironmentId,
        name: &str,
        actor: &Actor,
        has_to_serve: bool,
        progress: &Progress,
    ) -> Result<String, Failure> {
        let known = self.restore_points(id)?;
        if !known.iter().any(|p| p.name == name) {
            let names: Vec<&str> = known.iter().map(|p| p.name.as_str()).collect();
            let failure =
                Failure::new(FailureKind::NotFound, format!("there is no restore point `{}`", name.escape_debug()));
            return Err(if names.is_empty() {
                failure.because(format!("{} has none", id.environment))
            } else {
                failure.hint(format!("there are: {}", names.join(", ")))
            });
        }
        let server = self.recorded_postgres(id)?;
        let _alone = self.alone(id).await;
        let beside = database_names::restoring(&server.database);
        let kept = database_names::before(&server.database, name);
        self.provider.load_restore_point(id, &server, name, &beside).await?;
        let swap = Swap { server: &server, beside: &beside, kept: &kept, keep: true, empties: None, has_to_serve };
        self.swap_database(id, &swap, progress).await?;
        self.note_quietly(
            Note::new(actor, &id.project, "restore-point.loaded")
                .environment(&id.environment)
                .about("name", name)
                .about("kept", kept.as_str()),
        );
        Ok(kept)
    }

    /// The PostgreSQL of an environment as it was last made.
    pub(crate) fn recorded_postgres(&self, id: &EnvironmentId) -> Result<PostgresServer, Failure> {
        let none =
            || Failure::new(FailureKind::NotFound, format!("{} has no postgres on this machine", id.environment));
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?.ok_or_else(none)?;
        let name = "postgres".parse().expect("`postgres` is a valid name");
        let database =
            record.service(&name).and_then(|s| s.made_from.facts.get("database")).cloned().ok_or_else(none)?;
        self.postgres_at(id, record.kind, database)?.ok_or_else(none)
    }

    /// The PostgreSQL of an environment as it is reached; `None` where there never was one.
    pub(crate) fn postgres_at(
        &self,
        id: &EnvironmentId,
        kind: Kind,
        database: String,
    ) -> Result<Option<PostgresServer>, Failure> {
        let port = self.store.port(&format!("{id}/postgres")).map_err(|e| store_failure(&e))?;
        let Some(port) = port else { return Ok(None) };
        let credential = |name: &str| self.store.credential(id, name, String::new).map_err(|e| store_failure(&e));
        Ok(Some(PostgresServer {
            kind,
            version: None,
            port,
            database,
            role: id.project.to_string(),
            role_password: credential("postgres")?,
            admin_password: credential("postgres-admin")?,
            memory: None,
            settings: indexmap::IndexMap::new(),
            backup: None,
        }))
    }
}
