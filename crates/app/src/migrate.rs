//! `migrate`: the migrations of the release that an environment runs, run again or looked at.

use std::path::PathBuf;

use ambit_domain::{
    Actor, Failure, FailureKind,
    audit::Note,
    provider::MigrationStatus,
    spec::{EnvironmentName, Form, Kind},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now},
    declaration::Declaration,
    deployment::given_by,
    progress::Progress,
    release::Built,
    scope::Scope,
};

/// What to migrate.
#[derive(Clone, Serialize, Deserialize)]
pub struct Migrate {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment.
    pub environment: EnvironmentName,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// The migrations of one service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceMigrations {
    /// The service.
    pub service: String,
    /// The command that runs them, where the app does.
    pub command: Option<String>,
    /// Each file, where Ambit runs them.
    pub files: Vec<MigrationStatus>,
}

impl Ambit {
    /// Runs what has not run yet of the release that the environment runs.
    pub async fn migrate(&self, request: &Migrate, progress: &Progress) -> Result<Vec<String>, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let scope = self.scope(&declaration, &request.environment, progress)?;
        let _alone = self.alone(&scope.id).await;
        let record = scope.recorded()?;
        if record.live.is_none() {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("nothing was deployed to {} yet", request.environment),
            )
            .hint(format!("ambit up {}", request.environment)));
        }
        let given = given_by(&record);
        let built = scope.builds_of(&given)?;
        if record.kind == Kind::Production
            && let Some(server) = &scope.servers.postgres
        {
            let name = format!("migrate-{}", now());
            let work = async {
                self.copy_data(&scope.id, server, &name).await?;
                Ok(((), name.clone(), true))
            };
            scope.progress.step("restore point", work).await?;
        }
        let done = scope.run_migrations(&built, "by-hand").await?;
        self.note_quietly(
            Note::new(&request.actor, &scope.id.project, "environment.migrated").environment(&scope.id.environment),
        );
        Ok(done)
    }

    /// Which migrations of the release that runs have run.
    pub async fn migration_status(
        &self,
        request: &Migrate,
        progress: &Progress,
    ) -> Result<Vec<ServiceMigrations>, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let scope = self.scope(&declaration, &request.environment, progress)?;
        let record = scope.recorded()?;
        let built = scope.builds_of(&given_by(&record))?;
        let mut all = Vec::new();
        for one in &built {
            let Some(service) = scope.environment.services.get(&one.service) else { continue };
            let Form::App(app) = &service.form else { continue };
            let (mut files, mut command) = (Vec::new(), None);
            if let (Some(folder), Some(server)) = (&app.migrations, &scope.servers.postgres) {
                files = self.provider.migration_status(&scope.id, server, &one.build.folder().join(folder)).await?;
            } else {
                command = one.recipe(service).migrate;
            }
            if command.is_some() || !files.is_empty() {
                all.push(ServiceMigrations { service: service.name.to_string(), command, files });
            }
        }
        Ok(all)
    }
}

impl Scope<'_> {
    /// Runs what has not run yet of every service's migrations; `why` is part of the names of the runs.
    pub(crate) async fn run_migrations(&self, built: &[Built], why: &str) -> Result<Vec<String>, Failure> {
        let mut done = Vec::new();
        for one in built {
            let Ok((service, app, built)) = self.app(built, &one.service) else { continue };
            let told = self.progress.service(&service.name);
            let work = async {
                if let (Some(folder), Some(server)) = (&app.migrations, &self.servers.postgres) {
                    let detail = self.run_migration_files(server, &built.build.folder().join(folder)).await?;
                    return Ok((Some(detail.clone()), detail, true));
                }
                let Some(command) = built.recipe(service).migrate else { return Ok((None, String::new(), false)) };
                let name = format!("migrate-{}-{why}", service.name);
                self.run_and_forget((service, app, built), &command, "migrate", &name).await?;
                Ok((Some(command.clone()), command, true))
            };
            done.extend(told.step("migrate", work).await?);
        }
        Ok(done)
    }
}
