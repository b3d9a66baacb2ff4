//! The build of each service that needs one: found where it was built before, built where it was not.

use std::path::{Path, PathBuf};

use ambit_domain::{
    BuildId, Commit, EnvironmentRecord, Failure, FailureKind, Real,
    plan::{Action, Step},
    spec::{Form, Service, ServiceName},
};
use ambit_source::{
    build::{BuildRequest, Tree},
    builds::Build,
    detect::Recipe,
};

use crate::{
    ambit::Ambit,
    bring_up::BringUp,
    code::{CodeAt, source_failure},
};

/// The build of one service.
pub(crate) struct Built {
    pub(crate) service: ServiceName,
    pub(crate) build: Build,
    pub(crate) commit: Option<Commit>,
    /// Whether its code is other than what the service ran before.
    pub(crate) new: bool,
}

impl Built {
    pub(crate) fn recipe(&self) -> &Recipe {
        &self.build.recipe
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
                Real::App { build, commit, .. } | Real::Site { build, commit, .. } => Some((build, commit)),
                Real::Server => None,
            });
            let same_code = match &step.action {
                Action::Keep | Action::Adjust { .. } => true,
                Action::Replace { because } => {
                    !because.iter().any(|b| b == "code" || b.starts_with("command ") || b == "folder")
                }
                Action::Create | Action::Remove => false,
            };
            // The build that it runs may have been deleted by hand: then it is built again.
            let kept = before.filter(|_| same_code).and_then(|(build, commit)| {
                Some((ambit_source::builds::find(&self.builds(), build).ok()??, commit.clone()))
            });
            match kept {
                Some((build, commit)) => {
                    all.push(Built { service: service.name.clone(), build, commit, new: false });
                }
                None => {
                    let build = self.build(service, code).await?;
                    let commit = code.commit().cloned();
                    let new = before.is_none_or(|(id, _): (&BuildId, _)| *id != build.id);
                    all.push(Built { service: service.name.clone(), build, commit, new });
                }
            }
        }
        Ok(all)
    }

    fn builds(&self) -> PathBuf {
        self.ambit.home.builds().join(self.id.project.as_str())
    }

    async fn build(&self, service: &Service, code: &CodeAt) -> Result<Build, Failure> {
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
                builds: self.builds(),
                cache: self.ambit.home.cache().join(self.id.project.as_str()),
                logs: self.ambit.home.logs().join("builds"),
                user: self.ambit.build_user()?,
                path: self.ambit.surroundings.path.clone(),
                variables: self.ambit.surroundings.build_variables.clone(),
                output: Box::new(move |line: &str| output.output("build", line)),
                cancel: progress.cancel_token().clone(),
            };
            let build = ambit_source::build::build(request).await.map_err(|e| source_failure(&e))?;
            let detail = format!("{} · {} {}", code.describe(), build.recipe.language, build.id.short());
            Ok((build, detail, true))
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
