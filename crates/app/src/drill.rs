//! Drills: a backup is restored beside, examined, timed and thrown away. A backup counts once a drill has restored it.

use std::time::Instant;

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Wanted,
    audit::Note,
    backup::{Backup, Drill, differences},
    provider::{PostgresServer, Purpose, Restore, Target},
};
use tokio::sync::MutexGuard;

use crate::{
    ambit::{Ambit, now, store_failure},
    progress::{Progress, millis},
};

/// The name of the cluster that a drill restores.
const NAME: &str = "drill";

/// What a drill saw.
#[derive(Default)]
struct Seen {
    restored_in: u64,
    checked: Vec<String>,
}

impl Ambit {
    /// Restores a backup for trial and records what came of it.
    pub(crate) async fn drill_one(
        &self,
        _one: &MutexGuard<'_, ()>,
        id: &EnvironmentId,
        mut backup: Backup,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        let begun = now();
        let mut seen = Seen::default();
        let work = async {
            self.try_out(id, &backup, &mut seen, progress).await?;
            let detail = format!(
                "restored in {}.{} s; {}",
                seen.restored_in / 1000,
                seen.restored_in % 1000 / 100,
                seen.checked.join(", ")
            );
            Ok(((), detail, true))
        };
        let tried = progress.step("drill", work).await;
        self.provider.remove_beside(id, NAME).await?;
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let running = record.is_some_and(|record| record.wanted == Wanted::Running);
        match tried {
            // It was ended with its environment, or by whoever asked: that proves nothing.
            Err(failure) if !running || failure.kind == FailureKind::Interrupted => return Err(failure),
            _ => {}
        }
        let failure = tried.as_ref().err().map(told);
        backup.drill =
            Some(Drill { at: begun, restored_in: seen.restored_in, checked: seen.checked, failure: failure.clone() });
        self.record_drill(&backup, actor)?;
        match tried {
            Ok(()) => Ok(backup),
            Err(failure) => {
                self.backup_failed(id, &backup.name, &failure)?;
                Err(Failure {
                    message: format!("the backup {} was not proven: {}", backup.name, failure.message),
                    ..failure
                }
                .hint(format!(
                    "ambit backup now -e {} makes another; ambit backup verify looks at all of them",
                    id.environment
                )))
            }
        }
    }

    /// Keeps what a drill found.
    pub(crate) fn record_drill(&self, backup: &Backup, actor: &Actor) -> Result<(), Failure> {
        self.store.put_backup(backup).map_err(|e| store_failure(&e))?;
        let id = &backup.environment;
        let note = Note::new(actor, &id.project, "backup.drilled").environment(&id.environment);
        let result = backup.worth().to_string();
        self.note_quietly(note.about("name", backup.name.as_str()).about("result", result.as_str()));
        Ok(())
    }

    async fn try_out(
        &self,
        id: &EnvironmentId,
        backup: &Backup,
        seen: &mut Seen,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let taken = self.store.ports().map_err(|e| store_failure(&e))?;
        let port = self.provider.choose_port(&format!("{id}/{NAME}"), &taken)?;
        if backup.postgres.is_some() {
            let server = self.recorded_postgres(id)?;
            self.try_postgres(id, &server, backup, port, seen, progress).await?;
        }
        if let Some(copy) = &backup.redis {
            let server = self.redis_of(id)?.ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("{} has no redis any more to restore into", id.environment))
            })?;
            let begin = Instant::now();
            let keys = self.provider.examine_redis(id, &server, &backup.name, copy, port).await?;
            seen.restored_in += millis(begin.elapsed());
            seen.checked.push(format!("Redis with {keys} keys, {} when it was copied", copy.keys));
        }
        Ok(())
    }

    async fn try_postgres(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        backup: &Backup,
        port: u16,
        seen: &mut Seen,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let count = backup.postgres.as_ref().and_then(|p| p.count.as_ref());
        let restore = Restore {
            name: NAME.to_owned(),
            backup: backup.name.clone(),
            target: count.map_or(Target::Backup, |c| Target::Point(c.point.clone())),
            purpose: Purpose::Drill,
            port,
        };
        let begin = Instant::now();
        let output = |line: &str| progress.output("drill", line);
        self.provider.restore_postgres(id, server, &restore, &output).await?;
        seen.restored_in = millis(begin.elapsed());
        let rows = self.provider.restored_rows(server, &restore).await?;
        if let Some(count) = count {
            let different = differences(&count.tables, &rows);
            if !different.is_empty() {
                return Err(Failure::new(FailureKind::Machine, "rows did not come back").because(different.join("\n")));
            }
        }
        let total: i64 = rows.iter().map(|t| t.rows).sum();
        seen.checked.push(format!("{total} rows in {} tables", rows.len()));
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let smoke = record.and_then(|r| r.backup).and_then(|b| b.smoke);
        seen.checked.extend(self.provider.examine(id, server, &restore, smoke.as_deref()).await?);
        Ok(())
    }
}

/// Why something failed, in one line.
pub(crate) fn told(failure: &Failure) -> String {
    std::iter::once(&failure.message).chain(&failure.causes).cloned().collect::<Vec<_>>().join(": ")
}
