//! Backups: made when they are due or when somebody asks, drilled as soon as they are made, listed, verified.

use std::{sync::Arc, time::Duration};

use ambit_domain::{
    Actor, Announcement, EnvironmentId, EnvironmentRecord, Failure, FailureKind, Placement, Wanted,
    audit::Note,
    backup::{Backup, Form, Listed, PostgresCopy, Range, Worth, due, form, kept, ranges},
    provider::{PostgresServer, RedisServer},
    spec::{self, EnvironmentName, Occasion, Persistence, ProjectName},
};
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use crate::{
    ambit::{Ambit, now, store_failure},
    declaration::Declaration,
    progress::Progress,
};

/// How often it is looked at which are due.
const EVERY: Duration = Duration::from_secs(5);

/// Whose data to back up, to list or to verify.
#[derive(Clone, Serialize, Deserialize)]
pub struct BackUp {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Where; as a deployment goes where nothing is said.
    #[serde(default)]
    pub at: Option<Placement>,
    /// Who asks.
    pub actor: Actor,
}

impl BackUp {
    fn id(&self) -> EnvironmentId {
        EnvironmentId { project: self.project.clone(), environment: self.environment.clone() }
    }
}

/// Which backup to restore for trial.
#[derive(Clone, Serialize, Deserialize)]
pub struct DrillBackup {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The backup; the newest where nothing is said.
    pub name: Option<String>,
    /// Where; as a deployment goes where nothing is said.
    #[serde(default)]
    pub at: Option<Placement>,
    /// Who asks.
    pub actor: Actor,
}

/// What the daemon does next by itself.
enum Next {
    Backup(Form),
    Drill(Box<Backup>),
}

/// The backups of an environment, and the moments that they lead to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Backups {
    /// The newest first.
    pub backups: Vec<Backup>,
    /// The moments that can be restored, the earliest first.
    pub ranges: Vec<Range>,
    /// Why the last backup that was due could not be made.
    pub trouble: Option<String>,
}

/// Where it is remembered when a backup was last tried.
pub(crate) fn tried_key(id: &EnvironmentId, at: Placement) -> String {
    format!("backup-tried {}", of(id, at))
}

/// Where it is remembered why the last backup that was due could not be made.
pub(crate) fn trouble_key(id: &EnvironmentId, at: Placement) -> String {
    format!("backup-trouble {}", of(id, at))
}

fn of(id: &EnvironmentId, at: Placement) -> String {
    match at {
        Placement::Host => id.to_string(),
        Placement::Railway => format!("{id} at railway"),
    }
}

/// How the backups of an environment stand, at a glance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupStatus {
    /// When the newest was begun, in milliseconds since the Unix epoch.
    pub at: Option<i64>,
    /// What it is worth.
    pub worth: Option<Worth>,
    /// Why the last that was due could not be made.
    pub trouble: Option<String>,
}

impl Ambit {
    /// Makes and drills backups when they are due, for as long as it is polled.
    pub async fn run_backups(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let environments = match self.store.environments() {
                Ok(environments) => environments,
                Err(error) => {
                    tracing::error!("it cannot be read which backups are due: {}", store_failure(&error));
                    continue;
                }
            };
            for (id, record) in environments {
                // Before it came up once there is nothing to keep.
                if record.wanted == Wanted::Running
                    && record.up_since.is_some()
                    && let Some(declared) = &record.backup
                    && let Err(failure) = self.do_what_is_due(&id, declared).await
                {
                    tracing::warn!(causes = ?failure.causes, "{id}: {failure}");
                }
            }
        }
    }

    async fn do_what_is_due(&self, id: &EnvironmentId, declared: &spec::Backup) -> Result<(), Failure> {
        if self.next_of(id, declared)?.is_none() {
            return Ok(());
        }
        let one = self.backing_up.lock().await;
        // Somebody may have done it meanwhile.
        while let Some(next) = self.next_of(id, declared)? {
            match next {
                Next::Backup(form) => {
                    self.make_backup(&one, id, form, &Actor::daemon(), &Progress::unheard()).await?;
                }
                Next::Drill(backup) => {
                    self.drill_one(&one, id, *backup, &Actor::daemon(), &Progress::unheard()).await?;
                }
            }
        }
        Ok(())
    }

    fn next_of(&self, id: &EnvironmentId, declared: &spec::Backup) -> Result<Option<Next>, Failure> {
        let backups = self.store.backups(id).map_err(|e| store_failure(&e))?;
        let standing = self.standing(id, &backups)?;
        if let Some(form) = due(declared.every, standing, self.tried(id)?, now()) {
            return Ok(Some(Next::Backup(form)));
        }
        let newest = backups.into_iter().next();
        Ok(newest.filter(|newest| newest.worth() == Worth::Unproven).map(|b| Next::Drill(Box::new(b))))
    }

    /// Waits until no backup, drill or restore is under way.
    pub(crate) async fn one_at_a_time(&self, progress: &Progress) -> MutexGuard<'_, ()> {
        if let Ok(free) = self.backing_up.try_lock() {
            return free;
        }
        progress.notice("backup", "waits for a backup, a drill or a restore that is under way");
        self.backing_up.lock().await
    }

    /// Has a full backup made soon: what was restored, and a cluster made anew, begin a history of their own.
    pub(crate) fn back_up_soon(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.remember::<Option<i64>>(&tried_key(id, Placement::Host), &None)?;
        self.remember::<Option<String>>(&trouble_key(id, Placement::Host), &None)?;
        self.remember(&format!("backup-soon {id}"), &Some(Form::Full))
    }

    /// Whether what the environment holds now has had no backup yet, so that those that there are do not stand for it.
    pub(crate) fn awaits_full_backup(&self, id: &EnvironmentId) -> Result<bool, Failure> {
        let soon: Option<Form> = self.remembered(&format!("backup-soon {id}"))?;
        Ok(soon.is_some())
    }

    /// Those of its backups that stand for what the environment holds now: none while it awaits a full one.
    fn standing<'a>(&self, id: &EnvironmentId, backups: &'a [Backup]) -> Result<&'a [Backup], Failure> {
        Ok(if self.awaits_full_backup(id)? { &[] } else { backups })
    }

    /// Makes a backup now and drills it.
    pub async fn back_up(&self, request: &BackUp, progress: &Progress) -> Result<Backup, Failure> {
        let id = request.id();
        if let Some(declaration) = self.elsewhere(&id, request.at)? {
            let environment = &declaration.project.environments[&id.environment];
            let progress = progress.environment(&id.environment);
            return self.back_up_elsewhere(&declaration, environment, &request.actor, &progress).await;
        }
        let record = self.backed_up(&id)?;
        if record.wanted == Wanted::Stopped {
            return Err(Failure::new(FailureKind::User, format!("{} is down", id.environment))
                .hint(format!("ambit up {}", id.environment)));
        }
        let backups = self.store.backups(&id).map_err(|e| store_failure(&e))?;
        let progress = progress.environment(&id.environment);
        let one = self.one_at_a_time(&progress).await;
        let form = form(self.standing(&id, &backups)?, now());
        let backup = self.make_backup(&one, &id, form, &request.actor, &progress).await?;
        self.drill_one(&one, &id, backup, &request.actor, &progress).await
    }

    /// Restores a backup for trial.
    pub async fn drill(&self, request: &DrillBackup, progress: &Progress) -> Result<Backup, Failure> {
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        if let Some(declaration) = self.elsewhere(&id, request.at)? {
            let environment = &declaration.project.environments[&id.environment];
            let progress = progress.environment(&id.environment);
            let which = (request.name.as_deref(), &request.actor);
            return self.drill_again_elsewhere(&declaration, environment, which, &progress).await;
        }
        self.backed_up(&id)?;
        let backup = self.backup(&id, request.name.as_deref())?;
        let progress = progress.environment(&id.environment);
        let one = self.one_at_a_time(&progress).await;
        self.drill_one(&one, &id, backup, &request.actor, &progress).await
    }

    /// A backup of this machine by its name, or the newest. Reads only.
    pub fn backup(&self, id: &EnvironmentId, name: Option<&str>) -> Result<Backup, Failure> {
        one_of(id, self.store.backups(id).map_err(|e| store_failure(&e))?, name)
    }

    /// A backup by its name, wherever it lies, or the newest of all. Reads only.
    pub fn backup_anywhere(&self, id: &EnvironmentId, name: Option<&str>) -> Result<Backup, Failure> {
        one_of(id, self.all_backups(id)?, name)
    }

    /// Those of this machine and those elsewhere, the newest first.
    fn all_backups(&self, id: &EnvironmentId) -> Result<Vec<Backup>, Failure> {
        let mut backups = self.store.backups(id).map_err(|e| store_failure(&e))?;
        backups.extend(self.store.hosted_backups(id).map_err(|e| store_failure(&e))?);
        backups.sort_by_key(|b| std::cmp::Reverse(b.started));
        Ok(backups)
    }

    /// The declaration of an environment whose data is meant where it lives elsewhere; `None` where that of this machine is meant.
    pub(crate) fn elsewhere(&self, id: &EnvironmentId, at: Option<Placement>) -> Result<Option<Declaration>, Failure> {
        if at == Some(Placement::Host) {
            return Ok(None);
        }
        let declaration = match (self.declaration_at_home(&id.project), at) {
            (Ok(declaration), _) => declaration,
            (Err(failure), Some(_)) => return Err(failure),
            // What runs here runs whatever became of the files.
            (Err(_), None) => return Ok(None),
        };
        if at.is_some() {
            self.placement(&declaration, id, at)?;
            return Ok(Some(declaration));
        }
        let Some(environment) = declaration.project.environments.get(&id.environment) else { return Ok(None) };
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let here = record.is_some_and(|r| r.wanted == Wanted::Running && r.live.is_some());
        // Of what is said to live elsewhere, the sites alone are here.
        let there = self.lives_elsewhere(id, environment)? || (!here && self.has_data_elsewhere(id, environment)?);
        Ok(there.then_some(declaration))
    }

    /// The record of an environment that declares how it is backed up.
    pub(crate) fn backed_up(&self, id: &EnvironmentId) -> Result<EnvironmentRecord, Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let record = record.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} is not on this machine", id.environment))
                .hint(format!("ambit up {}", id.environment))
        })?;
        if record.backup.is_none() {
            return Err(Failure::new(FailureKind::User, format!("{} is not backed up", id.environment)).hint(format!(
                "declare it in [environments.{}] of ambit.toml: backup = {{ every = \"6h\" }}, then ambit up",
                id.environment
            )));
        }
        Ok(record)
    }

    fn tried(&self, id: &EnvironmentId) -> Result<Option<i64>, Failure> {
        self.remembered(&tried_key(id, Placement::Host))
    }

    pub(crate) fn backup_trouble(&self, id: &EnvironmentId) -> Result<Option<String>, Failure> {
        self.remembered(&trouble_key(id, Placement::Host))
    }

    async fn make_backup(
        &self,
        _one: &MutexGuard<'_, ()>,
        id: &EnvironmentId,
        form: Form,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Backup, Failure> {
        self.remember(&tried_key(id, Placement::Host), &Some(now()))?;
        let made = progress.step("backup", self.copy_servers(id, form, progress)).await;
        match &made {
            Ok(backup) => {
                self.remember::<Option<String>>(&trouble_key(id, Placement::Host), &None)?;
                if form == Form::Full {
                    self.remember::<Option<Form>>(&format!("backup-soon {id}"), &None)?;
                }
                self.note_quietly(
                    Note::new(actor, &id.project, "backup.made")
                        .environment(&id.environment)
                        .about("name", backup.name.as_str()),
                );
            }
            Err(failure) => self.backup_failed(id, "", failure)?,
        }
        made
    }

    /// Tells everybody who is told of an environment that there is no backup of it: once, until there is one again.
    pub(crate) fn backup_failed(&self, id: &EnvironmentId, name: &str, failure: &Failure) -> Result<(), Failure> {
        // What was interrupted with the environment is no sign of anything.
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        if record.is_none_or(|record| record.wanted == Wanted::Stopped) || failure.kind == FailureKind::Interrupted {
            return Ok(());
        }
        self.tell_backup_failed(id, &trouble_key(id, Placement::Host), name, failure)
    }

    /// The same of whichever place, by the name of the setting that holds what is known of it.
    pub(crate) fn tell_backup_failed(
        &self,
        id: &EnvironmentId,
        trouble: &str,
        name: &str,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let why = std::iter::once(&failure.message).chain(&failure.causes).cloned().collect::<Vec<_>>().join(": ");
        if name.is_empty() {
            let known: Option<String> = self.remembered(trouble)?;
            self.remember(trouble, &Some(why.clone()))?;
            if known.is_some() {
                return Ok(());
            }
        }
        let mut note = Note::new(&Actor::daemon(), &id.project, "backup.failed").environment(&id.environment);
        if !name.is_empty() {
            note = note.about("name", name);
        }
        self.note_quietly(note.about("why", why.as_str()));
        let next = match failure.hints.first() {
            Some(hint) => hint.clone(),
            None => format!("ambit backup list -e {}", id.environment),
        };
        self.announce(
            id,
            Announcement {
                reason: Some(why),
                next: Some(next),
                ..Announcement::new(Occasion::BackupFailed, None, name)
            },
        );
        Ok(())
    }

    async fn copy_servers(
        &self,
        id: &EnvironmentId,
        form: Form,
        progress: &Progress,
    ) -> Result<(Backup, String, bool), Failure> {
        let started = now();
        let output = |line: &str| progress.output("backup", line);
        let postgres = self.postgres_of(id)?;
        let (name, copy) = match &postgres {
            Some(server) => {
                let listed = self.provider.back_up_postgres(id, server, form, &output).await?;
                let mut copy = copy_of(&listed);
                copy.count = Some(self.provider.count_rows(id, server, &format!("ambit-{}", listed.name)).await?);
                (listed.name, Some(copy))
            }
            None => {
                let at = jiff::Timestamp::from_millisecond(started).unwrap_or_default();
                (at.strftime("%Y%m%d-%H%M%S").to_string(), None)
            }
        };
        let redis = match self.redis_of(id)? {
            Some(server) => Some(self.provider.back_up_redis(id, &server, &name).await?),
            None => None,
        };
        let backup = Backup {
            name,
            environment: id.clone(),
            started,
            finished: now(),
            postgres: copy,
            redis,
            hosted: None,
            drill: None,
        };
        self.store.put_backup(&backup).map_err(|e| store_failure(&e))?;
        self.reconcile(id).await?;
        let detail = format!("{form} {}, {} kB stored", backup.name, backup.stored().div_ceil(1024));
        Ok((backup, detail, true))
    }

    /// Makes the record say what the repository holds: what it threw away is forgotten, what a crash left unrecorded is
    /// recorded.
    async fn reconcile(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let known = self.store.backups(id).map_err(|e| store_failure(&e))?;
        // What was backed up once lies in the repository, also where the environment has no PostgreSQL any more.
        let listed = if known.iter().any(|k| k.postgres.is_some()) || self.postgres_of(id)?.is_some() {
            self.provider.list_backups(id).await?.0
        } else {
            Vec::new()
        };
        for new in listed.iter().filter(|l| known.iter().all(|k| k.name != l.name)) {
            let backup = Backup {
                name: new.name.clone(),
                environment: id.clone(),
                started: new.started * 1000,
                finished: new.finished * 1000,
                postgres: Some(copy_of(new)),
                redis: None,
                hosted: None,
                drill: None,
            };
            self.store.put_backup(&backup).map_err(|e| store_failure(&e))?;
        }
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let keep = record.and_then(|r| r.backup).map(|b| kept(&b)).unwrap_or(Duration::MAX);
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        for (n, old) in known.iter().enumerate() {
            let gone = match &old.postgres {
                Some(_) => listed.iter().all(|l| l.name != old.name),
                // The newest stays, however old it is.
                None => n > 0 && now().saturating_sub(old.started) > keep,
            };
            if gone {
                if old.redis.is_some() {
                    self.provider.remove_redis_backup(id, &old.name).await?;
                }
                self.store.forget_backup(id, &old.name).map_err(|e| store_failure(&e))?;
            }
        }
        Ok(())
    }

    /// The backups of an environment. Reads only.
    pub async fn backups(&self, id: &EnvironmentId) -> Result<Backups, Failure> {
        let backups = self.all_backups(id)?;
        let mut trouble = self.backup_trouble(id)?;
        let mut ranges = match backups.iter().any(|b| b.postgres.is_some()) {
            // What is recorded is shown also where the repository cannot be reached.
            true => self.recoverable(id).await.unwrap_or_else(|failure| {
                trouble.get_or_insert(failure.message);
                Vec::new()
            }),
            false => Vec::new(),
        };
        if let Some(there) = self.remembered::<Option<String>>(&trouble_key(id, Placement::Railway))? {
            trouble.get_or_insert(there);
        }
        ranges.extend(self.restorable_elsewhere(id)?);
        Ok(Backups { backups, ranges, trouble })
    }

    pub(crate) async fn recoverable(&self, id: &EnvironmentId) -> Result<Vec<Range>, Failure> {
        let (listed, segments) = self.provider.list_backups(id).await?;
        Ok(ranges(&listed, &segments))
    }

    /// How the backups of an environment stand; `None` where it declares none.
    pub(crate) fn backup_status(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
    ) -> Result<Option<BackupStatus>, Failure> {
        if record.backup.is_none() {
            return Ok(None);
        }
        let newest = self.store.backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        Ok(Some(BackupStatus {
            at: newest.as_ref().map(|b| b.started),
            worth: newest.as_ref().map(Backup::worth),
            trouble: self.backup_trouble(id)?,
        }))
    }

    /// Reads everything in the repository and compares it with its checksums.
    pub async fn verify_backups(&self, request: &BackUp, progress: &Progress) -> Result<(), Failure> {
        let id = request.id();
        self.backed_up(&id)?;
        let progress = progress.environment(&id.environment);
        let _one = self.one_at_a_time(&progress).await;
        let work = async {
            self.provider.verify_backups(&id, &|line| progress.output("verify", line)).await?;
            Ok(((), "every file is as it was stored".to_owned(), false))
        };
        let verified = progress.step("verify", work).await;
        if let Err(failure) = &verified {
            self.backup_failed(&id, "repository", failure)?;
        }
        verified
    }

    /// The PostgreSQL of an environment as it was last made; `None` where it has none.
    pub(crate) fn postgres_of(&self, id: &EnvironmentId) -> Result<Option<PostgresServer>, Failure> {
        match self.recorded_postgres(id) {
            Ok(server) => Ok(Some(server)),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The Redis of an environment as it was last made; `None` where it has none.
    pub(crate) fn redis_of(&self, id: &EnvironmentId) -> Result<Option<RedisServer>, Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let name = "redis".parse().expect("`redis` is a valid name");
        let Some(service) = record.as_ref().and_then(|r| r.service(&name)) else { return Ok(None) };
        let persist = match service.made_from.facts.get("persistence").map(String::as_str) {
            Some("AppendOnly") => Persistence::AppendOnly,
            Some("Snapshot") => Persistence::Snapshot,
            _ => Persistence::None,
        };
        self.redis_at(id, persist)
    }

    /// The Redis of an environment as it is reached; `None` where there never was one.
    pub(crate) fn redis_at(&self, id: &EnvironmentId, persist: Persistence) -> Result<Option<RedisServer>, Failure> {
        let credential = |name: &str| self.store.credential(id, name, String::new).map_err(|e| store_failure(&e));
        let Some(port) = self.store.port(&format!("{id}/redis")).map_err(|e| store_failure(&e))? else {
            return Ok(None);
        };
        Ok(Some(RedisServer {
            port,
            password: credential("redis")?,
            admin_password: credential("redis-admin")?,
            persist,
            memory: None,
        }))
    }

    /// The newest backup of an environment that a drill restored.
    pub(crate) fn proven(&self, id: &EnvironmentId) -> Result<Option<Backup>, Failure> {
        let backups = self.store.backups(id).map_err(|e| store_failure(&e))?;
        Ok(backups.into_iter().find(|b| b.worth() == Worth::Proven))
    }
}

fn copy_of(listed: &Listed) -> PostgresCopy {
    PostgresCopy { form: listed.form, size: listed.size, stored: listed.stored, count: None }
}

/// A backup by its name, or the newest of these.
pub(crate) fn one_of(id: &EnvironmentId, backups: Vec<Backup>, name: Option<&str>) -> Result<Backup, Failure> {
    let none = Failure::new(FailureKind::NotFound, format!("{} has no backups", id.environment))
        .hint(format!("ambit backup now -e {}", id.environment));
    let Some(name) = name else { return backups.into_iter().next().ok_or(none) };
    backups.into_iter().find(|b| b.name == name).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("there is no backup `{}`", name.escape_debug()))
            .hint(format!("ambit backup list -e {}", id.environment))
    })
}
