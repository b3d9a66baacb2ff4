//! Backups of environments that live at a service elsewhere: copies of their volumes, which the daemon asks for when they are due.
//!
//! Which one is being made is written down before it is asked for: whoever was killed goes on with the same name, and finds under it
//! what was done already.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Placement,
    audit::Note,
    backup::{
        Backup, due,
        hosted::{Counted, HostedCopy, OURS, VolumeCopy, is_ours, surplus},
        kept,
    },
    hosted::{HostedData, HostedVolume, ListedCopy},
    spec::{self, Environment, ProjectName},
};
use ambit_host::afar;
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use crate::{
    ambit::{Ambit, now, store_failure},
    backup::{BackupStatus, one_of, tried_key, trouble_key},
    declaration::Declaration,
    fault,
    monitor::KeptElsewhere,
    outside::railway::Projects,
    progress::Progress,
};

/// How often it is looked which are due. Nobody elsewhere is asked for it.
const EVERY: Duration = Duration::from_secs(5);
/// What copying one volume takes of requests, and looking around before. What is left for less is left to what people do.
const REQUESTS: u32 = 10;
/// How soon a drill that could not be held is tried again, in milliseconds.
const AGAIN: i64 = 15 * 60_000;
/// What the copies before deployments are called.
const OF_DEPLOYMENTS: &str = "ambit-deployment-";

/// A backup that is being made.
#[derive(Clone, Serialize, Deserialize)]
struct Begun {
    name: String,
    at: i64,
}

fn soon_key(id: &EnvironmentId) -> String {
    format!("backup-soon {id} at railway")
}

fn begun_key(id: &EnvironmentId) -> String {
    format!("backup-begun {id}")
}

/// An environment where it lives, with what is declared of its backups.
pub(super) struct There<'a> {
    pub(super) id: EnvironmentId,
    pub(super) declared: &'a spec::Backup,
    pub(super) data: Box<dyn HostedData + 'a>,
}

impl There<'_> {
    /// What is left of the hour's requests has to be enough to come to an end.
    pub(super) fn enough_requests(&self, needs: u32) -> Result<(), Failure> {
        match self.data.requests_left() {
            Some(left) if left < needs => {
                let what = format!(
                    "{left} requests are left of this hour at {}, and this takes {needs}",
                    self.data.describe()
                );
                Err(Failure::new(FailureKind::Interrupted, what).hint("it is done as soon as there are enough again"))
            }
            _ => Ok(()),
        }
    }
}

impl Ambit {
    /// Makes backups of environments elsewhere when they are due, for as long as it is polled.
    pub async fn run_hosted_backups(self: Arc<Self>) {
        let mut settled = BTreeSet::new();
        let mut unread = BTreeSet::new();
        loop {
            tokio::time::sleep(EVERY).await;
            match self.store.projects() {
                Ok(projects) => {
                    for project in projects {
                        match self.do_what_is_due_elsewhere(&project, &mut settled).await {
                            Ok(()) => drop(unread.remove(&project)),
                            // Said once: a file that cannot be read is asked for every few seconds.
                            Err(failure) if unread.insert(project.clone()) => {
                                tracing::warn!(causes = ?failure.causes, "backups of {project} elsewhere: {failure}");
                            }
                            Err(_) => {}
                        }
                    }
                }
                Err(error) => {
                    tracing::error!("it cannot be read which backups are due elsewhere: {}", store_failure(&error));
                }
            }
        }
    }

    async fn do_what_is_due_elsewhere(
        &self,
        project: &ProjectName,
        settled: &mut BTreeSet<EnvironmentId>,
    ) -> Result<(), Failure> {
        if !self.was_applied(project)? {
            return Ok(());
        }
        let declaration = self.declaration_at_home(project)?;
        self.note_kept(&declaration)?;
        for environment in declaration.project.environments.values().filter(|e| is_backed_up_there(e)) {
            let id = EnvironmentId { project: project.clone(), environment: environment.name.clone() };
            if !self.has_data_elsewhere(&id, environment)? {
                continue;
            }
            match self.do_what_is_due_of(&declaration, environment, !settled.contains(&id)).await {
                Ok(()) => drop(settled.insert(id)),
                Err(failure) => tracing::warn!(causes = ?failure.causes, "{id} at Railway: {failure}"),
            }
        }
        Ok(())
    }

    async fn do_what_is_due_of(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        first: bool,
    ) -> Result<(), Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: environment.name.clone() };
        if first {
            self.go_on_elsewhere(&self.there(declaration, environment)?).await?;
        }
        let drill_key = format!("drill-tried {id} at railway");
        let is_due = || self.is_due_elsewhere(&id, environment);
        let tried = || self.remembered::<Option<i64>>(&drill_key);
        let rests = |at: Option<i64>| at.is_some_and(|at| (0..AGAIN).contains(&(now() - at)));
        if !is_due()? && (self.to_be_drilled(&id)?.is_none() || rests(tried()?)) {
            return Ok(());
        }
        let there = self.there(declaration, environment)?;
        let (actor, unheard) = (Actor::daemon(), Progress::unheard());
        let _one = self.backing_up_elsewhere.lock().await;
        // Somebody may have done it meanwhile.
        if is_due()? {
            self.make_backup_elsewhere(&there, &actor, &unheard).await?;
        }
        if let Some(backup) = self.to_be_drilled(&id)?.filter(|_| tried().is_ok_and(|at| !rests(at))) {
            self.remember(&drill_key, &Some(now()))?;
            self.drill_elsewhere(&there, backup, &actor, &unheard).await?;
        }
        Ok(())
    }

    /// After a start of the daemon: what was interrupted is gone on with at once.
    async fn go_on_elsewhere(&self, there: &There<'_>) -> Result<(), Failure> {
        let _one = self.backing_up_elsewhere.lock().await;
        if self.remembered::<Option<Begun>>(&begun_key(&there.id))?.is_some() {
            self.remember::<Option<i64>>(&tried_key(&there.id, Placement::Railway), &None)?;
        }
        self.remember::<Option<i64>>(&format!("drill-tried {} at railway", there.id), &None)?;
        if there.data.settle().await? {
            self.after_a_swap(&there.id)?;
        }
        Ok(())
    }

    /// Takes down what is backed up elsewhere, for those who look at how old backups are.
    fn note_kept(&self, declaration: &Declaration) -> Result<(), Failure> {
        let project = &declaration.project.name;
        let mut kept = Vec::new();
        for environment in declaration.project.environments.values().filter(|e| is_backed_up_there(e)) {
            let id = EnvironmentId { project: project.clone(), environment: environment.name.clone() };
            if !self.has_data_elsewhere(&id, environment)? {
                continue;
            }
            let key = format!("backup-since {id} at railway");
            let since = match self.remembered::<Option<i64>>(&key)? {
                Some(since) => since,
                None => {
                    let since = now();
                    self.remember(&key, &Some(since))?;
                    since
                }
            };
            let level = environment.monitoring.level;
            kept.extend(environment.backup.clone().map(|declared| (id, KeptElsewhere { declared, level, since })));
        }
        let mut all = self.kept_elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|id, _| id.project != *project);
        all.extend(kept);
        Ok(())
    }

    /// Whether an environment has data elsewhere: where it was moved to, else where it is declared to be.
    pub(crate) fn has_data_elsewhere(&self, id: &EnvironmentId, environment: &Environment) -> Result<bool, Failure> {
        Ok(self.lives_at(id, environment)? == Placement::Railway)
    }

    fn is_due_elsewhere(&self, id: &EnvironmentId, environment: &Environment) -> Result<bool, Failure> {
        let Some(declared) = &environment.backup else { return Ok(false) };
        let backups = match self.remembered::<bool>(&soon_key(id))? {
            true => Vec::new(),
            false => self.store.hosted_backups(id).map_err(|e| store_failure(&e))?,
        };
        let tried = self.remembered(&tried_key(id, Placement::Railway))?;
        Ok(due(declared.every, &backups, tried, now()).is_some())
    }

    /// The declaration in the folder that a project was last applied or brought up from.
    pub(crate) fn declaration_at_home(&self, project: &ProjectName) -> Result<Declaration, Failure> {
        let folder = self.store.project_folder(project).map_err(|e| store_failure(&e))?;
        let folder = folder.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("it is not known where the files of {project} are"))
                .hint("ambit up, or ambit apply, in the folder of its ambit.toml")
        })?;
        Declaration::open(&folder, &self.keys_of(project))
    }

    pub(super) fn there<'a>(
        &'a self,
        declaration: &'a Declaration,
        environment: &'a Environment,
    ) -> Result<There<'a>, Failure> {
        let project = &declaration.project.name;
        let Some(declared) = &environment.backup else {
            return Err(not_backed_up(environment));
        };
        let tokens = self.tokens_of(project)?;
        let data = super::railway::AtRailway::new(Projects::open(self, declaration, &tokens)?, environment)?;
        let id = EnvironmentId { project: project.clone(), environment: environment.name.clone() };
        Ok(There { id, declared, data: Box::new(data) })
    }

    /// Makes a backup now of an environment elsewhere.
    pub(crate) async fn back_up_elsewhere(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        let _one = self.one_elsewhere(progress).await;
        let there = self.there(declaration, environment)?;
        let backup = self.make_backup_elsewhere(&there, actor, progress).await?;
        match self.to_be_drilled(&there.id)? {
            Some(newest) if newest.name == backup.name => self.drill_elsewhere(&there, newest, actor, progress).await,
            _ => Ok(backup),
        }
    }

    /// Restores a backup elsewhere for trial.
    pub(crate) async fn drill_again_elsewhere(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        (name, actor): (Option<&str>, &Actor),
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        let _one = self.one_elsewhere(progress).await;
        let there = self.there(declaration, environment)?;
        let backups = self.store.hosted_backups(&there.id).map_err(|e| store_failure(&e))?;
        let backup = one_of(&there.id, backups, name)?;
        self.drill_elsewhere(&there, backup, actor, progress).await
    }

    /// Waits until nobody has the data elsewhere to himself.
    pub(super) async fn one_elsewhere(&self, progress: &Progress) -> MutexGuard<'_, ()> {
        if let Ok(free) = self.backing_up_elsewhere.try_lock() {
            return free;
        }
        progress.notice("backup", "waits for a backup, a drill or a restore elsewhere that is under way");
        self.backing_up_elsewhere.lock().await
    }

    /// Has a backup made soon.
    pub(super) fn back_up_soon_elsewhere(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.remember::<Option<i64>>(&tried_key(id, Placement::Railway), &None)?;
        self.remember(&soon_key(id), &true)
    }

    async fn make_backup_elsewhere(
        &self,
        there: &There<'_>,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        let id = &there.id;
        self.remember(&tried_key(id, Placement::Railway), &Some(now()))?;
        let work = async {
            let volumes = there.data.volumes().await?;
            if volumes.is_empty() {
                let what = format!("{} has no volume that could be backed up", there.data.describe());
                return Err(Failure::new(FailureKind::NotFound, what));
            }
            there.enough_requests(REQUESTS.saturating_mul(u32::try_from(volumes.len()).unwrap_or(u32::MAX)))?;
            let backup = self.copy_volumes(there, &volumes).await?;
            let stored = backup.hosted.as_ref().map_or(0, HostedCopy::stored).div_ceil(1024);
            let detail = format!("{} at {}, {stored} kB stored", backup.name, there.data.describe());
            Ok(((backup, volumes), detail, true))
        };
        let made = progress.step("backup", work).await;
        let (backup, volumes) = match made {
            Ok(made) => made,
            // It is put off, and made when the hour is over.
            Err(failure) if failure.kind == FailureKind::Interrupted => return Err(failure),
            Err(failure) => {
                self.tell_backup_failed(id, &trouble_key(id, Placement::Railway), "", &failure)?;
                return Err(failure);
            }
        };
        self.remember::<Option<String>>(&trouble_key(id, Placement::Railway), &None)?;
        self.remember(&soon_key(id), &false)?;
        let note = Note::new(actor, &id.project, "backup.made").environment(&id.environment);
        self.note_quietly(note.about("name", backup.name.as_str()).about("place", there.data.describe().as_str()));
        // What is kept too long costs money, and is no failure of the backup.
        if let Err(failure) = self.tidy_elsewhere(there, &volumes).await {
            progress.notice("backup", format!("what is kept too long was not deleted: {}", failure.message));
            tracing::warn!(causes = ?failure.causes, "{id}: what is kept too long was not deleted: {failure}");
        }
        Ok(backup)
    }

    async fn copy_volumes(&self, there: &There<'_>, volumes: &[HostedVolume]) -> Result<Backup, Failure> {
        let key = begun_key(&there.id);
        let every = i64::try_from(there.declared.every.as_millis()).unwrap_or(i64::MAX);
        let begun = self.remembered::<Option<Begun>>(&key)?.filter(|b| (0..every).contains(&(now() - b.at)));
        let begun = match begun {
            Some(begun) => begun,
            None => {
                let known = self.store.hosted_backups(&there.id).map_err(|e| store_failure(&e))?;
                let mut at = now();
                // Two of one second are two.
                while known.iter().any(|k| k.name == name_at(at)) {
                    at += 1000;
                }
                let begun = Begun { name: name_at(at), at };
                self.remember(&key, &Some(begun.clone()))?;
                begun
            }
        };
        let mut copies = Vec::new();
        for volume in volumes {
            copies.push(there.data.copy(volume, &begun.name).await?);
        }
        fault::point("before a backup elsewhere is recorded");
        let mut backup = record(&there.id, begun.name, begun.at, there.data.describe(), copies);
        let counted = self.count_elsewhere(there).await;
        if let (Some(hosted), Ok(counted)) = (&mut backup.hosted, counted) {
            hosted.counted = counted;
        }
        self.store.put_backup(&backup).map_err(|e| store_failure(&e))?;
        self.remember::<Option<Begun>>(&key, &None)?;
        Ok(backup)
    }

    /// The rows that are there now, where a drill can come back to this moment.
    async fn count_elsewhere(&self, there: &There<'_>) -> Result<Option<Counted>, Failure> {
        let archives = there.data.archives().await?;
        self.note_archived(&there.id, archives)?;
        if !archives {
            return Ok(None);
        }
        match there.data.reached(&there.data.postgres()).await? {
            Some(reached) => afar::count(&reached).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the record say what is there, and deletes what is kept no longer. What somebody else made stays.
    async fn tidy_elsewhere(&self, there: &There<'_>, volumes: &[HostedVolume]) -> Result<(), Failure> {
        let mut listed: Vec<(&HostedVolume, ListedCopy)> = Vec::new();
        for volume in volumes {
            listed.extend(there.data.copies(volume).await?.into_iter().map(|copy| (volume, copy)));
        }
        let known = self.store.hosted_backups(&there.id).map_err(|e| store_failure(&e))?;
        for gone in known.iter().filter(|k| listed.iter().all(|(_, l)| l.name != k.name)) {
            self.store.forget_backup(&there.id, &gone.name).map_err(|e| store_failure(&e))?;
        }
        let names: BTreeSet<&str> = listed.iter().map(|(_, l)| l.name.as_str()).filter(|n| is_ours(n)).collect();
        for new in names.into_iter().filter(|name| known.iter().all(|k| k.name != *name)) {
            let copies: Vec<VolumeCopy> =
                listed.iter().filter(|(_, l)| l.name == new).map(|(_, l)| l.copy.clone()).collect();
            let made = copies.iter().map(|c| c.made).min().unwrap_or_default();
            let backup = record(&there.id, new.to_owned(), made, there.data.describe(), copies);
            self.store.put_backup(&backup).map_err(|e| store_failure(&e))?;
        }
        let backups = self.store.hosted_backups(&there.id).map_err(|e| store_failure(&e))?;
        let keep = kept(there.declared);
        for old in surplus(&backups, keep, now()) {
            for (volume, copy) in listed.iter().filter(|(_, l)| l.name == old.name) {
                there.data.remove_copy(volume, &copy.copy).await?;
            }
            self.store.forget_backup(&there.id, &old.name).map_err(|e| store_failure(&e))?;
        }
        let long = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let old = |copy: &ListedCopy| copy.name.starts_with(OF_DEPLOYMENTS) && now() - copy.copy.made > long;
        for (volume, copy) in listed.iter().filter(|(_, copy)| old(copy)) {
            there.data.remove_copy(volume, &copy.copy).await?;
        }
        Ok(())
    }

    /// How the backups of an environment elsewhere stand. Nobody elsewhere is asked.
    pub fn hosted_backup_status(&self, id: &EnvironmentId) -> Result<BackupStatus, Failure> {
        let newest = self.store.hosted_backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        Ok(BackupStatus {
            at: newest.as_ref().map(|b| b.started),
            worth: newest.as_ref().map(Backup::worth),
            trouble: self.remembered(&trouble_key(id, Placement::Railway))?,
        })
    }
}

fn name_at(now: i64) -> String {
    format!("{OURS}{}", jiff::Timestamp::from_millisecond(now).unwrap_or_default().strftime("%Y%m%d-%H%M%S"))
}

/// Whether it lives elsewhere, and is backed up there.
pub(crate) fn is_backed_up_there(environment: &Environment) -> bool {
    environment.declared_railway_project().is_some()
        && environment.backup.is_some()
        && (environment.postgres.is_some() || environment.redis.is_some())
}

fn not_backed_up(environment: &Environment) -> Failure {
    let name = &environment.name;
    Failure::new(FailureKind::User, format!("{name} is not backed up"))
        .hint(format!("declare it in [environments.{name}] of ambit.toml: backup = {{ every = \"6h\" }}"))
}

fn record(id: &EnvironmentId, name: String, started: i64, place: String, volumes: Vec<VolumeCopy>) -> Backup {
    let finished = volumes.iter().map(|v| v.made).max().unwrap_or(started).max(started);
    Backup {
        name,
        environment: id.clone(),
        started,
        finished,
        postgres: None,
        redis: None,
        hosted: Some(HostedCopy { place, volumes, counted: None }),
        drill: None,
    }
}
