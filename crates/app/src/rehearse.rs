//! `rehearse`: what would migrate in production runs before on a scratch copy of its data, masked, beside the database of a
//! staging environment, with that environment's user and secrets. Production is only read.
//!
//! A crash leaves at most the scratch database, which the next rehearsal makes anew.

use std::path::{Path, PathBuf};

use ambit_data::masking::MaskingFile;
use ambit_data::rehearsal::{self, Report, Scratch, Sizes, Surroundings};
use ambit_domain::{
    Actor, Deployment, EnvironmentId, Failure, FailureKind, Real, Release,
    audit::Note,
    ids::ReleaseId,
    provider::PostgresServer,
    release::pending_migrations,
    spec::{EnvironmentName, Form, Kind},
};
use ambit_host::database_names;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now, store_failure},
    code::{CodeAt, source_failure},
    declaration::Declaration,
    masked_copy::{MASKING, parse_masking, read_masking},
    progress::Progress,
    release::Built,
    scope::Scope,
};

/// What stands at the end of the names of a rehearsal's tasks.
const RUN: &str = "rehearsal";

/// Of so many of the newest releases rehearsals are looked for.
const RELEASES: usize = 20;

/// What to rehearse.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rehearse {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment that it is about.
    pub environment: EnvironmentName,
    /// A release, by the first digits of its id; the newest where nothing is said.
    pub release: Option<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// What a rehearsal came to: evidence, kept with the environment and the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// When it began, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The release.
    pub release: ReleaseId,
    /// The environment beside whose database it ran.
    pub place: EnvironmentName,
    /// The migrations that were to run.
    pub migrations: Vec<String>,
    /// What was observed, and what would hurt.
    pub report: Report,
}

impl Ambit {
    /// Rehearses the migrations that a release would bring to an environment.
    pub async fn rehearse(&self, request: &Rehearse, progress: &Progress) -> Result<Rehearsal, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: request.environment.clone() };
        let release = self.release_to_rehearse(&id, request.release.as_deref())?;
        let masking = || read_masking(&request.folder);
        self.rehearse_release(&id, &release, &declaration, masking, &request.actor, progress).await
    }

    /// The same for the release of a deployment, with the masking of its commit. What stands in the way of it is told, and is the
    /// gate's to judge.
    pub(crate) async fn rehearse_for(
        &self,
        deployment: &Deployment,
        release: &Release,
        declaration: &Declaration,
        code: &CodeAt,
        progress: &Progress,
    ) {
        let id = &deployment.environment;
        // A first release finds no data that could stand in its way.
        let pending = self.pending_in(id, release).is_ok_and(|pending| !pending.is_empty());
        if !pending || !self.live_deployment(id).is_ok_and(|live| live.is_some()) {
            return;
        }
        let masking = || match code {
            CodeAt::Commit { repository, commit } => {
                let file = repository.file(&commit.id, Path::new(MASKING)).map_err(|e| source_failure(&e))?;
                let file = file.ok_or_else(|| {
                    Failure::new(FailureKind::NotFound, format!("{} has no {MASKING}", commit.short()))
                        .because("what becomes of each column is not said; ambit data classify proposes it")
                })?;
                parse_masking(&String::from_utf8_lossy(&file))
            }
            CodeAt::WorkingTree { folder } => read_masking(folder),
            CodeAt::Recorded { .. } => {
                Err(Failure::new(FailureKind::NotFound, "a release of before has no masking.toml of its own"))
            }
        };
        let actor = &deployment.actor;
        if let Err(failure) = self.rehearse_release(id, release, declaration, masking, actor, progress).await {
            let why = failure.causes.first().map(|c| format!(" ({c})")).unwrap_or_default();
            progress.environment(&id.environment).notice("rehearsal", format!("not rehearsed: {failure}{why}"));
        }
    }

    async fn rehearse_release(
        &self,
        id: &EnvironmentId,
        release: &Release,
        declaration: &Declaration,
        masking: impl FnOnce() -> Result<MaskingFile, Failure>,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<Rehearsal, Failure> {
        let migrations = self.pending_in(id, release)?;
        let place = self.place_of_rehearsals(id, declaration)?;
        let scope = self.scope(declaration, &place, progress)?;
        let server =
            scope.servers.postgres.as_ref().ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("{place} has no PostgreSQL to rehearse in"))
            })?;
        let at = now();
        let mut rehearsal =
            Rehearsal { at, release: release.id.clone(), place: place.clone(), migrations, report: nothing() };
        if !rehearsal.migrations.is_empty() {
            let built = scope.builds_in(release)?;
            let scratch = database_names::rehearsal(&server.database);
            let masking = masking()?;
            let work = async {
                self.masked_scratch(masking, id, server, &scratch, &scope.progress).await?;
                let sizes = self.sizes_of(id).await?;
                let trees = self.trees_that_serve(id)?;
                let named = |word: &str| trees.iter().any(|tree| ambit_source::mentions::names(tree, word));
                let surroundings = Surroundings { production: &sizes, named: &named };
                scope.with_database(&scratch)?.rehearse(&built, &surroundings).await
            };
            // They share the scratch database's name and those of its tasks.
            let _one = self.rehearsing.lock().await;
            let report = work.await;
            // Masked as it is, nobody needs it any more.
            let dropped = self.provider.drop_database(&scope.id, server, &scratch).await;
            rehearsal.report = report?;
            dropped?;
        }
        self.remember(&setting(id, &release.id), &Some(rehearsal.clone()))?;
        self.note_quietly(
            Note::new(actor, &id.project, "migrations.rehearsed")
                .environment(&id.environment)
                .about("release", release.id.0.as_str())
                .about("harmless", rehearsal.report.is_harmless().to_string().as_str()),
        );
        Ok(rehearsal)
    }

    /// What the last rehearsal of a release for an environment came to.
    pub fn rehearsal(&self, id: &EnvironmentId, release: &ReleaseId) -> Result<Option<Rehearsal>, Failure> {
        self.remembered(&setting(id, release))
    }

    /// What the last rehearsals for an environment came to, the newest release first.
    pub fn rehearsals(&self, id: &EnvironmentId) -> Result<Vec<Rehearsal>, Failure> {
        let releases = self.store.releases(&id.project).map_err(|e| store_failure(&e))?;
        let of = |release: &Release| self.rehearsal(id, &release.id).transpose();
        releases.iter().take(RELEASES).filter_map(of).collect()
    }

    fn release_to_rehearse(&self, id: &EnvironmentId, wanted: Option<&str>) -> Result<Release, Failure> {
        let all = self.store.releases(&id.project).map_err(|e| store_failure(&e))?;
        let found = match wanted {
            Some(digits) if digits.len() >= 4 => all.into_iter().find(|release| release.id.0.starts_with(digits)),
            Some(_) => None,
            None => all.into_iter().next(),
        };
        found.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} has no such release", id.project))
                .hint("ambit releases lists them; four digits are enough")
        })
    }

    /// The migrations of a release that an environment does not have.
    fn pending_in(&self, id: &EnvironmentId, release: &Release) -> Result<Vec<String>, Failure> {
        let live = match self.live_deployment(id)?.and_then(|live| live.release) {
            Some(live) => self.store.release(&id.project, &live).map_err(|e| store_failure(&e))?,
            None => None,
        };
        Ok(pending_migrations(release, live.as_ref()).into_iter().map(|m| m.path.clone()).collect())
    }

    /// A staging environment that runs: production's own server has other things to do.
    fn place_of_rehearsals(&self, id: &EnvironmentId, declaration: &Declaration) -> Result<EnvironmentName, Failure> {
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let staging = |(other, record): &(EnvironmentId, ambit_domain::EnvironmentRecord)| {
            let declared = declaration.project.environments.get(&other.environment);
            other.project == id.project
                && record.kind == Kind::Staging
                && record.wanted == ambit_domain::Wanted::Running
                && declared.is_some_and(|declared| declared.kind == Kind::Staging && declared.postgres.is_some())
        };
        environments.into_iter().find(staging).map(|(other, _)| other.environment).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, "there is no staging environment with a PostgreSQL that runs")
                .because("migrations are rehearsed beside its database, on masked data")
                .hint("declare one (`kind = \"staging\"`) and bring it up")
        })
    }

    async fn sizes_of(&self, id: &EnvironmentId) -> Result<Sizes, Failure> {
        rehearsal::sizes(&scratch_of(&self.recorded_postgres(id)?)).await
    }

    /// The source of what serves in an environment.
    fn trees_that_serve(&self, id: &EnvironmentId) -> Result<Vec<PathBuf>, Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let builds = self.builds(&id.project);
        let of = |service: &ambit_domain::ServiceRecord| match &service.real {
            Real::App { build, .. } | Real::Job { build, .. } => {
                ambit_source::builds::find(&builds, build).ok().flatten().map(|build| build.folder())
            }
            Real::Site { .. } | Real::Server => None,
        };
        Ok(record.iter().flat_map(|record| &record.services).filter_map(of).collect())
    }
}

impl Scope<'_> {
    /// The builds of a release whose services this environment has too.
    fn builds_in(&self, release: &Release) -> Result<Vec<Built>, Failure> {
        let known = release.builds.iter().filter(|(service, _)| self.environment.services.contains_key(*service));
        known
            .map(|(service, id)| {
                let build = self.find_build(id)?.ok_or_else(|| {
                    Failure::new(FailureKind::NotFound, format!("the build of {service} is gone"))
                        .hint("deploy its commit again to a staging environment")
                })?;
                Ok(Built { service: service.clone(), build, commit: None })
            })
            .collect()
    }

    /// Runs what is pending in the scratch database, which is this scope's own.
    async fn rehearse(&self, built: &[Built], surroundings: &Surroundings<'_>) -> Result<Report, Failure> {
        let mut all = nothing();
        let Some(server) = &self.servers.postgres else { return Ok(all) };
        let scratch = scratch_of(server);
        for one in built {
            let Some(service) = self.environment.services.get(&one.service) else { continue };
            let Form::App(app) = &service.form else { continue };
            let told = self.progress.service(&service.name);
            let work = async {
                let report = if let Some(folder) = &app.migrations {
                    let folder = one.build.folder().join(folder);
                    let pending = self.ambit.provider.pending_migrations(&self.id, server, &folder).await?;
                    rehearsal::files(&scratch, &pending, surroundings).await?
                } else if let Some(command) = one.recipe(service).migrate {
                    let name = format!("migrate-{}-{RUN}", service.name);
                    // What an interrupted rehearsal started works on a database that is gone.
                    self.ambit.provider.forget_task(&self.id, &name).await?;
                    let run = self.run_and_forget((service, app, one), &command, "rehearse", &name);
                    rehearsal::command(&scratch, &command, run, surroundings).await?
                } else {
                    return Ok((nothing(), String::new(), false));
                };
                let told = match (&report.failed, report.dangers.len()) {
                    (Some(failed), _) => format!("{} failed", failed.migration),
                    (None, 0) => format!("{} statements, harmless", report.statements.len()),
                    (None, n) => format!("{} statements, {n} would hurt", report.statements.len()),
                };
                Ok((report, told, true))
            };
            let report = told.step("rehearse", work).await?;
            all.statements.extend(report.statements);
            all.dangers.extend(report.dangers);
            all.failed = report.failed;
            if all.failed.is_some() {
                break;
            }
        }
        Ok(all)
    }
}

fn nothing() -> Report {
    Report { statements: Vec::new(), failed: None, dangers: Vec::new() }
}

fn scratch_of(server: &PostgresServer) -> Scratch {
    Scratch {
        port: server.port,
        database: server.database.clone(),
        role: server.role.clone(),
        role_password: server.role_password.clone(),
        admin_password: server.admin_password.clone(),
    }
}

fn setting(id: &EnvironmentId, release: &ReleaseId) -> String {
    format!("rehearsal {id} {}", release.0)
}
