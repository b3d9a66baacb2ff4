//! The processes of an environment's apps: what they run and what they find in their environment.

use std::{path::Path, time::Duration};

use ambit_domain::{
    Failure, FailureKind,
    deployment::StepName,
    ids::DeploymentId,
    provider::{AppProcess, PostgresServer, RELEASE_VARIABLE, Task},
    spec::{App, Form, Service, ServiceName},
};

use crate::{
    components::given_to,
    facts::{Servers, kind, postgres_url, redis_url},
    release::Built,
    scope::Scope,
};

/// A migration or a seed that takes longer is given up.
const LONGEST_TASK: Duration = Duration::from_secs(3600);

impl Scope<'_> {
    /// An app with its build.
    pub(crate) fn app<'s>(
        &'s self,
        built: &'s [Built],
        name: &ServiceName,
    ) -> Result<(&'s Service, &'s App, &'s Built), Failure> {
        let found = || {
            let service = self.environment.services.get(name)?;
            let Form::App(app) = &service.form else { return None };
            Some((service, app, built.iter().find(|b| b.service == *name)?))
        };
        found().ok_or_else(|| Failure::new(FailureKind::Internal, format!("{name} has no build")))
    }

    /// A process of a service.
    pub(crate) fn process(
        &self,
        app: &App,
        built: &Built,
        command: &str,
        variables: Vec<(String, String)>,
    ) -> AppProcess {
        AppProcess {
            command: command.to_owned(),
            directory: built.build.folder(),
            variables,
            memory: app.memory,
            cpus: app.cpus,
            secrets: self.secrets(),
        }
    }

    /// What no log of the environment may hold: its secrets, and the passwords of its servers, which are parts of URLs.
    fn secrets(&self) -> Vec<String> {
        let passwords = |servers: &Servers| {
            let postgres = servers.postgres.iter().flat_map(|p| [p.role_password.clone(), p.admin_password.clone()]);
            let redis = servers.redis.iter().flat_map(|r| [r.password.clone(), r.admin_password.clone()]);
            postgres.chain(redis).collect::<Vec<_>>()
        };
        let declared = self.variables.iter().filter(|variable| variable.secret).map(|variable| variable.value.clone());
        declared.chain(passwords(&self.servers)).collect()
    }

    /// A command of a service that runs to its end.
    pub(crate) fn task_of(&self, service: &Service, app: &App, built: &Built, command: &str) -> Task {
        let variables = self.variables_of(service, built);
        Task { process: self.process(app, built, command, variables), longest: LONGEST_TASK }
    }

    /// Runs a command of a service for a deployment: once, whatever becomes of the daemon. How it ended is remembered until
    /// another deployment runs one, since only that is certain to come after this one's step was recorded.
    pub(crate) async fn run_once(
        &self,
        service: (&Service, &App, &Built),
        command: &str,
        step: StepName,
        deployment: DeploymentId,
    ) -> Result<(), Failure> {
        let step = step.name();
        let beginning = format!("{step}-{}-", service.0.name);
        let name = format!("{beginning}{deployment}");
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        for old in self.ambit.provider.tasks(&self.id) {
            if old.name != name && old.name.strip_prefix(&beginning).is_some_and(is_number) {
                self.ambit.provider.forget_task(&self.id, &old.name).await?;
            }
        }
        self.run_command(service, command, step, &name).await
    }

    /// Runs a command of a service to its end, its output told as that of a step. Under a name that is known, the run of that
    /// name is waited for, or told as it ended.
    pub(crate) async fn run_command(
        &self,
        (service, app, built): (&Service, &App, &Built),
        command: &str,
        step: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let progress = self.progress.service(&service.name);
        let task = self.task_of(service, app, built, command);
        self.ambit.provider.run_task(&self.id, name, &task, &|line| progress.output(step, line)).await
    }

    /// Runs a command of a service to its end, and forgets how it ended.
    pub(crate) async fn run_and_forget(
        &self,
        service: (&Service, &App, &Built),
        command: &str,
        step: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let ran = self.run_command(service, command, step, name).await;
        self.ambit.provider.forget_task(&self.id, name).await?;
        ran
    }

    /// Runs the migration files of a folder that have not run yet; returns what it came to, for people.
    pub(crate) async fn run_migration_files(&self, server: &PostgresServer, folder: &Path) -> Result<String, Failure> {
        let ran = self.ambit.provider.migrate(&self.id, server, folder).await?;
        Ok(if ran.is_empty() { "nothing is new".to_owned() } else { ran.join(", ") })
    }

    /// What a process of the service finds in its environment, `PORT` excepted: what the recipe implies, then what Ambit
    /// gives, then what the file declares.
    pub(crate) fn variables_of(&self, service: &Service, built: &Built) -> Vec<(String, String)> {
        let mut all = indexmap::IndexMap::new();
        let mut set = |name: &str, value: String| {
            all.insert(name.to_owned(), value);
        };
        set("HOST", "127.0.0.1".to_owned());
        for (name, value) in &built.build.recipe.variables {
            set(name, value.clone());
        }
        set("PATH", built.build.path(&self.ambit.path()));
        set("LANG", "C.UTF-8".to_owned());
        if let Some(server) = &self.servers.postgres {
            set("DATABASE_URL", postgres_url(server));
        }
        if let Some(server) = &self.servers.redis {
            set("REDIS_URL", redis_url(server));
        }
        for variable in given_to(service, &self.variables) {
            set(&variable.name, variable.value.clone());
        }
        set("AMBIT_PROJECT", self.id.project.to_string());
        set("AMBIT_ENVIRONMENT", self.id.environment.to_string());
        set("AMBIT_ENVIRONMENT_KIND", kind(self.environment.kind).to_owned());
        set("AMBIT_SERVICE", service.name.to_string());
        set(RELEASE_VARIABLE, built.build.id.short().to_owned());
        all.into_iter().filter(|(name, _)| name != "PORT").collect()
    }
}
