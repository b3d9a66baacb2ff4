//! Both places are looked at, and everything that can be wrong is found, before anything is changed.

use std::{collections::BTreeSet, path::Path};

use ambit_domain::{
    Commit, EnvironmentId, Failure, FailureKind, Hosted, Placement, Wanted,
    relocation::{Holdings, Login, obstacles},
    spec::{Environment, Placement as Lives},
};
use ambit_host::relocation::{Extensions, postgres_here, redis_here};
use ambit_source::git::Repository;

use super::{left, place};
use crate::{
    ambit::{Ambit, store_failure},
    code::{commit_from, source_failure},
    declaration::Declaration,
    outside::Tokens,
};

/// What was found of both sides.
pub(super) struct Sides {
    pub(super) commit: Commit,
    pub(super) holdings: Holdings,
    pub(super) opens: BTreeSet<String>,
    pub(super) fresh: BTreeSet<String>,
    pub(super) left: bool,
}

impl Ambit {
    pub(super) async fn look_at_both(
        &self,
        declaration: &Declaration,
        id: &EnvironmentId,
        to: Placement,
        tokens: &Tokens,
    ) -> Result<Sides, Failure> {
        let environment = &declaration.project.environments[&id.environment];
        self.check_places(environment, id, to)?;
        self.refuse_unfinished(id)?;
        let hosted = self.hosted(declaration, environment, tokens)?;
        let left = self.remembered::<bool>(&left(id, to))?;
        match to {
            Placement::Railway => self.look_from_here(declaration, environment, id, &*hosted, left).await,
            Placement::Host => self.look_from_railway(declaration, environment, id, &*hosted, left).await,
        }
    }

    pub(super) fn check_places(
        &self,
        environment: &Environment,
        id: &EnvironmentId,
        to: Placement,
    ) -> Result<(), Failure> {
        let name = &id.environment;
        if environment.declared_railway_project().is_none() {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("{name} has no project at Railway; nothing was changed"),
            )
            .because("a move needs both places declared")
            .hint(format!("[providers.railway] project = {{ {name} = \"…\" }} in ambit.toml"))
            .hint(format!("and, while it lives on this machine: [environments.{name}] on = \"host\"")));
        }
        if self.lives_at(id, environment)? == to {
            let mut failure =
                Failure::new(FailureKind::User, format!("{name} lives at {} already; nothing was changed", place(to)));
            if environment.lives() == Lives::Railway && to == Placement::Railway {
                failure = failure.hint(format!(
                    "if it runs on this machine: say so, [environments.{name}] on = \"host\" in ambit.toml, and move it"
                ));
            }
            return Err(failure);
        }
        Ok(())
    }

    /// One that is queued, waits or is watched would be carried out at a place that the environment has left.
    fn refuse_unfinished(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let all = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let Some(unfinished) = all.iter().find(|d| d.environment == *id) else { return Ok(()) };
        let number = unfinished.number;
        Err(Failure::new(
            FailureKind::User,
            format!("deployment {number} of {} is not finished; nothing was changed", id.environment),
        )
        .hint(format!("ambit deployment log {number} -f follows it, ambit deployment cancel {number} takes it back")))
    }

    async fn look_from_here(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        id: &EnvironmentId,
        hosted: &dyn Hosted,
        left: bool,
    ) -> Result<Sides, Failure> {
        let name = &id.environment;
        let (_, record) = self.what_runs(id)?;
        let live = self.live_of(&record)?;
        let commit = live.and_then(|live| live.commit).ok_or_else(|| {
            Failure::new(FailureKind::User, format!("{name} runs files that were never committed; nothing was changed"))
                .because("Railway builds commits of the repository at GitHub")
                .hint(format!("give {name} a `branch` in ambit.toml, commit, push, and ambit deploy -e {name}"))
        })?;
        if declaration.project.repository().is_none() {
            return Err(Failure::new(
                FailureKind::Declaration,
                "Railway builds from GitHub, and no repository is declared; nothing was changed",
            )
            .hint("[providers.github] repository = \"OWNER/NAME\" in ambit.toml"));
        }
        let servers = self.servers(id, environment)?;
        let mut holdings = Holdings::default();
        if let Some(server) = &servers.postgres {
            holdings.postgres = Some(self.host.contents(id, &postgres_here(server)).await?);
        }
        if let Some(server) = &servers.redis {
            holdings.redis = Some(self.host.keys(&redis_here(server)).await?);
        }
        // Where there is no project yet, everything in it will be new.
        let there = match hosted.servers().await {
            Ok(there) => there,
            Err(failure) if failure.kind == FailureKind::NotFound => BTreeSet::new(),
            Err(failure) => return Err(failure),
        };
        let declared = hosted.declared();
        let fresh: BTreeSet<String> = declared.difference(&there).cloned().collect();
        let whole = fresh.is_empty() && !declared.is_empty();
        let opens = if whole { hosted.closed().await? } else { BTreeSet::new() };
        if whole && opens.is_empty() {
            // It can be looked into without changing anything.
            let reached = hosted.reach().await?;
            let target = self.holdings_of(id, reached.postgres.as_ref(), reached.redis.as_ref()).await?;
            let installable = match &reached.postgres {
                Some(login) => self.host.extensions(id, login, Extensions::Any).await?,
                None => BTreeSet::new(),
            };
            refuse(&holdings, &target, &installable)?;
            if !left {
                refuse_data(&target, hosted.describe().as_str())?;
            }
        }
        Ok(Sides { commit, holdings, opens, fresh, left })
    }

    async fn look_from_railway(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        id: &EnvironmentId,
        hosted: &dyn Hosted,
        left: bool,
    ) -> Result<Sides, Failure> {
        let name = &id.environment;
        let running = hosted.running().await?;
        let commit = match (&running.commit, running.deployments.len()) {
            (Some(commit), _) => commit.clone(),
            (None, 0) => {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("nothing of {name} runs at {}; nothing was changed", hosted.describe()),
                )
                .hint(format!("ambit deploy -e {name} --to railway")));
            }
            (None, _) => {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("the apps of {name} run different commits at {}; nothing was changed", hosted.describe()),
                )
                .because("they are moved with one release, as it runs")
                .hint(format!("ambit deploy -e {name} --to railway")));
            }
        };
        let commit = self.find_commit(declaration, &commit)?;
        self.check_machine(declaration)?;
        self.refuse_data_here(environment, id, left).await?;
        let opens = hosted.closed().await?;
        let mut holdings = Holdings::default();
        if opens.is_empty() {
            let reached = hosted.reach().await?;
            holdings = self.holdings_of(id, reached.postgres.as_ref(), reached.redis.as_ref()).await?;
        }
        self.refuse_without_servers(environment, &holdings)?;
        Ok(Sides { commit, holdings, opens, fresh: BTreeSet::new(), left })
    }

    pub(super) async fn holdings_of(
        &self,
        id: &EnvironmentId,
        postgres: Option<&Login>,
        redis: Option<&Login>,
    ) -> Result<Holdings, Failure> {
        let mut holdings = Holdings::default();
        if let Some(login) = postgres {
            holdings.postgres = Some(self.host.contents(id, login).await?);
        }
        if let Some(login) = redis {
            holdings.redis = Some(self.host.keys(login).await?);
        }
        Ok(holdings)
    }

    /// What runs has to be known here, to be built here.
    fn find_commit(&self, declaration: &Declaration, commit: &str) -> Result<Commit, Failure> {
        let repository = repository_with(self, declaration, commit)?;
        let head = repository.commit(commit).map_err(|e| source_failure(&e))?;
        let from = commit.get(..7).unwrap_or(commit).to_owned();
        Ok(commit_from(head, from))
    }

    /// The environment's place on this machine has to be empty, or to be what a move left there.
    async fn refuse_data_here(&self, environment: &Environment, id: &EnvironmentId, left: bool) -> Result<(), Failure> {
        let Some(record) = self.store.environment(id).map_err(|e| store_failure(&e))? else { return Ok(()) };
        let name = &id.environment;
        if left && record.live.is_none_or(|_| record.wanted == Wanted::Stopped || !has_apps(&record)) {
            return Ok(());
        }
        let servers = self.servers(id, environment)?;
        let holds = self.provider.holds_data(id, servers.postgres.as_ref(), servers.redis.as_ref()).await;
        let why = match holds {
            Some(false) => return Ok(()),
            Some(true) => "its databases on this machine hold data that did not come from a move",
            None => "its databases on this machine do not answer, so they may hold data",
        };
        Err(Failure::new(FailureKind::User, format!("{name} is on this machine already; nothing was changed"))
            .because(why)
            .hint(format!("if nobody needs that: ambit destroy {name}"))
            .hint(format!("to keep it: ambit data export -e {name} FILE, or ambit backup now -e {name}, before that")))
    }

    /// This machine has what the source's data needs, and room for it.
    fn refuse_without_servers(&self, environment: &Environment, holdings: &Holdings) -> Result<(), Failure> {
        if environment.postgres.is_some() {
            let installed = ambit_host::installed();
            let declared = environment.postgres.as_ref().and_then(|p| p.version);
            let major = declared.or_else(|| installed.iter().map(|i| i.major).max()).unwrap_or_default();
            if installed.iter().all(|i| i.major != major) {
                return Err(Failure::new(
                    FailureKind::Machine,
                    format!("PostgreSQL {major} is not on this machine; nothing was changed"),
                )
                .hint(format!("apt-get install postgresql-{major}")));
            }
            if let Some(source) = holdings.postgres.as_ref().filter(|source| source.major() > major) {
                return Err(Failure::new(FailureKind::Machine, format!("the database at Railway is of PostgreSQL {}, and this machine would have {major}; nothing was changed", source.major()))
                    .hint(format!("apt-get install postgresql-{} (see apt.postgresql.org)", source.major())));
            }
        }
        let sizes = holdings.postgres.as_ref().map_or(0, |p| p.size) + holdings.redis.as_ref().map_or(0, |r| r.size);
        let needed = sizes.saturating_mul(2);
        let room = self.room();
        if room.is_some_and(|room| room < needed) {
            return Err(Failure::new(
                FailureKind::Machine,
                "there is not enough room on this machine's disk; nothing was changed",
            )
            .because(format!("the data takes about {} MB, and as much again while it is carried", sizes >> 20))
            .because(format!(
                "{} MB are free below {}",
                room.unwrap_or_default() >> 20,
                self.home.root().display()
            )));
        }
        Ok(())
    }
}

fn has_apps(record: &ambit_domain::EnvironmentRecord) -> bool {
    record.services.iter().any(|s| matches!(s.real, ambit_domain::Real::App { .. } | ambit_domain::Real::Job { .. }))
}

/// The repository that has a commit: the folder's, or the one that Ambit keeps.
pub(super) fn repository_with(ambit: &Ambit, declaration: &Declaration, commit: &str) -> Result<Repository, Failure> {
    let known = |repository: &Repository| matches!(repository.resolve(commit), Ok(Some(_)));
    let found = Repository::find(&declaration.folder).map_err(|e| source_failure(&e))?;
    let prefix = found.as_ref().map_or_else(|| Path::new("").to_path_buf(), |r| r.prefix().to_path_buf());
    let kept = ambit.home.repository(&declaration.project.name);
    let kept = kept.is_dir().then(|| Repository::at(kept, prefix));
    found.into_iter().chain(kept).find(known).ok_or_else(|| {
        let short = commit.get(..7).unwrap_or(commit);
        Failure::new(
            FailureKind::NotFound,
            format!("the commit {short}, which runs at Railway, is not in this repository; nothing was changed"),
        )
        .hint("git fetch --all")
    })
}

pub(super) fn refuse(source: &Holdings, target: &Holdings, installable: &BTreeSet<String>) -> Result<(), Failure> {
    let found = obstacles(source, target, installable);
    if found.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(FailureKind::User, "the data cannot go there; the source serves as before");
    Err(found.into_iter().fold(failure, Failure::because))
}

/// What is at the target and is nobody's of ours stays.
pub(super) fn refuse_data(target: &Holdings, there: &str) -> Result<(), Failure> {
    let mut failure =
        Failure::new(FailureKind::User, format!("the databases at {there} are not empty; the source serves as before"));
    let mut holds = false;
    if let Some(postgres) = target.postgres.as_ref().filter(|p| p.rows() + p.large_objects > 0) {
        holds = true;
        failure = failure.because(format!("{} rows in {} tables", postgres.rows(), postgres.tables.len()));
    }
    if let Some(redis) = target.redis.as_ref().filter(|r| r.count() > 0) {
        holds = true;
        failure = failure.because(format!("{} keys in Redis", redis.count()));
    }
    if !holds {
        return Ok(());
    }
    Err(failure.hint("empty them, or delete those services there, if nobody needs what they hold"))
}

pub(super) fn told(holdings: &Holdings) -> String {
    let mut parts = Vec::new();
    if let Some(postgres) = &holdings.postgres {
        parts.push(format!(
            "{} rows in {} tables ({} MB)",
            postgres.rows(),
            postgres.tables.len(),
            postgres.size >> 20
        ));
    }
    if let Some(redis) = &holdings.redis {
        parts.push(format!("{} keys", redis.count()));
    }
    if parts.is_empty() { "in order".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ambit_domain::relocation::{Contents, Keys};

    use super::*;

    #[test]
    fn a_target_that_holds_rows_or_keys_is_left_as_it_is() {
        let mut target = Holdings { postgres: Some(Contents::default()), redis: Some(Keys::default()) };
        assert!(refuse_data(&target, "Railway").is_ok());
        target.redis = Some(Keys { databases: BTreeMap::from([(0, (1, 0))]), ..Keys::default() });
        let failure = refuse_data(&target, "Railway").unwrap_err();
        assert!(failure.causes.iter().any(|c| c == "1 keys in Redis"), "{failure:?}");
    }
}
