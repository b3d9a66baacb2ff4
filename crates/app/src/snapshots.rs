//! Snapshots: copies of an environment's database within its server, made and put back in a moment, so that a developer
//! can go back and forth. Never of production, whose copies are restore points and backups.

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind,
    audit::Note,
    provider::PostgresServer,
    spec::{EnvironmentName, ProjectName},
};
use ambit_host::database_names::{self, LONGEST_SNAPSHOT};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, nearest},
    progress::Progress,
    swap_database::Swap,
};

/// What was in the place of a snapshot that was put back.
const BEFORE_RESTORE: &str = "before-restore";

/// One snapshot of an environment.
#[derive(Clone, Serialize, Deserialize)]
pub struct OneSnapshot {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The snapshot's name.
    pub name: String,
    /// Who asks.
    pub actor: Actor,
}

/// A snapshot as faces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
}

impl OneSnapshot {
    fn id(&self) -> EnvironmentId {
        EnvironmentId { project: self.project.clone(), environment: self.environment.clone() }
    }

    fn note(&self, what: &'static str) -> Note {
        Note::new(&self.actor, &self.project, what).environment(&self.environment).about("name", self.name.as_str())
    }
}

impl Ambit {
    /// Makes a snapshot. The apps are set aside for that moment: PostgreSQL copies only what nobody is connected to.
    pub async fn make_snapshot(&self, request: &OneSnapshot, progress: &Progress) -> Result<Snapshot, Failure> {
        let id = request.id();
        self.refuse_production(&id, "copied by a snapshot").map_err(|failure| {
            failure
                .hint(format!("its data is copied without a pause by: ambit restore-point make -e {}", id.environment))
        })?;
        check_name(&request.name)?;
        let _alone = self.alone(&id).await;
        let server = self.recorded_postgres(&id)?;
        if self.snapshots_at(&id, &server).await?.iter().any(|s| s.name == request.name) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} has a snapshot `{}` already", id.environment, request.name),
            )
            .hint(format!("ambit data delete -e {} {}", id.environment, request.name)));
        }
        let work = async {
            let to = database_names::snapshot(&server.database, &request.name);
            let copied = self.provider.copy_database(&id, &server, &server.database, &to);
            self.with_apps_aside(&id, copied).await?;
            let made = self.known_snapshot(&id, &server, &request.name).await?;
            let detail = format!("{}, {} kB", made.name, made.size.div_ceil(1024));
            Ok((made, detail, true))
        };
        let made = progress.environment(&id.environment).step("snapshot", work).await?;
        self.note_quietly(request.note("snapshot.made"));
        Ok(made)
    }

    /// Puts a copy of a snapshot in the place of the database, which becomes the snapshot whose name is returned.
    pub async fn restore_snapshot(&self, request: &OneSnapshot, progress: &Progress) -> Result<String, Failure> {
        let id = request.id();
        self.refuse_production(&id, "overwritten")?;
        let progress = progress.environment(&id.environment);
        let _alone = self.alone(&id).await;
        let server = self.recorded_postgres(&id)?;
        let found = self.known_snapshot(&id, &server, &request.name).await?;
        let from = database_names::snapshot(&server.database, &found.name);
        let beside = database_names::copy(&server.database);
        let copy = async {
            self.provider.copy_database(&id, &server, &from, &beside).await?;
            Ok(((), format!("{}, {} kB", found.name, found.size.div_ceil(1024)), true))
        };
        progress.step("copy", copy).await?;
        self.replace(&id, &server, &beside, BEFORE_RESTORE, &progress).await?;
        self.note_quietly(request.note("snapshot.restored"));
        Ok(BEFORE_RESTORE.to_owned())
    }

    /// Puts a database in the place of the present one, which becomes a snapshot.
    pub(crate) async fn replace(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        beside: &str,
        kept_as: &str,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let kept = database_names::snapshot(&server.database, kept_as);
        let swap = Swap { server, beside, kept: &kept, keep: true, empties: None, has_to_serve: true };
        self.swap_database(id, &swap, progress).await
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, request: &OneSnapshot) -> Result<(), Failure> {
        let id = request.id();
        let _alone = self.alone(&id).await;
        let server = self.recorded_postgres(&id)?;
        let found = self.known_snapshot(&id, &server, &request.name).await?;
        let database = database_names::snapshot(&server.database, &found.name);
        self.provider.drop_database(&id, &server, &database).await?;
        self.note_quietly(request.note("snapshot.deleted"));
        Ok(())
    }

    /// The snapshots of an environment, the newest first.
    pub async fn snapshots(&self, id: &EnvironmentId) -> Result<Vec<Snapshot>, Failure> {
        self.snapshots_at(id, &self.recorded_postgres(id)?).await
    }

    async fn snapshots_at(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<Vec<Snapshot>, Failure> {
        let prefix = database_names::snapshots(&server.database);
        let mut all: Vec<Snapshot> = self
            .provider
            .databases(id, server, &prefix)
            .await?
            .into_iter()
            .filter_map(|database| {
                let name = database.name.strip_prefix(&prefix)?.to_owned();
                Some(Snapshot { name, size: database.size, made: database.made })
            })
            .collect();
        all.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| a.name.cmp(&b.name)));
        Ok(all)
    }

    async fn known_snapshot(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
    ) -> Result<Snapshot, Failure> {
        let all = self.snapshots_at(id, server).await?;
        if let Some(found) = all.iter().find(|snapshot| snapshot.name == name) {
            return Ok(found.clone());
        }
        let failure = Failure::new(
            FailureKind::NotFound,
            format!("{} has no snapshot `{}`", id.environment, name.escape_debug()),
        );
        let names: Vec<&str> = all.iter().map(|snapshot| snapshot.name.as_str()).collect();
        Err(match nearest(name, names.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => failure.hint(format!("ambit data snapshot -e {} NAME", id.environment)),
            None => failure.hint(format!("there are: {}", names.join(", "))),
        })
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let good = name.len() <= LONGEST_SNAPSHOT
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if good {
        return Ok(());
    }
    Err(Failure::new(FailureKind::User, format!("`{}` is not a name for a snapshot", name.escape_debug()))
        .hint(format!("at most {LONGEST_SNAPSHOT} small letters, digits, `-`, `_` and `.`, a letter or a digit first")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_taken_for_something_else_are_refused() {
        for good in ["a", "before-restore", "2026-11-25", "v1.2_x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(LONGEST_SNAPSHOT + 1);
        for bad in ["", "-e", "A", "a b", "a\"; drop database x", "ä", "../x", ".", long.as_str()] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
