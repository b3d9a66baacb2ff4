//! The release of each service that needs one: found where it was built before, built where it was not.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Commit, EnvironmentRecord, Failure, FailureKind, Real, ReleaseId,
    plan::{Action, Step},
    spec::{Form, Service, ServiceName},
};
use ambit_source::{
    build::{BuildRequest, Tree},
    detect::Recipe,
    releases::Release,
};

use crate::{
    ambit::Ambit,
    bring_up::BringUp,
    code::{CodeAt, source_failure},
};

/// The release of one service.
pub(crate) struct Built {
    pub(crate) service: ServiceName,
    pub(crate) release: Release,
    pub(crate) commit: Option<Commit>,
    /// Whether its code is other than what the service ran before.
    pub(crate) new: bool,
}

impl Built {
    pub(crate) fn recipe(&self) -> &Recipe {
        &self.release.recipe
    }
}

impl BringUp<'_> {
    pub(crate) async fn build_all(
        &self,
        steps: &[Step],
        code: &CodeAt,
        record: &EnvironmentRecord,
    ) -> Result<Vec<Built>, Failure> {
        let mut all = Vec::new();
        for service in self.environment.services.values() {
            let Some(step) = steps.iter().find(|s| s.service == service.name) else { continue };
            let recorded = record.service(&service.name);
            let before = recorded.and_then(|r| match &r.real {
                Real::App { release, commit, .. } | Real::Site { release, commit, .. } => Some((release, commit)),
                Real::Server => None,
            });
            let same_code = match &step.action {
                Action::Keep | Action::Adjust { .. } => true,
                Action::Replace { because } => {
                    !because.iter().any(|b| b == "code" || b.starts_with("command ") || b == "folder")
                }
                Action::Create | Action::Remove => false,
            };
            // The release that it runs may have been deleted by hand: then it is built again.
            let kept = before.filter(|_| same_code).and_then(|(release, commit)| {
                Some((ambit_source::releases::find(&self.releases(), release).ok()??, commit.clone()))
            });
            match kept {
                Some((release, commit)) => {
                    all.push(Built { service: service.name.clone(), release, commit, new: false });
                }
                None => {
                    let release = self.build(service, code).await?;
                    let commit = code.commit().cloned();
                    let new = before.is_none_or(|(id, _): (&ReleaseId, _)| *id != release.id);
                    all.push(Built { service: service.name.clone(), release, commit, new });
                }
            }
        }
        Ok(all)
    }

    fn releases(&self) -> PathBuf {
        self.ambit.home.releases().join(self.id.project.as_str())
    }

    async fn build(&self, service: &Service, code: &CodeAt) -> Result<Release, Failure> {
        let progress = self.progress.service(&service.name);
        let work = async {
            let _one =
                self.ambit.building.acquire().await.map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
            progress.go_on()?;
            let source: &Path = match &service.form {
                Form::App(app) => &app.source,
                Form::Site(site) => &site.source,
            };
            let tree = match code {
                CodeAt::WorkingTree { folder } => Tree::WorkingTree(folder.join(source)),
                CodeAt::Commit { repository, commit } => Tree::Commit {
                    repository: repository.clone(),
                    commit: commit.id.clone(),
                    path: source.to_path_buf(),
                },
            };
            let output = progress.clone();
            let request = BuildRequest {
                service: service.clone(),
                tree,
                releases: self.releases(),
                cache: self.ambit.home.cache().join(self.id.project.as_str()),
                logs: self.ambit.home.logs().join("builds"),
                user: self.ambit.build_user()?,
                path: self.ambit.surroundings.path.clone(),
                variables: self.ambit.surroundings.build_variables.clone(),
                output: Box::new(move |line: &str| output.output("build", line)),
                cancel: progress.cancel_token().clone(),
            };
            let release = ambit_source::build::build(request).await.map_err(|e| source_failure(&e))?;
            let detail = format!("{} · {} {}", code.describe(), release.recipe.language, release.id.short());
            Ok((release, detail, true))
        };
        progress.step("build", work).await
    }
}

impl Ambit {
    /// Who builds: an unprivileged user where Ambit runs as root.
    fn build_user(&self) -> Result<Option<(u32, u32)>, Failure> {
        self.host.build_user()
    }
}
