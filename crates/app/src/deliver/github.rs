//! GitHub is told how a deployment stands now, whatever the announcement says that asks for it: so it does not matter which one comes
//! first, or how often.

use ambit_cloud::{
    SendError,
    github::{Github, Told},
};
use ambit_domain::{
    Deployment, Failure, Outgoing,
    github::{State, state},
    spec::{Environment, Kind, Occasion},
};

use crate::{
    address::Address,
    ambit::{Ambit, store_failure},
    declaration::Declaration,
    telling::{later, url},
};

/// Among so many newest deployments it is looked for a later one of the same commit.
const LOOKED_AT: usize = 100;

impl Ambit {
    pub(super) async fn tell_github(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        address: Address,
        outgoing: &Outgoing,
    ) -> Result<(), SendError> {
        let refused = |why: &str| SendError::Refused { why: why.to_owned() };
        let github = declaration.github_by_secret();
        let github = github.ok_or_else(|| refused("there is no token for it any more, or no repository"))?;
        // Two announcements of one deployment would both find nothing at GitHub, and each make it there.
        let _one_at_a_time = self.telling.lock().await;
        let id = &outgoing.environment;
        if outgoing.announcement.event == Occasion::Checked {
            return self.tell_check(&github, outgoing).await;
        }
        let failed = |error| later(store_failure(&error).message);
        let number = outgoing.announcement.deployment.ok_or_else(|| refused("it tells of no deployment"))?;
        let deployment = self.store.deployment(number).map_err(failed)?;
        let deployment = deployment.ok_or_else(|| refused("the deployment is not known any more"))?;
        let (Some(commit), Some(state)) = (&deployment.commit, state(&deployment)) else { return Ok(()) };
        let newest = self.store.deployments(&id.project, Some(id), LOOKED_AT).map_err(failed)?;
        let overtaken =
            newest.iter().any(|d| d.number > number && d.commit.as_ref().is_some_and(|c| c.id == commit.id));
        let (name, words, url) =
            (format!("{}/{number}", id.project), words(&deployment, state), url(environment, address));
        let told = Told {
            id: &name,
            environment: id.environment.as_str(),
            production: environment.kind == Kind::Production,
            commit: &commit.id,
            version: &deployment.version,
            state,
            words: &words,
            url: url.as_deref(),
            created: deployment.created,
            newest: !overtaken,
        };
        github.tell(&told).await.map_err(untold)?;
        match self.notes_of(declaration, environment, &deployment).map_err(untold)? {
            Some(notes) if state == State::Success => github.release(&commit.from, &notes).await.map_err(untold),
            _ => Ok(()),
        }
    }

    /// What was said of a pull request last, for the same reason.
    async fn tell_check(&self, github: &Github, outgoing: &Outgoing) -> Result<(), SendError> {
        let commit = outgoing.announcement.commit.as_deref().unwrap_or_default();
        let check = self.check_of(&outgoing.environment.project, commit);
        let Some(check) = check.map_err(|failure| later(failure.message))? else { return Ok(()) };
        github.tell_check(commit, &check).await.map_err(untold)
    }
}

fn untold(failure: Failure) -> SendError {
    later(std::iter::once(failure.message).chain(failure.causes).collect::<Vec<_>>().join(": "))
}

fn words(deployment: &Deployment, state: State) -> String {
    let version = &deployment.version;
    match state {
        State::Pending => format!("{version} waits for a yes: ambit approve {}", deployment.number),
        State::InProgress => format!("{version} is being deployed"),
        State::Success => format!("{version} serves"),
        State::Failure => {
            let why = deployment.failure.as_ref().map_or("it does not serve any more", |f| f.message.as_str());
            format!("{version}: {why}")
        }
        State::Inactive => format!("{version}: {}", deployment.state.name()),
    }
}
