//! `destroy`: an environment is deleted with its data. Production is deleted only when nothing in it could be missed.

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Wanted,
    audit::Note,
    backup::{Backup, Worth},
    spec::{EnvironmentName, Kind, Persistence, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    progress::Progress,
};

/// What to delete.
#[derive(Clone, Serialize, Deserialize)]
pub struct Destroy {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The environment's name once more, as a person typed it.
    pub confirmed: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Deletes an environment. Tells whether nothing of any project is left running on the machine.
    pub async fn destroy(&self, request: &Destroy, progress: &Progress) -> Result<bool, Failure> {
        let ids = self.known(&request.project, &[request.environment.to_string()])?;
        let [id] = ids.as_slice() else { return Ok(false) };
        let _alone = self.alone(id).await;
        self.refuse_while_moving(id)?;
        if request.confirmed != request.environment.as_str() {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} was not deleted: the name that was typed is not its name", request.environment),
            ));
        }
        let Some(mut record) = self.store.environment(id).map_err(|e| store_failure(&e))? else {
            return Ok(false);
        };
        if record.kind == Kind::Production {
            self.refuse_while_it_holds_data(id).await?;
        }
        // Before the deed, which cannot be undone: who asked for it stays known whatever happens in the middle of it.
        self.note(Note::new(&request.actor, &id.project, "environment.destroy").environment(&id.environment))?;
        let work = async {
            let _published = self.publishing.lock().await;
            record.wanted = Wanted::Stopped;
            self.store.set_environment(id, &record).map_err(|e| store_failure(&e))?;
            self.publish_routes_if_served().await?;
            self.provider.stop_environment(id).await?;
            self.provider.remove_environment(id).await?;
            let sites = self.home.sites(id);
            if let Err(error) = std::fs::remove_dir_all(&sites)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Failure::new(FailureKind::Machine, format!("cannot delete {}", sites.display()))
                    .because(error.to_string()));
            }
            // The servers of the project's tests go with its last environment.
            if self.ids(&id.project)?.iter().all(|other| other == id) {
                let tests = EnvironmentId::of_tests(&id.project);
                self.provider.stop_environment(&tests).await?;
                self.provider.remove_environment(&tests).await?;
                self.store.forget_environment(&tests).map_err(|e| store_failure(&e))?;
            }
            self.remember(&crate::cleaning::setting(id), &None::<i64>)?;
            self.forget_where_it_lives(id)?;
            // Last, so that an interrupted deletion is still known and can be repeated.
            self.store.forget_environment(id).map_err(|e| store_failure(&e))?;
            // Where it is brought up again, the backups that stayed do not stand for what it will hold.
            self.back_up_soon(id)?;
            Ok(((), "deleted with its data".to_owned(), true))
        };
        progress.environment(&id.environment).step("destroy", work).await?;
        self.end_proxy_when_idle(progress).await
    }

    async fn refuse_while_it_holds_data(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let refuse = |why: &str| {
            Err(Failure::new(FailureKind::User, format!("{} is a production environment and {why}", id.environment))
                .because("there is no backup of what it holds that a drill restored")
                .hint(format!("nothing was changed; ambit backup now -e {} makes one that stays", id.environment)))
        };
        let postgres = self.postgres_at(id, Kind::Production, String::new())?;
        let redis = self.redis_at(id, Persistence::AppendOnly)?;
        let newest = self.store.backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        let whole = |b: &Backup| (postgres.is_none() || b.postgres.is_some()) && (redis.is_none() || b.redis.is_some());
        if newest.is_some_and(|b| b.worth() == Worth::Proven && whole(&b)) && !self.awaits_full_backup(id)? {
            return Ok(());
        }
        match self.provider.holds_data(id, postgres.as_ref(), redis.as_ref()).await {
            Some(false) => Ok(()),
            Some(true) => refuse("holds data"),
            None => refuse("its databases do not answer, so it may hold data; bring it up first"),
        }
    }
}
