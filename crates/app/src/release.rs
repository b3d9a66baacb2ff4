//! A release made or found: each service's code exported, tested, built, once for every tree.

use std::{collections::BTreeMap, path::PathBuf};

use ambit_domain::{
    Commit, Failure, FailureKind, Release,
    ids::{BuildId, ReleaseId},
    spec::{Code, Form, Service, ServiceName},
};
use ambit_source::{
    build::{BuildRequest, Tree},
    builds::Build,
    detect::Recipe,
};
use sha2::{Digest, Sha256};

use crate::{
    ambit::{Ambit, now, store_failure},
    code::{CodeAt, source_failure},
    scope::Scope,
};

/// The build of one service.
pub(crate) struct Built {
    pub(crate) service: ServiceName,
    pub(crate) build: Build,
    pub(crate) commit: Option<Commit>,
}

impl Built {
    /// How it is run, migrated and seeded: what was detected, and what the environment's file says in its place.
    pub(crate) fn recipe(&self, service: &Service) -> Recipe {
        match &service.form {
            Form::App(app) => self.build.recipe.clone().overridden_by(app),
            Form::Site(_) => self.build.recipe.clone(),
        }
    }
}

/// Builds that need not be made: a release's, or those that run.
pub(crate) type Given = BTreeMap<ServiceName, (BuildId, Option<Commit>)>;

impl Scope<'_> {
    /// The release of some code. Builds that are given are taken as they are; the others are found by their tree, or
    /// tested and built.
    pub(crate) async fn release(&self, code: &CodeAt, given: &Given) -> Result<(Release, Vec<Built>), Failure> {
        let mut all = Vec::new();
        for service in self.environment.services.values() {
            let found = match given.get(&service.name) {
                // It may have been deleted by hand: then it is built again.
                Some((id, commit)) => self.find_build(id)?.map(|build| (build, commit.clone())),
                None => None,
            };
            let (build, commit) = match found {
                Some(found) => found,
                None => (self.build(service, code).await?, code.commit().cloned()),
            };
            all.push(Built { service: service.name.clone(), build, commit });
        }
        let release = self.describe(code, &all);
        self.ambit.store.put_release(&release).map_err(|e| store_failure(&e))?;
        Ok((release, all))
    }

    pub(crate) fn find_build(&self, id: &BuildId) -> Result<Option<Build>, Failure> {
        ambit_source::builds::find(&self.ambit.builds(&self.id.project), id).map_err(|e| source_failure(&e))
    }

    /// The builds of a release that was made before.
    pub(crate) fn builds_of(&self, given: &Given) -> Result<Vec<Built>, Failure> {
        self.environment
            .services
            .values()
            .map(|service| {
                let missing = || {
                    Failure::new(FailureKind::NotFound, format!("the build of {} is gone", service.name)).hint(format!(
                        "deploy its commit again: ambit deploy -e {} --ref COMMIT",
                        self.environment.name
                    ))
                };
                let (id, commit) = given.get(&service.name).ok_or_else(missing)?;
                let build = self.find_build(id)?.ok_or_else(missing)?;
                Ok(Built { service: service.name.clone(), build, commit: commit.clone() })
            })
            .collect()
    }

    fn describe(&self, code: &CodeAt, built: &[Built]) -> Release {
        let builds: BTreeMap<ServiceName, BuildId> =
            built.iter().map(|b| (b.service.clone(), b.build.id.clone())).collect();
        let migrations = built
            .iter()
            .filter(|b| self.environment.services.get(&b.service).is_some_and(|s| matches!(s.form, Form::App(_))))
            .flat_map(|b| ambit_source::migrations::find(&b.build.folder(), &b.service))
            .collect();
        let id = release_id(&builds);
        let known = self.ambit.store.release(&self.id.project, &id).ok().flatten();
        Release {
            project: self.id.project.clone(),
            commit: known.as_ref().and_then(|k| k.commit.clone()).or_else(|| code.commit().cloned()),
            tests: built.iter().filter_map(|b| Some((b.service.clone(), b.build.tests.clone()?))).collect(),
            migrations,
            size: built.iter().map(|b| b.build.size).sum(),
            made: known.map_or_else(now, |k| k.made),
            builds,
            id,
        }
    }

    async fn build(&self, service: &Service, code: &CodeAt) -> Result<Build, Failure> {
        let progress = self.progress.service(&service.name);
        let work = async {
            let _one =
                self.ambit.building.acquire().await.map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
            progress.go_on()?;
            let source = service.form.source();
            let tree = match code {
                CodeAt::WorkingTree { folder } => Tree::WorkingTree(folder.join(source)),
                CodeAt::Commit { repository, commit } => Tree::Commit {
                    repository: repository.clone(),
                    commit: commit.id.clone(),
                    path: source.to_path_buf(),
                },
                CodeAt::Recorded { version, .. } => {
                    return Err(Failure::new(FailureKind::NotFound, format!("a build of {version} is gone"))
                        .hint("deploy its commit again: ambit deploy --ref COMMIT"));
                }
            };
            let output = progress.clone();
            let request = BuildRequest {
                service: service.clone(),
                tree,
                builds: self.ambit.builds(&self.id.project),
                cache: self.ambit.home.cache().join(self.id.project.as_str()),
                logs: self.ambit.home.logs().join("builds"),
                user: self.ambit.host.build_user()?,
                path: self.ambit.surroundings.path.clone(),
                variables: self.ambit.surroundings.build_variables.clone(),
                output: Box::new(move |line: &str| output.output("build", line)),
                cancel: progress.cancel_token().clone(),
            };
            let prepared = ambit_source::build::prepare(request).await.map_err(|e| source_failure(&e))?;
            // Files as they stand are a developer's own, whose tests may be half written.
            let tested = matches!(self.environment.code, Code::Branch(_) | Code::Tag { .. });
            let build = if tested && prepared.untested().is_some() {
                let bed = self.test_bed().await?;
                let finished = prepared.finish(Some(self.test_variables(&bed))).await;
                bed.stop(self).await?;
                finished
            } else {
                prepared.finish(None).await
            };
            let build = build.map_err(|e| source_failure(&e))?;
            let tests = match &build.tests {
                Some(result) => match result.passed {
                    Some(count) => format!(" · {count} tests passed"),
                    None => " · tests passed".to_owned(),
                },
                None => String::new(),
            };
            let detail = format!("{} · {} {}{tests}", code.describe(), build.recipe.language, build.id.short());
            Ok((build, detail, true))
        };
        progress.step("build", work).await
    }
}

/// The same builds are the same release.
pub(crate) fn release_id(builds: &BTreeMap<ServiceName, BuildId>) -> ReleaseId {
    let mut hash = Sha256::new();
    for (service, build) in builds {
        hash.update(format!("{service}={build}\n"));
    }
    let digits: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    ReleaseId(digits.chars().take(40).collect())
}

impl Ambit {
    /// Where the builds of a project lie.
    pub(crate) fn builds(&self, project: &ambit_domain::spec::ProjectName) -> PathBuf {
        self.home.builds().join(project.as_str())
    }
}
