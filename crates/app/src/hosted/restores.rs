//! Restores of environments that live at a service elsewhere: always beside, and put in place after a yes; what is replaced is kept.

use std::time::Instant;

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    audit::Note,
    backup::Range,
    hosted::HostedData,
    provider::{Beside, BesideState},
    spec::Environment,
};
use ambit_host::afar;

use super::backups::There;
use crate::{
    ambit::{Ambit, now, store_failure},
    backup::one_of,
    declaration::Declaration,
    progress::{Progress, millis},
    restore::{RestoreRequest, Restored, RestoredCopy, moment},
};

/// Railway's image keeps full backups of four weeks: what is older may be gone.
const ARCHIVE_IS_KEPT: i64 = 21 * 86_400_000;
/// A segment of the log is closed after a minute at the latest.
const ARCHIVED_WITHIN: i64 = 60_000;

fn archive_key(id: &EnvironmentId) -> String {
    format!("backup-archive {id} at railway")
}

fn stamp(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y%m%d-%H%M%S").to_string()
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 32 && name.chars().all(letter)
}

impl Ambit {
    /// Takes down whether the log of an environment elsewhere is archived, and since when that is known.
    pub(crate) fn note_archived(&self, id: &EnvironmentId, archives: bool) -> Result<(), Failure> {
        let known: Option<i64> = self.remembered(&archive_key(id))?;
        if known.is_some() == archives {
            return Ok(());
        }
        self.remember(&archive_key(id), &archives.then(now))
    }

    /// The moments that an environment elsewhere can be restored to, as far as that is known here: the service itself tells only when it
    /// is asked to restore.
    pub(crate) fn restorable_elsewhere(&self, id: &EnvironmentId) -> Result<Option<Range>, Failure> {
        let since: Option<i64> = self.remembered(&archive_key(id))?;
        Ok(since.map(|since| {
            let from = since.max(now() - ARCHIVE_IS_KEPT);
            Range { from: from / 1000, until: (now() - ARCHIVED_WITHIN).max(from) / 1000, open: true, missing: None }
        }))
    }

    /// Restores a PostgreSQL elsewhere beside the one that serves.
    pub(crate) async fn restore_elsewhere(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        request: &RestoreRequest,
        progress: &Progress,
    ) -> Result<Restored, Failure> {
        let _one = self.one_elsewhere(progress).await;
        let there = self.there(declaration, environment)?;
        let id = &there.id;
        if let Some(name) = request.into.as_ref().filter(|name| !is_name(name)) {
            return Err(Failure::new(FailureKind::User, format!("`{}` is no name for a copy", name.escape_debug()))
                .hint("small letters, digits and hyphens"));
        }
        let to = self.moment_of(&there, request)?;
        self.can_be_restored(&there, to).await?;
        let name =
            format!("{}-restored-{}", there.data.postgres(), request.into.clone().unwrap_or_else(|| stamp(now())));
        if request.into.is_some() && there.data.beside().await?.contains(&name) {
            return Err(Failure::new(FailureKind::User, format!("there is a copy {name} already"))
                .hint(format!("ambit restore remove {name} -e {}", id.environment)));
        }
        let begin = Instant::now();
        let work = async {
            there.data.restore(to, &name).await?;
            // It is opened to the outside for nobody who did not ask for that.
            let tables = match there.data.reached(&name).await? {
                Some(reached) => afar::count(&reached).await?.tables,
                None => Vec::new(),
            };
            Ok((tables, format!("{name} at {}, as of {}", there.data.describe(), moment(to)), true))
        };
        let tables = progress.step("restore", work).await?;
        let note = Note::new(&request.actor, &id.project, "restore.made").environment(&id.environment);
        self.note_quietly(note.about("name", name.as_str()).about("place", there.data.describe().as_str()));
        Ok(Restored {
            name,
            backup: request.backup.clone().unwrap_or_else(|| "the archived log".to_owned()),
            to: Some(to),
            port: None,
            place: Some(there.data.describe()),
            millis: millis(begin.elapsed()),
            tables,
        })
    }

    /// The moment that is asked for: of a backup, the one that it stands for.
    fn moment_of(&self, there: &There<'_>, request: &RestoreRequest) -> Result<i64, Failure> {
        if let Some(to) = request.to {
            if to > now() {
                return Err(Failure::new(FailureKind::User, "that moment has not come yet; nothing was changed"));
            }
            return Ok(to);
        }
        let backups = self.store.hosted_backups(&there.id).map_err(|e| store_failure(&e))?;
        let backup = one_of(&there.id, backups, request.backup.as_deref())?;
        backup
            .hosted
            .as_ref()
            .and_then(|hosted| hosted.moment())
            .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("the backup {} holds no volume", backup.name)))
    }

    /// Refuses what cannot be restored before anything is made.
    pub(super) async fn can_be_restored(&self, there: &There<'_>, to: i64) -> Result<(), Failure> {
        let id = &there.id;
        let archives = there.data.archives().await?;
        self.note_archived(id, archives)?;
        let refused = || {
            let what = format!("{} cannot be restored to {}; nothing was changed", id.environment, moment(to));
            Failure::new(FailureKind::User, what)
        };
        if !archives {
            return Err(refused()
                .because(format!("the log of {} at {} is not archived", there.data.postgres(), there.data.describe()))
                .because("a copy of a volume alone is put in the place of what serves, by Railway's pages, and deletes newer ones")
                .hint("declare `backup = { …, point-in-time = true }`, then ambit apply --only railway"));
        }
        match self.restorable_elsewhere(id)? {
            Some(range) if to < range.from * 1000 => {
                Err(refused().because(format!("restorable: {} to now", moment(range.from * 1000))))
            }
            _ => Ok(()),
        }
    }

    /// Puts what was restored elsewhere in the place of the one that serves; tells what that is called now.
    pub(crate) async fn put_in_place_elsewhere(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        request: &RestoredCopy,
        progress: &Progress,
    ) -> Result<String, Failure> {
        let _one = self.one_elsewhere(progress).await;
        let there = self.there(declaration, environment)?;
        let id = &there.id;
        if !there.data.beside().await?.contains(&request.name) {
            return Err(no_copy(id, &request.name));
        }
        let kept = format!("{}-replaced-{}", there.data.postgres(), stamp(now()));
        // Before the deed: who asked for it stays known whatever happens in the middle of it.
        self.note(
            Note::new(&request.actor, &id.project, "restore.in-place")
                .environment(&id.environment)
                .about("name", request.name.as_str())
                .about("kept", kept.as_str()),
        )?;
        let work = async {
            there.data.put_in_place(&request.name, &kept).await?;
            Ok(((), format!("in place; what was there is kept as {kept}"), true))
        };
        progress.step("in place", work).await?;
        self.after_a_swap(id)?;
        Ok(kept)
    }

    /// What took the place of another has no backup, and archives nothing until that is applied.
    pub(super) fn after_a_swap(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.note_archived(id, false)?;
        self.back_up_soon_elsewhere(id)
    }

    /// Deletes what lies beside elsewhere.
    pub(crate) async fn remove_beside_elsewhere(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        request: &RestoredCopy,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let _one = self.one_elsewhere(progress).await;
        let there = self.there(declaration, environment)?;
        if !there.data.beside().await?.contains(&request.name) {
            return Err(no_copy(&there.id, &request.name));
        }
        self.note(
            Note::new(&request.actor, &there.id.project, "restore.removed")
                .environment(&there.id.environment)
                .about("name", request.name.as_str()),
        )?;
        let work = async {
            there.data.remove_beside(&request.name).await?;
            Ok(((), format!("{} is deleted", request.name), true))
        };
        progress.step("restore", work).await
    }

    /// What lies beside where an environment lives elsewhere; `None` where it does not.
    pub async fn beside_elsewhere(
        &self,
        id: &EnvironmentId,
        at: Option<ambit_domain::Placement>,
    ) -> Result<Option<Vec<Beside>>, Failure> {
        let Some(declaration) = self.elsewhere(id, at)? else { return Ok(None) };
        let there = self.there(&declaration, &declaration.project.environments[&id.environment])?;
        let all = there.data.beside().await?;
        Ok(Some(
            all.into_iter().map(|name| Beside { state: state_of(&*there.data, &name), name, port: None }).collect(),
        ))
    }
}

fn state_of(data: &dyn HostedData, name: &str) -> BesideState {
    let rest = name.strip_prefix(&data.postgres()).unwrap_or_default();
    match rest {
        _ if rest.starts_with("-replaced-") => BesideState::Replaced,
        _ if rest.starts_with("-drill-") => BesideState::Unfinished,
        _ => BesideState::Restored,
    }
}

fn no_copy(id: &EnvironmentId, name: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no copy `{}`", name.escape_debug()))
        .hint(format!("ambit restore list -e {}", id.environment))
}
