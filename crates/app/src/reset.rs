//! `reset`: an environment gets a new database with the schema of the release that it runs, and nothing of what was in the
//! old one. Never one of production.
//!
//! The new database is made beside the old one, which serves until the new one does. A crash before the exchange leaves
//! the old one as it is, and a database beside that the next reset drops.

use ambit_domain::{
    Actor, EnvironmentId, EnvironmentRecord, Failure, FailureKind,
    audit::Note,
    spec::{EnvironmentName, ProjectName},
};
use ambit_host::database_names;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, now},
    cleaning,
    deployment::given_by,
    progress::Progress,
    release::Built,
    scope::Scope,
    swap_database::Swap,
};

/// What stands at the end of the names of a reset's tasks.
const RUN: &str = "reset";

/// What to reset.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reset {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The environment's name once more, as a person typed it.
    pub confirmed: String,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Whether an environment is one that may be reset.
    pub fn may_be_reset(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.refuse_production(id, "reset")
    }

    /// Resets an environment.
    pub async fn reset(&self, request: &Reset, progress: &Progress) -> Result<(), Failure> {
        self.remember_keys(&request.project, &request.keys);
        let id = EnvironmentId { project: request.project.clone(), environment: request.environment.clone() };
        self.refuse_production(&id, "reset")?;
        if request.confirmed != request.environment.as_str() {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} was not reset: the name that was typed is not its name", request.environment),
            )
            .hint(format!("ambit reset -e {0} --confirm {0}", request.environment)));
        }
        self.reset_environment(&id, &request.actor, progress).await
    }

    /// Resets an environment that is not production's.
    pub(crate) async fn reset_environment(
        &self,
        id: &EnvironmentId,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let _alone = self.alone(id).await;
        self.refuse_production(id, "reset")?;
        let (declaration, record) = self.what_runs(id)?;
        let scope = self.scope(&declaration, &id.environment, progress)?;
        scope.refuse_production("reset")?;
        let built = scope.builds_of(&given_by(&record))?;
        // Before the deed, which cannot be undone: who asked for it stays known whatever happens in the middle of it.
        self.note(Note::new(actor, &id.project, "environment.reset").environment(&id.environment))?;
        let Some(server) = &scope.servers.postgres else {
            let Some(redis) = &scope.servers.redis else {
                return Err(Failure::new(FailureKind::NotFound, format!("{} has no database", id.environment)));
            };
            self.provider.empty_redis(id, redis).await?;
            return self.remember(&cleaning::setting(id), &Some(now()));
        };
        let beside = database_names::restoring(&server.database);
        let made = scope.make_anew(&beside, &built).await;
        if made.is_err() {
            self.provider.drop_database(id, server, &beside).await?;
        }
        let seeded = made?;
        let swap = Swap {
            server,
            beside: &beside,
            kept: &database_names::before(&server.database, RUN),
            keep: false,
            empties: scope.servers.redis.as_ref(),
            has_to_serve: true,
        };
        self.swap_database(id, &swap, &scope.progress).await?;
        scope.save(&EnvironmentRecord { seeded, ..record })?;
        self.remember(&cleaning::setting(id), &Some(now()))
    }
}

impl Scope<'_> {
    /// Makes a database as the release needs it, filled where that is declared; tells whether it is.
    async fn make_anew(&self, database: &str, built: &[Built]) -> Result<bool, Failure> {
        let provider = &self.ambit.provider;
        // What an interrupted reset started works on a database that is about to go.
        for task in provider.tasks(&self.id).iter().filter(|task| task.name.ends_with(&format!("-{RUN}"))) {
            provider.forget_task(&self.id, &task.name).await?;
        }
        let scope = self.with_database(database)?;
        if let Some(server) = &self.servers.postgres {
            provider.create_database(&self.id, server, database).await?;
        }
        scope.run_migrations(built, RUN).await?;
        if !self.environment.seed {
            return Ok(false);
        }
        let work = async {
            let done = scope.seed_all(built, |_| true, None).await?;
            Ok((!done.is_empty(), done.join(", "), true))
        };
        scope.progress.step("seed", work).await
    }
}
