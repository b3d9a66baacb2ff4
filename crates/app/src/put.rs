//! One app or site put in place: new instances beside the old ones, asked for their health, and only then recorded as
//! the ones that serve.

use std::{path::PathBuf, time::Duration};

use ambit_domain::{
    Failure, FailureKind, Instance, Real, ServiceRecord,
    plan::{Action, Component},
    provider::{AppProcess, Readiness},
    spec::{App, Form, Role, Service, Site, Value},
};
use futures_util::future::join_all;

use crate::{
    ambit::{now, store_failure},
    bring_up::BringUp,
    builds::Built,
    code::source_failure,
    components::given_to,
    facts::{kind, postgres_url, redis_url},
};

/// How long an app without a declared deadline has to become ready.
const READY: Duration = Duration::from_secs(60);

impl BringUp<'_> {
    /// Puts a service in place; `None` where nothing had to be done. On failure the old one goes on.
    pub(crate) async fn put(
        &self,
        service: &Service,
        action: &Action,
        made_from: &Component,
        built: Option<&Built>,
        old: Option<&ServiceRecord>,
    ) -> Result<Option<ServiceRecord>, Failure> {
        let Some(built) = built else { return Ok(None) };
        match &service.form {
            Form::App(app) => self.put_app(service, app, action, made_from, built, old).await,
            Form::Site(site) => self.put_site(service, site, action, made_from, built, old).await,
        }
    }

    async fn put_app(
        &self,
        service: &Service,
        app: &App,
        action: &Action,
        made_from: &Component,
        built: &Built,
        old: Option<&ServiceRecord>,
    ) -> Result<Option<ServiceRecord>, Failure> {
        if let Role::Scheduled(_) = app.role {
            return Err(Failure::new(FailureKind::User, format!("not supported yet: {} has a schedule", service.name))
                .hint("run it by hand: ambit run -e ENV -- COMMAND"));
        }
        let present: Vec<Instance> = match old.map(|o| &o.real) {
            Some(Real::App { serving, .. }) => serving.clone(),
            _ => Vec::new(),
        };
        let replaces = matches!(action, Action::Create | Action::Replace { .. });
        let standing: Vec<Instance> = present.iter().copied().filter(|i| self.stands(&service.name, *i)).collect();
        let wanted = usize::try_from(app.instances).unwrap_or(usize::MAX);
        let keep: Vec<Instance> = if replaces { Vec::new() } else { standing.iter().copied().take(wanted).collect() };
        let missing = wanted - keep.len();
        let retiring: Vec<Instance> = present.iter().copied().filter(|i| !keep.contains(i)).collect();
        if missing == 0 && retiring.is_empty() {
            let Some(old) = old.filter(|_| *action != Action::Keep) else { return Ok(None) };
            return Ok(Some(ServiceRecord {
                made_from: made_from.clone(),
                real: old.real.clone(),
                urls: service.urls.clone(),
                since: old.since,
            }));
        }
        let progress = self.progress.service(&service.name);
        let because = match action {
            Action::Replace { because } | Action::Adjust { because } => because.join(", "),
            Action::Keep => "it was not running".to_owned(),
            _ => String::new(),
        };
        let start = async {
            let new = self.start_instances(service, app, built, &present, missing).await?;
            let instances = if missing == 1 { "1 instance".to_owned() } else { format!("{missing} instances") };
            let detail = if because.is_empty() { instances } else { format!("{instances} · {because}") };
            Ok((new, detail, true))
        };
        let new = progress.step("start", start).await?;
        Ok(Some(ServiceRecord {
            made_from: made_from.clone(),
            real: Real::App {
                build: built.build.id.clone(),
                commit: built.commit.clone(),
                serving: keep.into_iter().chain(new).collect(),
                retiring,
            },
            urls: service.urls.clone(),
            since: if replaces { now() } else { old.map_or_else(now, |o| o.since) },
        }))
    }

    /// Starts instances under numbers and on ports that nobody has, and waits until each is ready; where one is not, all
    /// of them are stopped again.
    async fn start_instances(
        &self,
        service: &Service,
        app: &App,
        built: &Built,
        present: &[Instance],
        count: usize,
    ) -> Result<Vec<Instance>, Failure> {
        let numbers = (1u32..).filter(|n| present.iter().all(|i| i.number != *n)).take(count);
        let mut new = Vec::new();
        for number in numbers {
            let port = match app.role {
                Role::Web => {
                    // The fixed port is for the instance that is alone; beside an old one a new one needs another.
                    let fixed = app.port.filter(|_| number == 1 && present.is_empty());
                    Some(self.ambit.port(&self.port_key(&service.name, number), fixed)?)
                }
                _ => None,
            };
            new.push(Instance { number, port });
        }
        let starts = new.iter().map(|instance| self.start_instance(service, app, built, *instance));
        let outcome: Result<Vec<()>, Failure> = join_all(starts).await.into_iter().collect();
        if let Err(failure) = outcome {
            for instance in &new {
                self.ambit.provider.stop_instance(&self.instance(&service.name, instance.number)).await?;
                let key = self.port_key(&service.name, instance.number);
                self.ambit.store.release_port(&key).map_err(|e| store_failure(&e))?;
            }
            return Err(if present.is_empty() { failure } else { failure.because("the old version still runs") });
        }
        Ok(new)
    }

    async fn start_instance(
        &self,
        service: &Service,
        app: &App,
        built: &Built,
        instance: Instance,
    ) -> Result<(), Failure> {
        let id = self.instance(&service.name, instance.number);
        let Some(command) = &built.recipe().run else {
            return Err(Failure::new(FailureKind::App, format!("nothing says how {} is started", service.name))
                .hint(format!("set `run` in [services.{}]", service.name)));
        };
        let mut variables = self.variables_of(service, built);
        if let Some(port) = instance.port {
            variables.push(("PORT".to_owned(), port.to_string()));
        }
        self.ambit.provider.start_app(&id, &self.process(app, built, command, variables)).await?;
        let readiness = Readiness {
            port: instance.port,
            health: app.health.clone(),
            host: service.urls.first().map_or_else(|| "localhost".to_owned(), |u| u.local_host.clone()),
            deadline: app.health.as_ref().map_or(READY, |h| h.deadline),
        };
        tokio::select! {
            ready = self.ambit.provider.wait_ready(&id, &readiness) => ready,
            () = self.progress.cancel_token().cancelled() => self.progress.go_on(),
        }
    }

    /// A process of a service: an instance, a migration or a seed.
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
        }
    }

    /// What a process of the service finds in its environment, `PORT` excepted: what the recipe implies, then what Ambit
    /// gives, then what the file declares.
    pub(crate) fn variables_of(&self, service: &Service, built: &Built) -> Vec<(String, String)> {
        let mut all = indexmap::IndexMap::new();
        let mut set = |name: &str, value: String| {
            all.insert(name.to_owned(), value);
        };
        set("HOST", "127.0.0.1".to_owned());
        for (name, value) in &built.recipe().variables {
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
        set("AMBIT_RELEASE", built.build.id.short().to_owned());
        all.into_iter().filter(|(name, _)| name != "PORT").collect()
    }

    /// Migrates and seeds, one app after the other in the order of the file. Where one fails, nothing is started.
    pub(crate) async fn migrate_and_seed(
        &self,
        built: &[Built],
        new_database: bool,
        record: &mut ambit_domain::EnvironmentRecord,
    ) -> Result<(), Failure> {
        if new_database {
            record.seeded = false;
        }
        let mut seeded_now = false;
        for one in built {
            let Some(service) = self.environment.services.get(&one.service) else { continue };
            let Form::App(app) = &service.form else { continue };
            if let Some(command) = one.recipe().migrate.as_ref().filter(|_| one.new || new_database) {
                self.task("migrate", service, app, one, command).await?;
            }
            let seed = one.recipe().seed.as_ref().filter(|_| {
                self.environment.seed && !record.seeded && self.environment.kind != ambit_domain::spec::Kind::Production
            });
            if let Some(command) = seed {
                self.task("seed", service, app, one, command).await?;
                seeded_now = true;
            }
        }
        if seeded_now {
            record.seeded = true;
        }
        self.save(record)
    }

    async fn task(
        &self,
        step: &'static str,
        service: &Service,
        app: &App,
        built: &Built,
        command: &str,
    ) -> Result<(), Failure> {
        let progress = self.progress.service(&service.name);
        let process = self.process(app, built, command, self.variables_of(service, built));
        let work = async {
            let output = |line: &str| progress.output(step, line);
            self.ambit.provider.run_task(&self.id, &process, &output).await?;
            Ok(((), command.to_owned(), true))
        };
        progress.step(step, work).await
    }

    async fn put_site(
        &self,
        service: &Service,
        site: &Site,
        action: &Action,
        made_from: &Component,
        built: &Built,
        old: Option<&ServiceRecord>,
    ) -> Result<Option<ServiceRecord>, Failure> {
        let present = old.and_then(|o| match &o.real {
            Real::Site { folder, .. } if folder.is_dir() => Some(folder.clone()),
            _ => None,
        });
        if *action == Action::Keep && present.is_some() {
            return Ok(None);
        }
        let work = async {
            let folder = self.render(service, site, built).await?;
            let detail = format!("{}", site.folder.display());
            Ok((folder, detail, true))
        };
        let folder = self.progress.service(&service.name).step("site", work).await?;
        Ok(Some(ServiceRecord {
            made_from: made_from.clone(),
            real: Real::Site {
                build: built.build.id.clone(),
                commit: built.commit.clone(),
                folder,
                single_page: site.single_page,
            },
            urls: service.urls.clone(),
            since: now(),
        }))
    }

    async fn render(&self, service: &Service, site: &Site, built: &Built) -> Result<PathBuf, Failure> {
        let exposed: Vec<(String, String)> = self
            .variables
            .iter()
            .filter(|v| site.expose.contains(&v.name))
            // The checks of the declaration refuse to expose a secret; a page is no place to find out otherwise.
            .filter(|v| !v.secret && self.environment.variables.get(&v.name).is_none_or(|d| d.value != Value::Secret))
            .map(|v| (v.name.clone(), v.value.clone()))
            .collect();
        let within = site.folder.strip_prefix(&site.source).unwrap_or(&site.folder).to_path_buf();
        let request = ambit_source::sites::Render {
            from: built.build.folder().join(within),
            into: self.ambit.home.sites(&self.id).join(service.name.as_str()),
            variables: exposed,
            environment: self.id.environment.to_string(),
            kind: kind(self.environment.kind).to_owned(),
        };
        tokio::task::spawn_blocking(move || ambit_source::sites::render(&request))
            .await
            .map_err(|e| Failure::from_error(FailureKind::Internal, &e))?
            .map_err(|e| source_failure(&e))
    }
}
