//! `deploy` and `promote`: a commit, or the release that runs in another environment, is queued for an environment.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Actor, Deployment, EnvironmentId, Failure, FailureKind, Placement,
    deployment::Trigger,
    spec::{Code, Environment, EnvironmentName},
};
use ambit_source::git::{RefKind, Repository};
use ambit_store::Sources;
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    code::{CodeAt, commit_from, source_failure},
    declaration::Declaration,
    pipeline::Wanting,
};

/// What to deploy.
#[derive(Clone, Serialize, Deserialize)]
pub struct Deploy {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment.
    pub environment: String,
    /// A branch, a tag or a commit; what the environment follows where nothing is said.
    pub reference: Option<String>,
    /// Where to; where it runs, else where it is declared to live, where nothing is said.
    #[serde(default)]
    pub to: Option<Placement>,
    /// Why.
    pub reason: Option<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// What to promote.
#[derive(Clone, Serialize, Deserialize)]
pub struct Promote {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment that runs the release.
    pub from: String,
    /// The environment that is to run it.
    pub to: String,
    /// Why.
    pub reason: Option<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

impl Ambit {
    /// Queues a commit of the folder's repository.
    pub async fn deploy(&self, request: &Deploy) -> Result<Deployment, Failure> {
        let here = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        self.remember_keys(&here.project.name, &request.keys);
        let names = here.select(std::slice::from_ref(&request.environment))?;
        let [name] = names.as_slice() else {
            return Err(Failure::new(FailureKind::User, "no environment was named"));
        };
        let environment = &here.project.environments[name];
        let id = EnvironmentId { project: here.project.name.clone(), environment: name.clone() };
        let placement = self.placement(&here, &id, request.to)?;
        let repository = Repository::find(&request.folder).map_err(|e| source_failure(&e))?;
        let Some(repository) =
            repository.filter(|_| environment.code != Code::WorkingTree || request.reference.is_some())
        else {
            return Err(Failure::new(
                FailureKind::User,
                format!("{name} runs the files as they stand; there is nothing to deploy"),
            )
            .hint(format!("ambit up {name}"))
            .hint(format!("or give it a `branch` in [environments.{name}] of ambit.toml")));
        };
        let (code, hotfix) = match &request.reference {
            None => (CodeAt::find(&request.folder, environment)?, false),
            Some(word) => referred(&repository, environment, word)?,
        };
        self.queue(
            &here.project.name.clone(),
            name,
            &code,
            hotfix,
            Some(placement),
            Trigger::Command,
            request.actor.clone(),
            request.reason.clone(),
        )
        .await
    }

    /// Keeps the commit and queues it, declared by its own `ambit.toml`.
    #[allow(clippy::too_many_arguments)] // Each is a fact of the deployment, none belongs to another.
    pub(crate) async fn queue(
        &self,
        project: &ambit_domain::spec::ProjectName,
        name: &EnvironmentName,
        code: &CodeAt,
        hotfix: bool,
        to: Option<Placement>,
        trigger: Trigger,
        actor: Actor,
        reason: Option<String>,
    ) -> Result<Deployment, Failure> {
        let CodeAt::Commit { repository, commit } = code else {
            return Err(Failure::new(FailureKind::User, "only commits are deployed"));
        };
        let sources = sources_at(repository, &commit.id)?;
        let declared = Declaration::read(
            Path::new(""),
            sources.declaration.clone(),
            sources.secrets.clone(),
            &self.keys_of(project),
        )?;
        if declared.project.name != *project {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("the commit declares the project `{}` and not `{project}`", declared.project.name),
            ));
        }
        let Some(environment) = declared.project.environments.get(name) else {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("ambit.toml at {} declares no environment `{name}`", commit.short()),
            ));
        };
        let version = code.version(environment);
        let id = EnvironmentId { project: project.clone(), environment: name.clone() };
        let placement = self.placement(&declared, &id, to)?;
        self.keep_commit(project, code).await?;
        self.enqueue(Wanting {
            id,
            elsewhere: placement != Placement::Host,
            sources,
            commit: Some(commit.clone()),
            release: None,
            version,
            trigger,
            hotfix,
            actor,
            reason,
        })
    }

    /// Queues the release that runs in another environment.
    pub async fn promote(&self, request: &Promote) -> Result<Deployment, Failure> {
        let here = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let project = here.project.name.clone();
        self.remember_keys(&project, &request.keys);
        let names = here.select(&[request.from.clone(), request.to.clone()])?;
        let [from, to] = names.as_slice() else {
            return Err(Failure::new(FailureKind::User, "two environments are needed"));
        };
        if from == to {
            return Err(Failure::new(FailureKind::User, format!("{from} runs it already")));
        }
        let source = EnvironmentId { project: project.clone(), environment: from.clone() };
        let nothing = || {
            Failure::new(FailureKind::NotFound, format!("nothing was deployed to {from} yet"))
                .hint(format!("ambit up {from}, or ambit deploy -e {from}"))
        };
        let live = self.serving_deployment(&source)?.ok_or_else(nothing)?;
        let target = EnvironmentId { project: project.clone(), environment: to.clone() };
        let placement = self.placement(&here, &target, None)?;
        let Some(commit) = live.commit.clone() else {
            return Err(Failure::new(
                FailureKind::User,
                format!("{from} runs files that were never committed; they cannot be promoted"),
            )
            .hint(format!("give {from} a `branch` in ambit.toml, and commit")));
        };
        let sources = self.store.sources(live.number).map_err(|e| store_failure(&e))?.ok_or_else(nothing)?;
        self.enqueue(Wanting {
            id: target,
            elsewhere: placement != Placement::Host,
            sources,
            version: live.version.clone(),
            commit: Some(commit),
            release: live.release.clone(),
            trigger: Trigger::Promotion { from: from.clone() },
            hotfix: false,
            actor: request.actor.clone(),
            reason: request.reason.clone(),
        })
    }
}

/// What `ambit.toml` and `ambit.secrets` say at a commit.
pub(crate) fn sources_at(repository: &Repository, commit: &str) -> Result<Sources, Failure> {
    let read = |name: &str| repository.file(commit, Path::new(name)).map_err(|e| source_failure(&e));
    let short = commit.get(..7).unwrap_or(commit);
    let text = read("ambit.toml")?.ok_or_else(|| {
        Failure::new(FailureKind::Declaration, format!("there is no ambit.toml at {short}"))
            .hint("commit it: git add ambit.toml ambit.secrets && git commit")
    })?;
    let utf8 = |bytes: Vec<u8>, name: &str| {
        String::from_utf8(bytes)
            .map_err(|_| Failure::new(FailureKind::Declaration, format!("{name} at {short} is not UTF-8 text")))
    };
    Ok(Sources {
        folder: repository.prefix().to_path_buf(),
        declaration: utf8(text, "ambit.toml")?,
        secrets: read("ambit.secrets")?.map(|bytes| utf8(bytes, "ambit.secrets")).transpose()?,
    })
}

/// What a person named, and whether it is a hotfix. Production takes only what is on its branch, and hotfixes.
fn referred(repository: &Repository, environment: &Environment, word: &str) -> Result<(CodeAt, bool), Failure> {
    let found = repository.resolve(word).map_err(|e| source_failure(&e))?;
    let Some((head, kind)) = found else {
        return Err(Failure::new(
            FailureKind::NotFound,
            format!("`{}` is no branch, no tag and no commit", word.escape_debug()),
        ));
    };
    let hotfix = kind == RefKind::Branch
        && environment.policy.hotfix.as_ref().is_some_and(|glob| ambit_source::matches(glob, word));
    let branch = match &environment.code {
        Code::Tag { branch, .. } => Some(branch),
        Code::Branch(branch) if environment.kind == ambit_domain::spec::Kind::Production => Some(branch),
        _ => None,
    };
    if let Some(branch) = branch.filter(|_| !hotfix)
        && !repository.is_on(&head.id, branch).map_err(|e| source_failure(&e))?
    {
        return Err(Failure::new(
            FailureKind::User,
            format!("`{}` is not on `{branch}`, which {} is deployed from", word.escape_debug(), environment.name),
        )
        .hint(match &environment.policy.hotfix {
            Some(glob) => format!("merge it, or name its branch as a hotfix: {glob}"),
            None => "merge it first".to_owned(),
        }));
    }
    let from = if kind == RefKind::Commit { head.id.get(..7).unwrap_or(&head.id).to_owned() } else { word.to_owned() };
    Ok((CodeAt::Commit { repository: repository.clone(), commit: commit_from(head, from) }, hotfix))
}
