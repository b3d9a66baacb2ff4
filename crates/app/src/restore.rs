//! Restores: always beside, looked at, then put in place after a yes; what is replaced is kept.

use std::time::Instant;

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Placement, Wanted,
    audit::Note,
    backup::{Backup, Range, TableCount},
    provider::{Beside, PostgresServer, Purpose, Restore, Target},
    spec::{EnvironmentName, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now, store_failure},
    progress::{Progress, millis},
};

/// What to restore.
#[derive(Clone, Serialize, Deserialize)]
pub struct RestoreRequest {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The moment to restore to, in milliseconds since the Unix epoch.
    pub to: Option<i64>,
    /// The backup to begin with; the newest before the moment where nothing is said.
    pub backup: Option<String>,
    /// The name of a copy beside, to look at.
    pub into: Option<String>,
    /// Where; as a deployment goes where nothing is said.
    #[serde(default)]
    pub at: Option<Placement>,
    /// Who asks.
    pub actor: Actor,
}

/// What was restored beside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restored {
    /// Its name.
    pub name: String,
    /// The backup that it began with.
    pub backup: String,
    /// The moment that it was restored to; `None` is that of the backup.
    pub to: Option<i64>,
    /// The loopback port that it listens on; `None` where it is elsewhere.
    pub port: Option<u16>,
    /// Where it is, where that is elsewhere.
    #[serde(default)]
    pub place: Option<String>,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Its tables.
    pub tables: Vec<TableCount>,
}

/// Which restored copy is meant.
#[derive(Clone, Serialize, Deserialize)]
pub struct RestoredCopy {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The name of the copy; of Redis, that of the backup.
    pub name: String,
    /// Where; as a deployment goes where nothing is said.
    #[serde(default)]
    pub at: Option<Placement>,
    /// Who asks.
    pub actor: Actor,
}

impl RestoredCopy {
    fn id(&self) -> EnvironmentId {
        EnvironmentId { project: self.project.clone(), environment: self.environment.clone() }
    }
}

impl Ambit {
    /// Restores a PostgreSQL beside the one that serves.
    pub async fn restore(&self, request: &RestoreRequest, progress: &Progress) -> Result<Restored, Failure> {
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        let progress = progress.environment(&id.environment);
        if let Some(declaration) = self.elsewhere(&id, request.at)? {
            let environment = &declaration.project.environments[&id.environment];
            return self.restore_elsewhere(&declaration, environment, request, &progress).await;
        }
        let server = self.recorded_postgres(&id)?;
        let _one = self.one_at_a_time(&progress).await;
        let (backup, archived) = self.begin_with(&id, &server, request, &progress).await?;
        let taken = self.store.ports().map_err(|e| store_failure(&e))?;
        let name = match &request.into {
            Some(name) if name == "drill" || name.starts_with("redis-") => {
                return Err(Failure::new(FailureKind::User, format!("`{name}` is a name that ambit uses itself"))
                    .hint("take another one"));
            }
            Some(name) => name.clone(),
            None => jiff::Timestamp::from_millisecond(now()).unwrap_or_default().strftime("%Y%m%d-%H%M%S").to_string(),
        };
        let restore = Restore {
            backup: backup.name.clone(),
            target: request.to.map_or(Target::Backup, Target::Moment),
            purpose: if request.into.is_some() { Purpose::Beside } else { Purpose::Replace },
            port: self.provider.choose_port(&format!("{id}/restore {name}"), &taken)?,
            name,
        };
        let begin = Instant::now();
        let output = |line: &str| progress.output("restore", line);
        let work = async {
            match self.provider.restore_postgres(&id, &server, &restore, &output).await {
                // The log ends before the moment because nothing was committed in between that was archived.
                Err(failure) if !archived && ends_before(&failure) => {
                    progress.notice("restore", "the archived log ends before that moment: all of it is restored");
                    let all = Restore { target: Target::End, ..restore.clone() };
                    self.provider.restore_postgres(&id, &server, &all, &output).await?;
                }
                restored => restored?,
            }
            let tables = match self.provider.restored_rows(&server, &restore).await {
                Ok(tables) => tables,
                // Its server came up and died: nobody is led to such a copy.
                Err(failure) => {
                    self.provider.remove_beside(&id, &restore.name).await?;
                    return Err(failure);
                }
            };
            let rows: i64 = tables.iter().map(|t| t.rows).sum();
            let detail = format!("beside, from {}: {rows} rows in {} tables", restore.backup, tables.len());
            Ok((tables, detail, true))
        };
        let tables = progress.step("restore", work).await?;
        if restore.purpose == Purpose::Replace
            && let Err(interrupted) = progress.go_on()
        {
            // Nobody is there to say yes.
            self.provider.remove_beside(&id, &restore.name).await?;
            return Err(interrupted);
        }
        self.note_quietly(
            Note::new(&request.actor, &id.project, "restore.made")
                .environment(&id.environment)
                .about("name", restore.name.as_str())
                .about("backup", restore.backup.as_str()),
        );
        Ok(Restored {
            name: restore.name,
            backup: restore.backup,
            to: request.to,
            port: Some(restore.port),
            place: None,
            millis: millis(begin.elapsed()),
            tables,
        })
    }

    /// The backup to begin with, and whether everything that was committed until now is archived; refuses a moment that cannot
    /// be restored.
    async fn begin_with(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        request: &RestoreRequest,
        progress: &Progress,
    ) -> Result<(Backup, bool), Failure> {
        let Some(to) = request.to else { return Ok((self.backup(id, request.backup.as_deref())?, false)) };
        if to > now() {
            return Err(Failure::new(FailureKind::User, "that moment has not come yet; nothing was changed"));
        }
        let running =
            self.store.environment(id).map_err(|e| store_failure(&e))?.is_some_and(|r| r.wanted == Wanted::Running);
        // What was committed until now may be asked for. A server that is broken is what a restore may be for.
        let archived = match running {
            true => match self.provider.archive_now(id, server).await {
                Ok(()) => true,
                Err(failure) => {
                    progress.notice("restore", format!("what was written last is not archived: {}", failure.message));
                    false
                }
            },
            false => false,
        };
        let ranges = self.recoverable(id).await?;
        let covered = |r: &Range| r.from * 1000 + 1000 <= to && (to <= r.until * 1000 || (r.open && archived));
        if !ranges.iter().any(covered) {
            let mut failure = Failure::new(
                FailureKind::User,
                format!("{} cannot be restored to {}; nothing was changed", id.environment, moment(to)),
            );
            if ranges.is_empty() {
                return Err(failure
                    .because("there is no backup that could be restored")
                    .hint(format!("ambit backup now -e {}", id.environment)));
            }
            for range in &ranges {
                failure = failure.because(format!("restorable: {}", told(range, archived)));
            }
            return Err(failure);
        }
        let backups = self.store.backups(id).map_err(|e| store_failure(&e))?;
        if let Some(name) = &request.backup {
            return Ok((self.backup(id, Some(name))?, archived));
        }
        let (listed, _) = self.provider.list_backups(id).await?;
        let before = |b: &&ambit_domain::backup::Listed| b.finished * 1000 + 1000 <= to;
        let newest = listed.iter().filter(before).max_by_key(|b| b.finished);
        let chosen = newest.and_then(|listed| backups.into_iter().find(|b| b.name == listed.name));
        chosen
            .map(|backup| (backup, archived))
            .ok_or_else(|| Failure::new(FailureKind::NotFound, "there is no backup from before that moment"))
    }

    /// Puts a restored PostgreSQL into the place of the one that serves; tells what that is called now.
    pub async fn put_in_place(&self, request: &RestoredCopy, progress: &Progress) -> Result<String, Failure> {
        let id = request.id();
        if let Some(declaration) = self.elsewhere(&id, request.at)? {
            let environment = &declaration.project.environments[&id.environment];
            let progress = progress.environment(&id.environment);
            return self.put_in_place_elsewhere(&declaration, environment, request, &progress).await;
        }
        let server = self.recorded_postgres(&id)?;
        let progress = progress.environment(&id.environment);
        let _alone = self.alone(&id).await;
        let _one = self.one_at_a_time(&progress).await;
        // Before the deed: who asked for it stays known whatever happens in the middle of it.
        self.note(
            Note::new(&request.actor, &id.project, "restore.in-place")
                .environment(&id.environment)
                .about("name", request.name.as_str()),
        )?;
        let work = async {
            let placed = self.provider.put_in_place(&id, &server, &request.name);
            self.with_apps_aside(&id, placed).await?;
            Ok(((), format!("in place; what was there is kept as {}", request.name), true))
        };
        progress.step("in place", work).await?;
        if self.store.environment(&id).map_err(|e| store_failure(&e))?.is_some_and(|r| r.backup.is_some()) {
            self.back_up_soon(&id)?;
        }
        Ok(request.name.clone())
    }

    /// Puts the Redis of a backup into the place of the one that serves; returns where the files of that are kept.
    pub async fn restore_redis(&self, request: &RestoredCopy, progress: &Progress) -> Result<String, Failure> {
        let id = request.id();
        let backup = self.backup(&id, Some(&request.name))?;
        let none = |what: &str| Failure::new(FailureKind::NotFound, format!("{what} has no redis"));
        let copy = backup.redis.ok_or_else(|| none(&format!("the backup {}", request.name)))?;
        let server = self.redis_of(&id)?.ok_or_else(|| none(id.environment.as_str()))?;
        let progress = progress.environment(&id.environment);
        let _alone = self.alone(&id).await;
        let _one = self.one_at_a_time(&progress).await;
        self.note(
            Note::new(&request.actor, &id.project, "restore.redis")
                .environment(&id.environment)
                .about("backup", request.name.as_str()),
        )?;
        let work = async {
            let placed = self.provider.restore_redis(&id, &server, &request.name, &copy);
            let kept = self.with_apps_aside(&id, placed).await?;
            Ok((kept.clone(), format!("Redis is as in {}; what was there is kept as {kept}", request.name), true))
        };
        progress.step("restore", work).await
    }

    /// The copies beside what serves. Reads only.
    #[must_use]
    pub fn beside(&self, id: &EnvironmentId) -> Vec<Beside> {
        self.provider.beside(id)
    }

    /// Deletes a copy beside what serves.
    pub async fn remove_beside(&self, request: &RestoredCopy, progress: &Progress) -> Result<(), Failure> {
        let id = request.id();
        if let Some(declaration) = self.elsewhere(&id, request.at)? {
            let environment = &declaration.project.environments[&id.environment];
            let progress = progress.environment(&id.environment);
            return self.remove_beside_elsewhere(&declaration, environment, request, &progress).await;
        }
        if !self.beside(&id).iter().any(|b| b.name == request.name) {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("there is no copy `{}`", request.name.escape_debug()),
            )
            .hint(format!("ambit restore list -e {}", id.environment)));
        }
        let progress = progress.environment(&id.environment);
        let _one = self.one_at_a_time(&progress).await;
        self.note(
            Note::new(&request.actor, &id.project, "restore.removed")
                .environment(&id.environment)
                .about("name", request.name.as_str()),
        )?;
        let work = async {
            self.provider.remove_beside(&id, &request.name).await?;
            Ok(((), format!("{} is deleted", request.name), true))
        };
        progress.step("restore", work).await
    }

    /// At the start of the daemon: what an interrupted one left of backups, drills and restores.
    pub(crate) async fn settle_backups(&self) -> Result<(), Failure> {
        for (id, _) in self.store.environments().map_err(|e| store_failure(&e))? {
            if let Err(failure) = self.settle_backups_of(&id).await {
                tracing::error!(causes = ?failure.causes, "{id}: what a restore left could not be settled: {failure}");
            }
        }
        Ok(())
    }

    async fn settle_backups_of(&self, id: &EnvironmentId) -> Result<(), Failure> {
        for task in ["backup", "stanza", "verify-backups", "restore-drill"] {
            self.provider.forget_task(id, task).await?;
        }
        self.provider.settle_restores(id).await
    }
}

fn ends_before(failure: &Failure) -> bool {
    failure.causes.iter().any(|cause| cause.contains("recovery ended before configured recovery target"))
}

/// A moment in this machine's time.
pub(crate) fn moment(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(
        |_| "?".to_owned(),
        |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
    )
}

fn told(range: &Range, running: bool) -> String {
    let until = if range.open && running { "now".to_owned() } else { moment(range.until * 1000) };
    let broken = if range.missing.is_none() { "" } else { "; a segment of the log is missing after it" };
    format!("{} to {until}{broken}", moment(range.from * 1000 + 1000))
}
