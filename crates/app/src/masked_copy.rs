//! `data copy`: an environment's data in another, with every personal value replaced.
//!
//! The copy is put together beside the database of the other environment, looked through for leaks, brought up to the
//! release that runs there, and exchanged. Until then the other environment is as it was, whatever happens; what an
//! interrupted copy left is dropped when the next one begins, or as soon as a daemon and the server are there.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};

use ambit_data::{
    Choice, CopyOrder, CopyReport, CopyStep, Database,
    masking::{MaskKey, MaskingFile, Problem},
};
use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Wanted,
    audit::Note,
    provider::PostgresServer,
    spec::{EnvironmentName, Kind},
};
use ambit_host::database_names;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, nearest, now, store_failure},
    declaration::Declaration,
    deployment::given_by,
    progress::Progress,
    swap_database::Swap,
};

/// Where it is said what becomes of each column.
pub(crate) const MASKING: &str = "masking.toml";
/// How long a server that just died is waited for, and how often it is tried.
const DROPS_WITHIN: Duration = Duration::from_secs(30);
const DROP_AGAIN: Duration = Duration::from_millis(500);
/// How long until it is looked again for what could not be dropped.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// How many reports stay.
const REPORTS: usize = 20;
/// The snapshot that holds what the last copy replaced.
const BEFORE: &str = "before-copy";

/// What to copy where.
#[derive(Clone, Serialize, Deserialize)]
pub struct CopyData {
    /// The folder that holds `ambit.toml` and `masking.toml`.
    pub folder: PathBuf,
    /// The environment that is read.
    pub from: EnvironmentName,
    /// The environment whose data is replaced.
    pub to: EnvironmentName,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// So many of a hundred rows.
    pub percent: Option<f64>,
    /// Tables and the condition that their rows have to meet.
    pub conditions: Vec<(String, String)>,
    /// At most so many bytes a second are read.
    pub rate: Option<u64>,
    /// Who asks.
    pub actor: Actor,
}

/// What a copy came to: evidence without values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaskedCopy {
    /// When the snapshot was taken, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Where it comes from.
    pub from: EnvironmentName,
    /// Where it went.
    pub to: EnvironmentName,
    /// Who asked for it.
    pub by: String,
    /// Whether it serves there, or was thrown away for a leak.
    pub swapped_in: bool,
    /// What was copied and what the leak check came to.
    pub report: CopyReport,
}

impl Ambit {
    /// Replaces the data of an environment by a masked copy of another's.
    pub async fn copy_masked(&self, request: &CopyData, progress: &Progress) -> Result<MaskedCopy, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let (from, to) = self.ends_of_copy(request, &declaration)?;
        let masking = read_masking(&request.folder)?;
        let source = self.recorded_postgres(&from)?;
        let target = self.recorded_postgres(&to)?;
        let progress = progress.environment(&request.to);
        let beside = database_names::copy(&target.database);
        let at = now();

        let _one = self.copying(&to)?;
        self.remember(&mark(&to), &Some(beside.clone()))?;
        let order = Order {
            from: &from,
            source: &source,
            server: &target,
            beside: &beside,
            masking,
            choice: request.choice(),
            rate: request.rate,
        };
        let made = self.copy_into(order, &progress).await;
        let finish = async {
            let report = made?;
            let mut copy = MaskedCopy {
                at,
                from: request.from.clone(),
                to: request.to.clone(),
                by: request.actor.who.clone(),
                swapped_in: false,
                report,
            };
            if !copy.report.is_clean() {
                self.keep_report(&to, &copy)?;
                self.note_copy(request, &to, &copy, &progress);
                return Err(leaked(&request.from, &copy.report));
            }
            self.swap_in(&declaration, request, &target, &beside, &progress).await?;
            copy.swapped_in = true;
            self.keep_report(&to, &copy)?;
            self.note_copy(request, &to, &copy, &progress);
            Ok(copy)
        };
        let finished = finish.await;
        if finished.is_ok() || self.drop_scratch(&to, &target, &beside).await {
            self.remember(&mark(&to), &None::<String>)?;
        }
        finished
    }

    /// Which rules say between which environments data may go. Nothing was opened yet.
    fn ends_of_copy(
        &self,
        request: &CopyData,
        declaration: &Declaration,
    ) -> Result<(EnvironmentId, EnvironmentId), Failure> {
        let id = |name: &EnvironmentName| EnvironmentId {
            project: declaration.project.name.clone(),
            environment: name.clone(),
        };
        let (from, to) = (id(&request.from), id(&request.to));
        if from == to {
            return Err(Failure::new(
                FailureKind::User,
                format!("{to} cannot be copied onto itself; nothing was changed"),
            ));
        }
        let declared = declaration.project.environments.get(&request.to).map(|e| e.kind);
        let recorded = self.store.environment(&to).map_err(|e| store_failure(&e))?.map(|r| r.kind);
        if [declared, recorded].contains(&Some(Kind::Production)) {
            return Err(Failure::new(
                FailureKind::User,
                format!(
                    "{to} is a production environment: nothing ever writes to it from another; nothing was changed"
                ),
            )
            .hint("to bring production's own data back: ambit restore, or ambit restore-point load"));
        }
        if declared.is_none() && recorded.is_none() {
            let project = &declaration.project;
            let near = nearest(request.to.as_str(), project.environments.keys().map(EnvironmentName::as_str));
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("{} has no environment `{}`; nothing was changed", project.name, request.to),
            )
            .hint_if(near.map(|name| format!("did you mean `{name}`?"))));
        }
        if recorded.is_none() {
            return Err(
                Failure::new(FailureKind::NotFound, format!("{to} is not up")).hint(format!("ambit up {}", request.to))
            );
        }
        Ok((from, to))
    }

    /// One copy into an environment at a time.
    fn copying(&self, id: &EnvironmentId) -> Result<Copying<'_>, Failure> {
        let mut all = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.insert(id.clone()) {
            return Err(Failure::new(
                FailureKind::User,
                format!("a copy into {id} is already under way; nothing was changed"),
            )
            .hint("wait until it is through, or end it with ctrl-C where it was started"));
        }
        Ok(Copying { ambit: self, id: id.clone() })
    }

    /// Makes a masked copy beside another database.
    pub(crate) async fn copy_into(&self, order: Order<'_>, progress: &Progress) -> Result<CopyReport, Failure> {
        let programs = ambit_host::installed().pop().ok_or_else(|| {
            Failure::new(FailureKind::Machine, "there is no PostgreSQL on this machine")
                .hint("apt-get install postgresql")
        })?;
        let key = self.masking_key(order.from)?;
        let folder = tempfile::Builder::new()
            .prefix("copy-")
            .tempdir_in(self.home.run())
            .map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
        let engine = CopyOrder {
            source: as_admin(order.source),
            server: as_admin(order.server).named("postgres"),
            beside: order.beside.to_owned(),
            owner: order.server.role.clone(),
            masking: order.masking,
            key,
            programs: programs.programs,
            folder: folder.path().to_owned(),
            choice: order.choice,
            rate: order.rate,
        };
        let said = std::sync::Mutex::new(None);
        let told = |step: CopyStep| {
            let now = match step {
                CopyStep::Rows { done, of } => {
                    let tenth = done.saturating_mul(10).checked_div(of).unwrap_or(0).min(10);
                    format!("rows {} %", tenth * 10)
                }
                CopyStep::LeakCheck => "leak check".to_owned(),
                CopyStep::Indexes => "indexes and constraints".to_owned(),
            };
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.as_ref() != Some(&now) {
                progress.output("masked copy", &now);
                *said = Some(now);
            }
        };
        let work = async {
            let report = ambit_data::copy(engine, progress.cancel_token().clone(), &told).await?;
            let detail = format!(
                "{} rows of {} tables, {} values replaced",
                report.rows(),
                report.tables.len(),
                report.leaks.sensitive
            );
            Ok((report, detail, true))
        };
        progress.step("masked copy", work).await
    }

    /// Makes a masked copy of an environment's data that nobody is to use but Ambit.
    pub(crate) async fn masked_scratch(
        &self,
        masking: MaskingFile,
        from: &EnvironmentId,
        server: &PostgresServer,
        beside: &str,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let source = self.recorded_postgres(from)?;
        let order = Order { from, source: &source, server, beside, masking, choice: None, rate: None };
        let report = self.copy_into(order, progress).await?;
        if report.is_clean() { Ok(()) } else { Err(leaked(&from.environment, &report)) }
    }

    /// The key of the pseudonyms of an environment's data: made once, kept with its passwords, never handed out.
    fn masking_key(&self, id: &EnvironmentId) -> Result<MaskKey, Failure> {
        let make = || {
            let bytes: [u8; 32] = rand::random();
            bytes.iter().map(|b| format!("{b:02x}")).collect()
        };
        let text = self.store.credential(id, "masking", make).map_err(|e| store_failure(&e))?;
        let bytes: Option<Vec<u8>> =
            (0..32).map(|n| text.get(2 * n..2 * n + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
        let bytes = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok());
        bytes
            .map(MaskKey::new)
            .ok_or_else(|| Failure::new(FailureKind::Internal, format!("the masking key of {id} is damaged")))
    }

    /// Brings the copy up to the release that runs there, and exchanges it.
    async fn swap_in(
        &self,
        declaration: &Declaration,
        request: &CopyData,
        target: &PostgresServer,
        beside: &str,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: request.to.clone() };
        let _alone = self.alone(&id).await;
        progress.go_on()?;
        let mut redis = None;
        if let Some(live) = self.live_deployment(&id)? {
            let (declaration, _) = self.declaration_of(&live)?;
            let scope = self.scope(&declaration, &request.to, progress)?;
            redis.clone_from(&scope.servers.redis);
            let built = scope.builds_of(&given_by(&scope.recorded()?))?;
            scope.with_database(beside)?.run_migrations(&built, "copy").await?;
        }
        let kept = database_names::snapshot(&target.database, BEFORE);
        let swap =
            Swap { server: target, beside, kept: &kept, keep: true, empties: redis.as_ref(), has_to_serve: true };
        self.swap_database(&id, &swap, progress).await
    }

    /// Drops what was made beside; a server that just died is waited for. Whether it is gone.
    async fn drop_scratch(&self, id: &EnvironmentId, server: &PostgresServer, beside: &str) -> bool {
        let mut tries = DROPS_WITHIN.as_millis() / DROP_AGAIN.as_millis();
        loop {
            match self.provider.drop_database(id, server, beside).await {
                Ok(()) => return true,
                Err(failure) if tries == 0 => {
                    tracing::warn!(causes = ?failure.causes, "the database {beside} is left for now: {failure}");
                    return false;
                }
                Err(_) => tries -= 1,
            }
            tokio::time::sleep(DROP_AGAIN).await;
        }
    }

    /// Drops what copies left that an earlier daemon was making, and what could not be dropped when one failed, as where a disk
    /// was full or a server gone; for as long as it is polled.
    pub async fn drop_interrupted_copies(self: Arc<Self>) {
        let left = std::fs::read_dir(self.home.run()).into_iter().flatten().flatten();
        for entry in left.filter(|e| e.file_name().to_string_lossy().starts_with("copy-")) {
            if let Err(error) = std::fs::remove_dir_all(entry.path()) {
                tracing::warn!("{} cannot be deleted: {error}", entry.path().display());
            }
        }
        loop {
            match self.store.environments() {
                Ok(all) => {
                    for (id, _) in all.into_iter().filter(|(_, record)| record.wanted == Wanted::Running) {
                        if let Err(failure) = self.drop_interrupted_copy(&id).await {
                            tracing::error!(causes = ?failure.causes, "{id}: what a copy left could not be dropped: {failure}");
                        }
                    }
                }
                Err(error) => tracing::error!("what copies left cannot be looked up: {error}"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn drop_interrupted_copy(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let left = || self.remembered::<Option<String>>(&mark(id));
        // Before the lock, which somebody's new copy would be refused for.
        if left()?.is_none() {
            return Ok(());
        }
        // One that is being made is no leftover.
        let Ok(_one) = self.copying(id) else { return Ok(()) };
        let Some(beside) = left()? else { return Ok(()) };
        if self.drop_scratch(id, &self.recorded_postgres(id)?, &beside).await {
            self.remember(&mark(id), &None::<String>)?;
        }
        Ok(())
    }

    /// The copies into an environment, the newest first.
    pub fn masked_copies(&self, id: &EnvironmentId) -> Result<Vec<MaskedCopy>, Failure> {
        self.remembered(&reports(id))
    }

    fn keep_report(&self, id: &EnvironmentId, copy: &MaskedCopy) -> Result<(), Failure> {
        let mut all = self.masked_copies(id)?;
        all.insert(0, copy.clone());
        all.truncate(REPORTS);
        self.remember(&reports(id), &all)
    }

    fn note_copy(&self, request: &CopyData, to: &EnvironmentId, copy: &MaskedCopy, progress: &Progress) {
        let name = if copy.swapped_in { "data.copied" } else { "data.copy-leaked" };
        let note = Note::new(&request.actor, &to.project, name)
            .environment(&to.environment)
            .about("from", request.from.as_str())
            .about("rows", copy.report.rows().to_string());
        self.note_done(note, progress);
    }
}

/// A masked copy to be made.
pub(crate) struct Order<'a> {
    pub(crate) from: &'a EnvironmentId,
    pub(crate) source: &'a PostgresServer,
    pub(crate) server: &'a PostgresServer,
    pub(crate) beside: &'a str,
    pub(crate) masking: MaskingFile,
    pub(crate) choice: Option<Choice>,
    pub(crate) rate: Option<u64>,
}

impl CopyData {
    fn choice(&self) -> Option<Choice> {
        let all = self.percent.is_none() && self.conditions.is_empty();
        (!all).then(|| Choice { percent: self.percent, conditions: self.conditions.clone() })
    }
}

struct Copying<'a> {
    ambit: &'a Ambit,
    id: EnvironmentId,
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        self.ambit.copying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn mark(id: &EnvironmentId) -> String {
    format!("copying into {id}")
}

fn reports(id: &EnvironmentId) -> String {
    format!("masked copies {id}")
}

pub(crate) fn as_admin(server: &PostgresServer) -> Database {
    Database {
        port: server.port,
        user: "postgres".to_owned(),
        password: server.admin_password.clone(),
        name: server.database.clone(),
    }
}

fn leaked(from: &EnvironmentName, report: &CopyReport) -> Failure {
    let what =
        format!("values of {from} were found in the masked copy; it was thrown away and nothing else was changed");
    let failure = report.leaks.leaks.iter().fold(Failure::new(FailureKind::User, what), |failure, leak| {
        failure.because(format!("{}: {} times, values of {}", leak.found_in, leak.times, leak.comes_from.join(", ")))
    });
    failure
        .hint("give those columns a masker in masking.toml")
        .hint("where what is found is nobody's, say so there with a reason: [leaks] allow = { \"SCHEMA.TABLE.COLUMN\" = \"why\" }")
}

/// Reads the file that says what becomes of each column.
pub(crate) fn read_masking(folder: &Path) -> Result<MaskingFile, Failure> {
    let path = folder.join(MASKING);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let failure =
            Failure::new(FailureKind::Declaration, format!("{} cannot be read; nothing was copied", path.display()))
                .because(error.to_string());
        failure.hint("ambit data classify proposes it from what the database holds; look at it and commit it")
    })?;
    parse_masking(&text)
}

pub(crate) fn parse_masking(text: &str) -> Result<MaskingFile, Failure> {
    MaskingFile::parse(text).map_err(|problems| wrong_masking(text, &problems, "nothing was copied"))
}

/// Tells every problem of a file with its place.
pub(crate) fn wrong_masking(text: &str, problems: &[Problem], and: &str) -> Failure {
    let failure = Failure::new(FailureKind::Declaration, format!("{MASKING} is wrong; {and}"));
    problems.iter().fold(failure, |failure, problem| failure.because(located(text, problem)))
}

/// The place, the line, and a mark beneath.
fn located(text: &str, problem: &Problem) -> String {
    let before = text.get(..problem.span.start.min(text.len())).unwrap_or_default();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let shown = text.lines().nth(line).unwrap_or_default();
    let length = text.get(problem.span.clone()).map_or(1, |s| s.lines().next().unwrap_or_default().chars().count());
    let marks = "^".repeat(length.max(1));
    let number = line + 1;
    let margin = " ".repeat(number.to_string().len());
    let mut all = format!(
        "{MASKING}:{number}:{}: {}\n{number} | {shown}\n{margin} | {}{marks}",
        column + 1,
        problem.message,
        " ".repeat(column)
    );
    if let Some(help) = &problem.help {
        all.push_str(&format!(" {help}"));
    }
    all
}
