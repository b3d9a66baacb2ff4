//! `up`: every environment that was asked for is made as it is declared, side by side. One that fails leaves the others
//! alone.

use std::{path::PathBuf, time::Instant};

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Real,
    audit::Note,
    spec::{EnvironmentName, Form},
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    address::Address,
    ambit::{Ambit, same_folder, store_failure},
    declaration::{Declaration, LoadError},
    progress::{Progress, millis},
};

/// What to bring up.
#[derive(Clone, Serialize, Deserialize)]
pub struct Up {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Environments by name; empty is all.
    pub environments: Vec<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Who asks.
    pub actor: Actor,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpReport {
    /// The project.
    pub project: String,
    /// Each environment.
    pub environments: Vec<EnvironmentReport>,
}

/// What came of one environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvironmentReport {
    /// Its name.
    pub environment: EnvironmentName,
    /// Whether anything is different now.
    pub changed: bool,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Why it is not up; what ran before still runs.
    pub failure: Option<Failure>,
    /// Where its services are reached on this machine: service, URL.
    pub urls: Vec<(String, String)>,
}

impl Ambit {
    /// Brings environments up.
    pub async fn up(&self, request: &Up, progress: &Progress) -> Result<UpReport, Failure> {
        let declaration = load_checked(&request.folder, &request.keys)?;
        let project = &declaration.project.name;
        self.remember_keys(project, &request.keys);
        let mut names = declaration.select(&request.environments)?;
        if request.environments.is_empty() {
            names = self.with_something_here(&declaration, names, progress)?;
        }
        self.check_machine(&declaration)?;
        self.store.set_project_folder(project, &declaration.folder).map_err(|e| store_failure(&e))?;
        self.record_authority(&declaration)?;
        self.ensure_proxy(progress).await?;
        let address = self.address()?;
        let ups = names.iter().map(|name| self.up_one(&declaration, name, request, address, progress));
        let environments = join_all(ups).await;
        for gone in
            self.ids(project)?.iter().filter(|id| !declaration.project.environments.contains_key(&id.environment))
        {
            progress.environment(&gone.environment).notice(
                "environment",
                format!("no longer declared; it is left as it is until `ambit destroy {}`", gone.environment),
            );
        }
        Ok(UpReport { project: project.to_string(), environments })
    }

    /// Without those that live elsewhere and have nothing on this machine.
    fn with_something_here(
        &self,
        declaration: &Declaration,
        names: Vec<EnvironmentName>,
        progress: &Progress,
    ) -> Result<Vec<EnvironmentName>, Failure> {
        let mut stay = Vec::new();
        for name in names {
            let id = EnvironmentId { project: declaration.project.name.clone(), environment: name };
            let environment = &declaration.project.environments[&id.environment];
            if self.lives_elsewhere(&id, environment)? && environment.sites_alone().services.is_empty() {
                progress.environment(&id.environment).notice("environment", "lives at Railway; nothing of it is here");
            } else {
                stay.push(id.environment);
            }
        }
        Ok(stay)
    }

    async fn up_one(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        request: &Up,
        address: Address,
        progress: &Progress,
    ) -> EnvironmentReport {
        let start = Instant::now();
        let progress = progress.environment(name);
        let environment = &declaration.project.environments[name];
        let outcome = self.bring_up(declaration, name, request, &progress).await;
        let note = Note::new(&request.actor, &declaration.project.name, "environment.up").environment(name);
        match &outcome {
            Ok(true) => self.note_done(note, &progress),
            Ok(false) => {}
            Err(failure) => self.note_done(note.about("failed", failure.message.as_str()), &progress),
        }
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let apps_here = !self.lives_elsewhere(&id, environment).unwrap_or(false);
        let urls = environment
            .services
            .values()
            .filter(|service| apps_here || matches!(service.form, Form::Site(_)))
            .flat_map(|s| s.urls.iter().map(move |u| (s.name.to_string(), address.url(u))))
            .collect();
        let millis = millis(start.elapsed());
        let (changed, failure) = match outcome {
            Ok(changed) => (changed, None),
            Err(failure) => (false, Some(failure)),
        };
        EnvironmentReport { environment: name.clone(), changed, millis, failure, urls }
    }

    async fn bring_up(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
        request: &Up,
        progress: &Progress,
    ) -> Result<bool, Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let _alone = self.alone(&id).await;
        self.refuse_while_moving(&id)?;
        self.settle(&id).await?;
        let scope = self.scope(declaration, name, progress)?;
        if !scope.apps_elsewhere {
            return scope.bring_up(&request.actor).await;
        }
        let sites = scope.environment.sites_alone();
        if sites.services.is_empty() {
            return Err(Failure::new(FailureKind::User, format!("{name} lives at Railway and does not run here"))
                .hint(format!("ambit move -e {name} --to host brings it here, with its data"))
                .hint("see it there: ambit status"));
        }
        let record = scope.recorded()?;
        if let Some(other) = record.services.iter().find(|s| !matches!(s.real, Real::Site { .. })) {
            // What it holds here would be left behind without a word.
            let what = format!("{name} is said to live at Railway, and its {} runs here", other.made_from.service);
            return Err(Failure::new(FailureKind::User, what)
                .hint(format!("say on = \"host\", then: ambit move -e {name} --to railway carries its data there"))
                .hint(format!("or, where that is not wanted any more: ambit destroy {name}")));
        }
        scope.progress.notice("environment", "lives at Railway; its sites are on this machine");
        scope.with_sites(&sites).bring_up(&request.actor).await
    }

    /// What the machine's other projects forbid.
    pub(crate) fn check_machine(&self, declaration: &Declaration) -> Result<(), Failure> {
        let project = &declaration.project.name;
        let before = self.store.project_folder(project).map_err(|e| store_failure(&e))?;
        if let Some(before) = before.filter(|b| !same_folder(b, &declaration.folder) && b.join("ambit.toml").exists()) {
            return Err(Failure::new(
                FailureKind::User,
                format!("the project `{project}` was brought up on this machine from {}", before.display()),
            )
            .because(format!("{} declares another project of the same name", declaration.folder.display()))
            .hint("change `project` in one of the two files"));
        }
        for (id, record) in self.store.environments().map_err(|e| store_failure(&e))? {
            if id.project == *project {
                continue;
            }
            for url in record.services.iter().flat_map(|s| &s.urls) {
                let mine = declaration.project.environments.values().flat_map(|e| e.services.values());
                if let Some(service) = mine.into_iter().find(|s| {
                    s.urls.iter().any(|u| u.path == url.path && (u.host == url.host || u.local_host == url.local_host))
                }) {
                    return Err(Failure::new(
                        FailureKind::User,
                        format!("{}{} of `{}` is taken", url.host, url.path.trim_end_matches('/'), service.name),
                    )
                    .because(format!("{id} on this machine is reached there"))
                    .hint("declare another `url`"));
                }
            }
        }
        Ok(())
    }
}

/// Loads a declaration and refuses what `ambit check` would refuse.
pub(crate) fn load_checked(folder: &std::path::Path, keys: &str) -> Result<Declaration, Failure> {
    let declaration = Declaration::load(folder, keys).map_err(|error: LoadError| Failure::from(error))?;
    refuse_weak_secrets(&declaration)?;
    Ok(declaration)
}

/// Refuses secrets that are weak, placeholders or shared.
pub(crate) fn refuse_weak_secrets(declaration: &Declaration) -> Result<(), Failure> {
    let findings = declaration.check_secrets()?;
    if findings.iter().any(|d| d.severity == ambit_domain::spec::Severity::Error) {
        let invalid = crate::declaration::Invalid {
            file: declaration.folder.join("ambit.toml"),
            text: declaration.text.clone(),
            diagnostics: findings,
        };
        return Err(invalid.failure());
    }
    Ok(())
}
