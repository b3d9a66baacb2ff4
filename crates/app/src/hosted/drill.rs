//! Drills of backups elsewhere: the data of a backup's moment is restored beside, looked at from here, and thrown away. The copy is called
//! after its backup, so that whoever was interrupted finds it again.

use std::time::Instant;

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Placement,
    backup::{Backup, Drill, Worth, differences, hosted::OURS},
};
use ambit_host::afar;

use super::backups::There;
use crate::{
    ambit::{Ambit, now, store_failure},
    backup::trouble_key,
    drill::told,
    progress::{Progress, millis},
};

/// What a drill takes of requests.
const REQUESTS: u32 = 30;

impl Ambit {
    /// The newest backup, where it is to be restored for trial. One whose log leads nowhere cannot be.
    pub(super) fn to_be_drilled(&self, id: &EnvironmentId) -> Result<Option<Backup>, Failure> {
        let newest = self.store.hosted_backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        let Some(range) = self.restorable_elsewhere(id)? else { return Ok(None) };
        let leads = |backup: &Backup| {
            backup.hosted.as_ref().and_then(|hosted| hosted.moment()).is_some_and(|at| at >= range.from * 1000)
        };
        Ok(newest.filter(|backup| backup.worth() == Worth::Unproven && leads(backup)))
    }

    /// Restores a backup for trial and records what came of it. The caller has the data elsewhere to itself.
    pub(super) async fn drill_elsewhere(
        &self,
        there: &There<'_>,
        mut backup: Backup,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        let id = &there.id;
        let to = backup.hosted.as_ref().and_then(|hosted| hosted.moment()).unwrap_or(backup.finished);
        self.can_be_restored(there, to).await?;
        there.enough_requests(REQUESTS)?;
        let begun = now();
        let mut drill = Drill { at: begun, restored_in: 0, checked: Vec::new(), failure: None };
        let name =
            format!("{}-drill-{}", there.data.postgres(), backup.name.strip_prefix(OURS).unwrap_or(&backup.name));
        let work = async {
            self.remove_drills(there, Some(&name)).await?;
            self.try_out_elsewhere(there, &backup, to, &name, &mut drill).await?;
            let seconds = (drill.restored_in / 1000, drill.restored_in % 1000 / 100);
            Ok(((), format!("restored in {}.{} s; {}", seconds.0, seconds.1, drill.checked.join(", ")), true))
        };
        let tried = progress.step("drill", work).await;
        // A service that does not answer says nothing of a backup.
        self.remove_drills(there, None).await?;
        let failure = tried.as_ref().err().map(told);
        if tried.as_ref().is_err_and(|failure| failure.kind == FailureKind::Interrupted) {
            return tried.map(|()| backup);
        }
        drill.failure.clone_from(&failure);
        backup.drill = Some(drill);
        self.record_drill(&backup, actor)?;
        match tried {
            Ok(()) => Ok(backup),
            Err(failure) => {
                self.tell_backup_failed(id, &trouble_key(id, Placement::Railway), &backup.name, &failure)?;
                let message = format!("the backup {} was not proven: {}", backup.name, failure.message);
                Err(Failure { message, ..failure }
                    .hint(format!("ambit backup now -e {} makes another", id.environment)))
            }
        }
    }

    async fn try_out_elsewhere(
        &self,
        there: &There<'_>,
        backup: &Backup,
        to: i64,
        name: &str,
        drill: &mut Drill,
    ) -> Result<(), Failure> {
        let begin = Instant::now();
        there.data.restore(to, name).await?;
        drill.restored_in = millis(begin.elapsed());
        let reached = there.data.open(name).await?;
        let found = afar::count(&reached).await?.tables;
        let rows: i64 = found.iter().map(|t| t.rows).sum();
        drill.checked.push(format!("{rows} rows in {} tables", found.len()));
        match backup.hosted.as_ref().and_then(|hosted| hosted.counted.as_ref()) {
            Some(counted) => {
                let different = differences(&counted.tables, &found);
                if !different.is_empty() {
                    return Err(
                        Failure::new(FailureKind::Machine, "rows did not come back").because(different.join("\n"))
                    );
                }
                let exact = counted.tables.iter().all(|t| t.exact);
                drill.checked.push((if exact { "as counted" } else { "all tables; somebody always wrote" }).to_owned());
            }
            None => drill.checked.push("compared with nothing: the database is not reached from here".to_owned()),
        }
        if let Some(query) = &there.declared.smoke {
            afar::smoke(&reached, query).await?;
            drill.checked.push("the smoke query holds".to_owned());
        }
        Ok(())
    }

    /// Deletes what drills left, but one.
    pub(super) async fn remove_drills(&self, there: &There<'_>, but: Option<&str>) -> Result<(), Failure> {
        let begin = format!("{}-drill-", there.data.postgres());
        let all = there.data.beside().await?;
        for name in all.iter().filter(|name| name.starts_with(&begin) && but != Some(name.as_str())) {
            there.data.remove_beside(name).await?;
        }
        Ok(())
    }
}
