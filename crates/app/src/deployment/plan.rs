//! What a deployment will do, decided once from what is declared, what is recorded and what stands.

use ambit_domain::{
    Deployment, EnvironmentRecord, Instance, Real, Release,
    deployment::{Shape, Trigger, Work, journal},
    plan::{Action, Component, Step, plan},
    rollout::{FormWork, Instances, ServiceWork, rounds},
    spec::{Form, Kind, Role, Service, ServiceName},
};

use crate::{
    release::{Built, Given},
    scope::Scope,
};

/// Whether there is something to do.
pub(crate) enum Planned {
    /// The journal is written into the deployment.
    Work,
    /// Everything is as declared.
    Nothing,
}

/// What runs, as builds that need not be made again.
pub(crate) fn given_by(record: &EnvironmentRecord) -> Given {
    let of = |service: &ambit_domain::ServiceRecord| {
        let (build, commit) = service.real.build()?;
        Some((service.made_from.service.clone(), (build.clone(), commit.cloned())))
    };
    record.services.iter().filter_map(of).collect()
}

impl Scope<'_> {
    /// Plans a deployment into its journal.
    pub(crate) fn plan_deployment(
        &self,
        deployment: &mut Deployment,
        record: &EnvironmentRecord,
        declared: &[Component],
        release: &Release,
        built: &[Built],
        new_database: bool,
    ) -> Planned {
        let recorded: Vec<Component> = record.services.iter().map(|s| s.made_from.clone()).collect();
        let steps = plan(declared, &recorded);
        let condemned = self.condemned(deployment);
        let services = self.services(&steps, declared, record, built, &condemned);
        let removed: Vec<_> = steps.into_iter().filter(|s| s.action == Action::Remove).map(|s| s.service).collect();
        deployment.release = Some(release.id.clone());
        if services.is_empty() && removed.is_empty() {
            return Planned::Nothing;
        }
        let back = deployment.trigger.goes_back();
        let production = self.environment.kind == Kind::Production;
        let changes_code = |work: &&ServiceWork| work.new_code || new_database;
        let recipes: Vec<_> = services
            .iter()
            .filter(changes_code)
            .filter_map(|work| {
                let service = self.environment.services.get(&work.service)?;
                let built = built.iter().find(|b| b.service == work.service)?;
                let files = matches!(&service.form, Form::App(app) if app.migrations.is_some());
                Some((built.recipe(service), files))
            })
            .collect();
        let migrates = !back && recipes.iter().any(|(recipe, files)| *files || recipe.migrate.is_some());
        let seeds = self.environment.seed && !record.seeded && !production;
        let shape = Shape {
            gates: deployment.trigger.is_gated() && !self.gates_of(deployment).is_empty(),
            restore_point: migrates && production && self.servers.postgres.is_some() && !new_database,
            migrate: migrates,
            seed: !back && seeds && recipes.iter().any(|(recipe, _)| recipe.seed.is_some()),
            rounds: rounds(&services),
            watch: !self.policy_in_force().soak.is_zero()
                && record.live.is_some()
                && services.iter().any(|w| w.new_code && matches!(w.form, FormWork::App(_))),
        };
        deployment.steps = journal(shape);
        deployment.work = Some(Work { before: record.clone(), after: None, services, removed, new_database });
        Planned::Work
    }

    /// Plans what a deployment to a service elsewhere changes of the sites on this machine.
    pub(crate) fn plan_sites(&self, record: &EnvironmentRecord, declared: &[Component], built: &[Built]) -> Work {
        let recorded: Vec<Component> = record.services.iter().map(|s| s.made_from.clone()).collect();
        let steps = plan(declared, &recorded);
        let services = self.services(&steps, declared, record, built, &[]);
        let removed = steps.into_iter().filter(|s| s.action == Action::Remove).map(|s| s.service).collect();
        Work { before: record.clone(), after: None, services, removed, new_database: false }
    }

    fn services(
        &self,
        steps: &[Step],
        declared: &[Component],
        record: &EnvironmentRecord,
        built: &[Built],
        condemned: &[(ServiceName, u32)],
    ) -> Vec<ServiceWork> {
        let of = |service: &Service| {
            let action = &steps.iter().find(|s| s.service == service.name)?.action;
            let made_from = declared.iter().find(|c| c.service == service.name)?;
            let built = built.iter().find(|b| b.service == service.name)?;
            self.work_on(service, action, made_from, built, record, condemned)
        };
        self.environment.services.values().filter_map(of).collect()
    }

    /// Instances that have to go although the record counts them to the release before: those of a deployment that failed
    /// half way.
    fn condemned(&self, deployment: &Deployment) -> Vec<(ServiceName, u32)> {
        let Trigger::Recovery { from, .. } = &deployment.trigger else { return Vec::new() };
        let failed = self.ambit.store.deployment(*from).ok().flatten().and_then(|d| d.work);
        let services = failed.map(|w| w.services).unwrap_or_default();
        services
            .into_iter()
            .filter_map(|one| match one.form {
                FormWork::App(instances) => Some((one.service, instances.new)),
                FormWork::Site { .. } | FormWork::Job { .. } => None,
            })
            .flat_map(|(service, new)| new.into_iter().map(move |i| (service.clone(), i.number)))
            .collect()
    }

    fn work_on(
        &self,
        service: &Service,
        action: &Action,
        made_from: &Component,
        built: &Built,
        record: &EnvironmentRecord,
        condemned: &[(ServiceName, u32)],
    ) -> Option<ServiceWork> {
        let old = record.service(&service.name);
        let replaced = matches!(action, Action::Create | Action::Replace { .. });
        let form = match &service.form {
            Form::App(app) => match &app.role {
                Role::Scheduled(schedule) => FormWork::Job { schedule: schedule.clone() },
                Role::Web | Role::Worker => {
                    let present = match old.map(|o| &o.real) {
                        Some(Real::App { serving, .. }) => serving.clone(),
                        _ => Vec::new(),
                    };
                    let stays = |i: &Instance| {
                        !condemned.iter().any(|(name, number)| *name == service.name && *number == i.number)
                            && self.stands(&service.name, *i)
                    };
                    let standing: Vec<_> = present.iter().copied().filter(stays).collect();
                    let wanted = usize::try_from(app.instances).unwrap_or(usize::MAX);
                    FormWork::App(Instances::plan(&present, &standing, wanted, replaced))
                }
            },
            Form::Site(site) => FormWork::Site { folder: None, single_page: site.single_page },
        };
        let idle = match &form {
            FormWork::App(instances) => instances.new.is_empty() && instances.old.is_empty(),
            FormWork::Site { .. } => {
                matches!(old.map(|o| &o.real), Some(Real::Site { folder, .. }) if folder.is_dir())
            }
            FormWork::Job { .. } => true,
        };
        if *action == Action::Keep && idle {
            return None;
        }
        let before = old.and_then(|o| o.real.build()).map(|(build, _)| build);
        Some(ServiceWork {
            service: service.name.clone(),
            made_from: made_from.clone(),
            build: built.build.id.clone(),
            commit: built.commit.clone(),
            urls: service.urls.clone(),
            new_code: before != Some(&built.build.id),
            because: match action {
                Action::Replace { because } | Action::Adjust { because } => because.clone(),
                Action::Keep => vec!["it was not running".to_owned()],
                Action::Create | Action::Remove => Vec::new(),
            },
            form,
        })
    }
}
