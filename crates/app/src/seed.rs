//! `seed`: an environment's database is filled with what is made up for development. Never one of production.

use ambit_domain::{
    Actor, EnvironmentId, EnvironmentRecord, Failure, FailureKind, Wanted,
    audit::Note,
    deployment::StepName,
    ids::DeploymentId,
    spec::{EnvironmentName, Kind, ProjectName, ServiceName, seed_file},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    declaration::Declaration,
    deployment::given_by,
    progress::Progress,
    release::Built,
    scope::Scope,
};

/// What to fill.
#[derive(Clone, Serialize, Deserialize)]
pub struct Seed {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Runs the seed of the release that an environment runs; returns what ran.
    pub async fn seed(&self, request: &Seed, progress: &Progress) -> Result<Vec<String>, Failure> {
        self.remember_keys(&request.project, &request.keys);
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        self.refuse_production(&id, "seeded")?;
        let _alone = self.alone(&id).await;
        let (declaration, record) = self.what_runs(&id)?;
        let scope = self.scope(&declaration, &id.environment, progress)?;
        scope.refuse_production("seeded")?;
        let built = scope.builds_of(&given_by(&record))?;
        let done = scope.seed_all(&built, |_| true, None).await?;
        if done.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, format!("nothing says how {} is filled", id.environment))
                .hint(
                    "set `seed` of an app in ambit.toml: a command, or a file such as seeds/dev.sql; then deploy it",
                ));
        }
        scope.save(&EnvironmentRecord { seeded: true, ..record })?;
        self.note_quietly(Note::new(&request.actor, &id.project, "environment.seeded").environment(&id.environment));
        Ok(done)
    }

    /// Fails for an environment whose record says that it is production's, whatever any file says by now.
    pub(crate) fn refuse_production(&self, id: &EnvironmentId, verb: &str) -> Result<(), Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        match record {
            Some(record) if record.kind == Kind::Production => Err(never(id, verb)),
            _ => Ok(()),
        }
    }

    /// The declaration of what an environment runs, and its record; fails where it does not run.
    pub(crate) fn what_runs(&self, id: &EnvironmentId) -> Result<(Declaration, EnvironmentRecord), Failure> {
        let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
        let up = format!("ambit up {}", id.environment);
        let record = record.ok_or_else(|| {
            Failure::new(
                FailureKind::NotFound,
                format!("{} has no environment `{}` on this machine", id.project, id.environment),
            )
            .hint(up.as_str())
        })?;
        let live = self.live_of(&record)?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("nothing was deployed to {} yet", id.environment))
                .hint(up.as_str())
        })?;
        if record.wanted != Wanted::Running {
            return Err(Failure::new(FailureKind::User, format!("{} is down", id.environment)).hint(up));
        }
        Ok((self.declaration_of(&live)?.0, record))
    }
}

impl Scope<'_> {
    /// Fails where production is declared.
    pub(crate) fn refuse_production(&self, verb: &str) -> Result<(), Failure> {
        if self.environment.kind == Kind::Production { Err(never(&self.id, verb)) } else { Ok(()) }
    }

    /// Runs the seeds of services; for a deployment each command once, whatever becomes of the daemon.
    pub(crate) async fn seed_all(
        &self,
        built: &[Built],
        wanted: impl Fn(&ServiceName) -> bool,
        deployment: Option<DeploymentId>,
    ) -> Result<Vec<String>, Failure> {
        let mut done = Vec::new();
        for one in built.iter().filter(|one| wanted(&one.service)) {
            let Ok((service, app, built)) = self.app(built, &one.service) else { continue };
            let Some(seed) = built.recipe(service).seed else { continue };
            match (seed_file(&seed), &self.servers.postgres) {
                (Some(file), Some(server)) => {
                    self.ambit.provider.run_sql(&self.id, server, &built.build.folder().join(file)).await?;
                }
                _ => {
                    let service = (service, app, built);
                    match deployment {
                        Some(number) => self.run_once(service, &seed, StepName::Seed, number).await?,
                        None => {
                            let name = format!("seed-{}-by-hand", service.0.name);
                            self.run_and_forget(service, &seed, "seed", &name).await?;
                        }
                    }
                }
            }
            done.push(seed);
        }
        Ok(done)
    }
}

fn never(id: &EnvironmentId, verb: &str) -> Failure {
    Failure::new(FailureKind::User, format!("{} is a production environment and is never {verb}", id.environment))
        .hint("no option changes that; nothing was changed")
}
