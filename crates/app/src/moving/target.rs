//! The place that an environment goes to: made ready while the source serves, started when the data is there.

use std::time::Duration;

use ambit_domain::{
    Failure, FailureKind, Hosted, Placement, Real, Wanted,
    hosted::HostedState,
    outside::Place,
    relocation::Holdings,
    spec::{Form, Role, ServiceName, Value},
};
use ambit_host::relocation::{Extensions, postgres_here, redis_here};
use indexmap::IndexMap;

use super::{
    Moving,
    look::{refuse, refuse_data, repository_with, told},
};
use crate::{code::CodeAt, components::components, outside::Of, scope::Scope};

/// How long a build and its start may take at Railway, and how often that is asked.
const EVERY: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(3600);

impl Moving<'_> {
    pub(super) async fn make_ready(&mut self) -> Result<(), Failure> {
        match self.relocation.to {
            Placement::Railway => {
                self.make_there().await?;
                self.build_there().await?;
            }
            Placement::Host => {
                self.take_over_values().await?;
                self.make_here().await?;
            }
        }
        self.compare_sides().await
    }

    pub(super) fn scope(&self) -> Result<Scope<'_>, Failure> {
        self.ambit.scope(self.declaration, &self.id.environment, &self.progress)
    }

    fn code(&self) -> Result<CodeAt, Failure> {
        let commit = self.relocation.commit.clone();
        Ok(CodeAt::Commit { repository: repository_with(self.ambit, self.declaration, &commit.id)?, commit })
    }

    /// The project at Railway as it is declared for an environment that lives there.
    async fn make_there(&self) -> Result<(), Failure> {
        let of = Of { places: vec![Place::Railway], environments: vec![self.id.environment.clone()] };
        let work = async {
            let actor = &self.relocation.actor;
            let (done, _) =
                self.ambit.make_as_declared(self.declaration, &of, self.tokens, actor, &self.progress).await?;
            Ok(((), format!("{done} changes at Railway"), done > 0))
        };
        self.progress.step("railway", work).await
    }

    /// The same commit there, built and healthy before anything is stopped; then it waits for its data.
    async fn build_there(&mut self) -> Result<(), Failure> {
        if self.relocation.stopped.is_some() {
            return self.stop_there().await;
        }
        let apps: Vec<ServiceName> = self.lasting_apps();
        for app in &apps {
            if self.relocation.built.contains_key(app) {
                continue;
            }
            let (commit, started) = (self.relocation.commit.id.clone(), self.relocation.started);
            let id = self.hosted()?.deploy(app, &commit, started).await?;
            self.relocation.built.insert(app.clone(), id);
            self.save()?;
        }
        let built = self.relocation.built.clone();
        let work = async {
            let hosted = self.hosted()?;
            let end = tokio::time::Instant::now() + LONGEST;
            for (app, id) in &built {
                self.await_there(hosted, app, id, end).await?;
            }
            Ok(((), format!("{} built and healthy at Railway", self.relocation.commit.short()), true))
        };
        self.progress.step("release", work).await?;
        let running = self.hosted()?.running().await?;
        self.relocation.stopped = Some(running);
        self.save()?;
        self.stop_there().await
    }

    async fn await_there(
        &self,
        hosted: &dyn Hosted,
        app: &ServiceName,
        id: &str,
        end: tokio::time::Instant,
    ) -> Result<(), Failure> {
        loop {
            self.progress.go_on()?;
            match hosted.state(id).await? {
                HostedState::Serves => return Ok(()),
                HostedState::Over(word) => {
                    let failure = Failure::new(
                        FailureKind::App,
                        format!("{app} does not serve at {}: its deployment is {word}", hosted.describe()),
                    );
                    let words = hosted.last_words(id).await.unwrap_or_default();
                    return Err(words.into_iter().fold(failure, Failure::because));
                }
                HostedState::UnderWay(_) if tokio::time::Instant::now() > end => {
                    return Err(Failure::new(FailureKind::App, format!("{app} did not come to serve within an hour"))
                        .hint(format!("look there: {}", hosted.describe())));
                }
                HostedState::UnderWay(_) => tokio::time::sleep(EVERY).await,
            }
        }
    }

    pub(super) async fn stop_there(&self) -> Result<(), Failure> {
        let Some(running) = &self.relocation.stopped else { return Ok(()) };
        self.hosted()?.stop(running).await
    }

    /// Apps that stay once they run.
    fn lasting_apps(&self) -> Vec<ServiceName> {
        let apps = self.environment.services.values();
        let lasting = apps.filter(|s| matches!(&s.form, Form::App(app) if !matches!(app.role, Role::Scheduled(_))));
        lasting.map(|s| s.name.clone()).collect()
    }

    /// What was generated there is what the data was signed and encrypted by.
    async fn take_over_values(&self) -> Result<(), Failure> {
        let hosted = self.hosted()?;
        for (name, variable) in &self.environment.variables {
            let Value::Generated(length) = variable.value else { continue };
            let Some(value) = hosted.value(name).await? else { continue };
            let known = self.ambit.store.credential(self.id, &format!("generated {name} {length}"), || value.clone());
            let known = known.map_err(|e| crate::ambit::store_failure(&e))?;
            if known != value {
                self.progress.notice("variables", format!("{name} is another one on this machine than at Railway"));
            }
        }
        Ok(())
    }

    /// The servers on this machine, without an app, and the release beside them.
    async fn make_here(&self) -> Result<(), Failure> {
        let (scope, code) = (self.scope()?, self.code()?);
        let (ambit, declaration) = (self.ambit, self.declaration);
        let folder = ambit.store.set_project_folder(&declaration.project.name, &declaration.folder);
        folder.map_err(|e| crate::ambit::store_failure(&e))?;
        ambit.record_authority(declaration)?;
        ambit.ensure_proxy(&self.progress).await?;
        let mut record = scope.recorded()?;
        // Apps of before would come back with the servers.
        record.services.retain(|service| matches!(service.real, Real::Server | Real::Site { .. }));
        record.live = None;
        record.seeded = true;
        if !record.services.iter().any(|service| matches!(service.real, Real::Site { .. })) {
            record.wanted = Wanted::Stopped;
        }
        self.ambit.provider.prepare(self.id).await?;
        scope.save(&record)?;
        scope.sweep(&mut record).await?;
        let declared = components(self.environment, &code, &scope.variables, &scope.servers)?;
        scope.start_servers(&declared, &mut record).await?;
        let given = IndexMap::new().into_iter().collect();
        let work = async {
            scope.release(&code, &given).await?;
            Ok(((), format!("{} built on this machine", self.relocation.commit.short()), true))
        };
        self.progress.step("release", work).await
    }

    /// Both sides can be looked into now: what stands in the way is found before anything is stopped.
    async fn compare_sides(&mut self) -> Result<(), Failure> {
        let sides = self.sides().await?;
        let (source, target) = (self.holdings(&sides.0).await?, self.holdings(&sides.1).await?);
        let installable = match &sides.1.postgres {
            Some(login) => {
                let which = if self.relocation.to == Placement::Host { Extensions::OfOwners } else { Extensions::Any };
                self.ambit.host.extensions(self.id, login, which).await?
            }
            None => Default::default(),
        };
        refuse(&source, &target, &installable)?;
        if !self.relocation.left {
            let there = match self.relocation.to {
                Placement::Railway => self.hosted()?.describe(),
                Placement::Host => "this machine".to_owned(),
            };
            refuse_data(&self.not_fresh(target)?, &there)?;
        }
        self.progress.notice("data", told(&source));
        Ok(())
    }

    /// What servers hold that were there before the move; what a first deployment wrote to new ones is nobody's.
    fn not_fresh(&self, mut target: Holdings) -> Result<Holdings, Failure> {
        if self.relocation.to == Placement::Railway {
            let names = ambit_domain::railway::Names::of(self.environment)
                .map_err(|error| Failure::from_error(FailureKind::Declaration, &error))?;
            if self.relocation.fresh.contains(&names.postgres()) {
                target.postgres = None;
            }
            if self.relocation.fresh.contains(&names.redis()) {
                target.redis = None;
            }
        }
        Ok(target)
    }

    /// How the servers of source and target are reached. What has to be opened at Railway for that is written down first.
    pub(super) async fn sides(
        &mut self,
    ) -> Result<(ambit_domain::hosted::Reached, ambit_domain::hosted::Reached), Failure> {
        let closed = self.hosted()?.closed().await?;
        if !closed.is_subset(&self.relocation.opened) {
            self.relocation.opened.extend(closed);
            self.save()?;
        }
        let there = self.hosted()?.reach().await?;
        let servers = self.ambit.servers(self.id, self.environment)?;
        let here = ambit_domain::hosted::Reached {
            postgres: servers.postgres.as_ref().map(postgres_here),
            redis: servers.redis.as_ref().map(redis_here),
        };
        Ok(match self.relocation.to {
            Placement::Railway => (here, there),
            Placement::Host => (there, here),
        })
    }

    pub(super) async fn holdings(&self, of: &ambit_domain::hosted::Reached) -> Result<Holdings, Failure> {
        self.ambit.holdings_of(self.id, of.postgres.as_ref(), of.redis.as_ref()).await
    }

    /// The apps begin there, with the data that was carried, and answer their health checks.
    pub(super) async fn start_target(&mut self) -> Result<(), Failure> {
        match self.relocation.to {
            Placement::Railway => {
                let stopped = self.relocation.stopped.clone().unwrap_or_default();
                let work = async {
                    let begun = self.hosted()?.start_again(&stopped, self.relocation.started).await?;
                    Ok(((), format!("{} serve at Railway", begun.len()), true))
                };
                self.progress.step("health", work).await
            }
            Placement::Host => {
                self.ambit.settle(self.id).await?;
                let (scope, code) = (self.scope()?, self.code()?);
                scope.bring_up_at(code, &self.relocation.actor).await.map(drop)
            }
        }
    }

    /// Nothing runs at the target any more; what it holds stays.
    pub(super) async fn stop_target(&self) -> Result<(), Failure> {
        match self.relocation.to {
            Placement::Railway => match self.hosted() {
                Ok(hosted) => match hosted.running().await {
                    Ok(running) => hosted.stop(&running).await,
                    // It was not made yet.
                    Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
                    Err(failure) => Err(failure),
                },
                Err(failure) => Err(failure),
            },
            Placement::Host => self.ambit.stop_but_sites(self.id).await,
        }
    }
}
