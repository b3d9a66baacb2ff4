//! Environments that live at a service elsewhere: deployments, what serves, logs. The same words as for this machine; the service
//! builds, starts and replaces by itself.

pub(crate) mod backups;
mod drill;
mod railway;
mod restores;
mod run;
mod wait;

use ambit_domain::{
    Deployment, EnvironmentId, Failure, FailureKind, Hosted, Placement, Wanted,
    hosted::{HostedLine, HostedService},
    spec::{Environment, EnvironmentName, Form, Placement as Lives, Role, ServiceName},
};

pub(crate) use self::wait::until_it_serves;
use crate::{
    ambit::{Ambit, store_failure},
    declaration::Declaration,
    outside::{Tokens, railway::Projects},
    scope::Scope,
};

/// The apps of an environment that a service elsewhere deploys: those that stay once they run.
pub(crate) fn lasting_apps(environment: &Environment) -> Vec<ServiceName> {
    let apps = environment.services.values();
    let lasting = apps.filter(|s| matches!(&s.form, Form::App(app) if !matches!(app.role, Role::Scheduled(_))));
    lasting.map(|s| s.name.clone()).collect()
}

/// The place that the file names.
pub(crate) fn placement(lives: Lives) -> Placement {
    match lives {
        Lives::Host => Placement::Host,
        Lives::Railway => Placement::Railway,
    }
}

impl Scope<'_> {
    /// The environment where it lives elsewhere.
    pub(crate) fn hosted(&self) -> Result<Box<dyn Hosted + '_>, Failure> {
        self.ambit.hosted(self.declaration, self.environment, &Tokens::default())
    }
}

impl Ambit {
    /// An environment where it lives elsewhere.
    pub(crate) fn hosted<'a>(
        &'a self,
        declaration: &'a Declaration,
        environment: &'a Environment,
        tokens: &Tokens,
    ) -> Result<Box<dyn Hosted + 'a>, Failure> {
        Ok(Box::new(railway::AtRailway::new(Projects::open(self, declaration, tokens)?, environment)?))
    }

    /// Where an environment was moved to, or is said to live; `None` where nobody says.
    fn place_said(&self, id: &EnvironmentId, environment: Option<&Environment>) -> Result<Option<Placement>, Failure> {
        // What was moved stays where it went to, also by a commit of before.
        Ok(self.moved_to(id)?.or_else(|| environment.and_then(|e| e.on).map(placement)))
    }

    /// Where an environment lives.
    pub(crate) fn lives_at(&self, id: &EnvironmentId, environment: &Environment) -> Result<Placement, Failure> {
        Ok(self.moved_to(id)?.unwrap_or_else(|| placement(environment.lives())))
    }

    /// Whether an environment is said to live elsewhere, so that only its sites are on this machine. One that has a project there and
    /// nothing else said may be run here too.
    pub(crate) fn lives_elsewhere(&self, id: &EnvironmentId, environment: &Environment) -> Result<bool, Failure> {
        let lives = match self.relocation(id)? {
            Some(under_way) => Some(under_way.to),
            None => self.place_said(id, Some(environment))?,
        };
        Ok(lives == Some(Placement::Railway))
    }

    /// Where a deployment to an environment goes: where somebody says, else this machine where it runs here, else where it is declared to
    /// live, as long as Ambit can ask there for anything.
    pub(crate) fn placement(
        &self,
        declaration: &Declaration,
        id: &EnvironmentId,
        asked: Option<Placement>,
    ) -> Result<Placement, Failure> {
        let environment = declaration.project.environments.get(&id.environment);
        let declared_there = environment.is_some_and(|e| e.declared_railway_project().is_some());
        match asked {
            Some(Placement::Railway) if !declared_there => {
                Err(Failure::new(FailureKind::Declaration, format!("{} has no project at Railway", id.environment))
                    .hint(format!("[providers.railway] project = {{ {} = \"…\" }} in ambit.toml", id.environment)))
            }
            Some(Placement::Host) if environment.map_or(Ok(false), |e| self.lives_elsewhere(id, e))? => {
                let name = &id.environment;
                Err(Failure::new(
                    FailureKind::User,
                    format!("{name} lives at Railway: only its sites are on this machine"),
                )
                .hint(format!("ambit move -e {name} --to host brings it here, with its data")))
            }
            Some(asked) => Ok(asked),
            None => {
                if let Some(lives) = self.place_said(id, environment)? {
                    return Ok(lives);
                }
                let lives_there = environment.is_some_and(|e| e.railway_project().is_some());
                let record = self.store.environment(id).map_err(|e| store_failure(&e))?;
                let here = record.is_some_and(|r| r.wanted == Wanted::Running && r.live.is_some());
                let there = !here && lives_there && self.reaches_railway(declaration, &Tokens::default());
                Ok(if there { Placement::Railway } else { Placement::Host })
            }
        }
    }

    /// Whether there is a token for the account at Railway that is declared.
    #[must_use]
    pub fn reaches_railway(&self, declaration: &Declaration, tokens: &Tokens) -> bool {
        let account = declaration.project.providers.railway.as_ref();
        account.is_some_and(|account| {
            tokens.simulator.is_some() || declaration.token("Railway", &account.access, tokens).is_ok()
        })
    }

    /// The deployment that serves: here, else elsewhere.
    pub(crate) fn serving_deployment(&self, id: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        match self.live_deployment(id)? {
            Some(live) => Ok(Some(live)),
            None => self.serving_elsewhere(id),
        }
    }

    /// The newest deployment that came to serve elsewhere and was not taken back.
    pub(crate) fn serving_elsewhere(&self, id: &EnvironmentId) -> Result<Option<Deployment>, Failure> {
        let all = self.store.deployments(&id.project, Some(id), 1000).map_err(|e| store_failure(&e))?;
        Ok(all.into_iter().find(|d| d.hosted.is_some() && d.has_served() && d.state.serves()))
    }

    /// What an environment has at the service that it lives at.
    pub async fn hosted_services(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        tokens: &Tokens,
    ) -> Result<Vec<HostedService>, Failure> {
        self.hosted(declaration, &declaration.project.environments[name], tokens)?.services().await
    }

    /// The newest lines of what its services printed there.
    pub async fn hosted_logs(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        services: &[String],
        lines: usize,
        tokens: &Tokens,
    ) -> Result<Vec<HostedLine>, Failure> {
        self.hosted(declaration, &declaration.project.environments[name], tokens)?.logs(services, lines).await
    }
}
