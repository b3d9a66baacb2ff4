//! New instances start beside the old ones, and sites are laid out.
//!
//! A crash before the ports are written down leaves at most a port that nobody listens on, which is chosen again. A crash
//! later leaves instances that the journal names: the repeated step finds them running.

use std::path::PathBuf;

use ambit_domain::{
    Failure, FailureKind, Instance,
    rollout::FormWork,
    spec::{Form, Role, Service, Site, Value},
};
use async_trait::async_trait;
use futures_util::future::join_all;

use super::{super::engine::Stand, Step};
use crate::{code::source_failure, facts::kind, release::Built, scope::Scope};

pub(super) struct Start;

#[async_trait]
impl Step for Start {
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let last = round + 1 == ambit_domain::rollout::rounds(&stand.work()?.services);
        give_ports(stand, round)?;
        if last {
            lay_out_sites(stand).await?;
        }
        let mut starts = Vec::new();
        let mut told = Vec::new();
        for (service, new) in stand.work()?.starting(round) {
            told.push(format!("{} {service}", new.len()));
            starts.extend(new.iter().map(|instance| start(scope, stand.built, service, *instance)));
        }
        join_all(starts).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(if told.is_empty() { "nothing new has to run".to_owned() } else { told.join(", ") })
    }
}

/// Chooses where new instances listen, and writes it down before anything starts.
fn give_ports(stand: &mut Stand<'_>, round: u32) -> Result<(), Failure> {
    let scope = stand.scope;
    for one in &mut stand.work_mut()?.services {
        let FormWork::App(instances) = &mut one.form else { continue };
        let Some(Form::App(app)) = scope.environment.services.get(&one.service).map(|s| &s.form) else { continue };
        if app.role != Role::Web {
            continue;
        }
        // The fixed port is for the instance that is alone; beside an old one a new one needs another.
        let alone = instances.old.is_empty() && instances.keep.is_empty();
        let range = instances.starting(round);
        for instance in instances.new.get_mut(range).unwrap_or_default() {
            let fixed = app.port.filter(|_| alone && instance.number == 1);
            instance.port = Some(scope.ambit.port(&scope.port_key(&one.service, instance.number), fixed)?);
        }
    }
    stand.save_deployment()
}

async fn start(
    scope: &Scope<'_>,
    built: &[Built],
    name: &ambit_domain::spec::ServiceName,
    instance: Instance,
) -> Result<(), Failure> {
    let (service, app, built) = scope.app(built, name)?;
    let Some(command) = built.recipe(service).run else {
        return Err(Failure::new(FailureKind::App, format!("nothing says how {name} is started"))
            .hint(format!("set `run` in [services.{name}]")));
    };
    let mut variables = scope.variables_of(service, built);
    if let Some(port) = instance.port {
        variables.push(("PORT".to_owned(), port.to_string()));
    }
    let process = scope.process(app, built, &command, variables);
    scope.ambit.provider.start_app(&scope.instance(name, instance.number), &process).await
}

async fn lay_out_sites(stand: &mut Stand<'_>) -> Result<(), Failure> {
    let scope = stand.scope;
    let mut laid_out = Vec::new();
    for one in &stand.work()?.services {
        let Some(service) = scope.environment.services.get(&one.service) else { continue };
        let (Form::Site(site), Some(built)) = (&service.form, stand.built.iter().find(|b| b.service == one.service))
        else {
            continue;
        };
        laid_out.push((one.service.clone(), render(scope, service, site, built).await?));
    }
    for one in &mut stand.work_mut()?.services {
        if let (FormWork::Site { folder, .. }, Some((_, made))) =
            (&mut one.form, laid_out.iter().find(|(name, _)| *name == one.service))
        {
            *folder = Some(made.clone());
        }
    }
    stand.save_deployment()
}

async fn render(scope: &Scope<'_>, service: &Service, site: &Site, built: &Built) -> Result<PathBuf, Failure> {
    let declared = &scope.environment.variables;
    let exposed: Vec<(String, String)> = scope
        .variables
        .iter()
        .filter(|v| site.expose.contains(&v.name))
        // The checks of the declaration refuse to expose a secret; a page is no place to find out otherwise.
        .filter(|v| !v.secret && declared.get(&v.name).is_none_or(|d| d.value != Value::Secret))
        .map(|v| (v.name.clone(), v.value.clone()))
        .collect();
    let within = site.folder.strip_prefix(&site.source).unwrap_or(&site.folder).to_path_buf();
    let request = ambit_source::sites::Render {
        from: built.build.folder().join(within),
        into: scope.ambit.home.sites(&scope.id).join(service.name.as_str()),
        variables: exposed,
        environment: scope.id.environment.to_string(),
        kind: kind(scope.environment.kind).to_owned(),
    };
    tokio::task::spawn_blocking(move || ambit_source::sites::render(&request))
        .await
        .map_err(|e| Failure::from_error(FailureKind::Internal, &e))?
        .map_err(|e| source_failure(&e))
}
