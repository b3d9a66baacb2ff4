//! The services of an environment as they should be at Railway, and what of them does not hold there.

use std::{collections::BTreeMap, time::Duration};

use super::{
    names::Names,
    settings::{Setting, Settings},
    wanted::{Given, Surroundings, WantedApp, WantedService, What, schedule},
};
use crate::{
    outside::Remark,
    spec::{App, Code, Environment, Form, Kind, Persistence, Project, Role, Service},
};

/// Railway's image makes a full backup each week and keeps four of them.
const ARCHIVE_IS_KEPT: Duration = Duration::from_secs(21 * 86_400);

/// Its kind in one word.
pub(super) fn kind(environment: &Environment) -> &'static str {
    match environment.kind {
        Kind::Development => "development",
        Kind::Staging => "staging",
        Kind::Production => "production",
    }
}

pub(super) fn all(
    project: &Project,
    environment: &Environment,
    names: &Names,
    mark: &str,
    surroundings: &Surroundings,
    remarks: &mut Vec<Remark>,
) -> Vec<WantedService> {
    let mut services = Vec::new();
    if let Some(postgres) = &environment.postgres {
        let what = What::Postgres {
            version: postgres.version,
            database: postgres.database.clone(),
            schedule: schedule(environment),
            archive: environment.backup.as_ref().is_some_and(|backup| backup.point_in_time),
        };
        services.push(WantedService { name: names.postgres(), mark: format!("{mark}/postgres"), what });
    }
    if let Some(redis) = &environment.redis {
        // What keeps nothing has nothing to be kept.
        let schedule = if redis.persist == Persistence::None { Vec::new() } else { schedule(environment) };
        let what = What::Redis { persist: redis.persist, schedule };
        services.push(WantedService { name: names.redis(), mark: format!("{mark}/redis"), what });
    }
    let apps = environment.services.values().filter_map(|service| match &service.form {
        Form::App(app) => Some((service, app)),
        Form::Site(_) => None,
    });
    for (service, declared) in apps {
        let about = format!("{}/{}", environment.name, service.name);
        let mut remark = |text: &str| remarks.push(Remark::new(about.as_str(), text));
        unmapped(declared, &mut remark);
        let branch = match &environment.code {
            Code::Branch(branch) | Code::Tag { branch, .. } => Some(branch.clone()),
            Code::WorkingTree => None,
        };
        let source = project.repository().map(str::to_owned).zip(branch);
        if source.is_none() {
            remark(
                "it is deployed by hand: Railway takes code from [providers.github] `repository` and the environment's `branch`",
            );
        }
        let by_branch = matches!(environment.code, Code::Branch(_));
        let variables = surroundings.variables.as_ref().map(|all| all.get(&service.name).cloned().unwrap_or_default());
        let port = variables.as_ref().and_then(|all| all.get("PORT")).and_then(|given| given.value.parse().ok());
        let app = WantedApp {
            source,
            // Of a tag nothing is known before somebody made it, and a yes is asked for.
            at_each_push: by_branch && environment.auto_deploy && !surroundings.deployed_elsewhere,
            settings: settings(declared),
            variables: variables.map(|declared| implied(project, environment, service, names, declared)),
            hosts: hosts(service, &mut remark),
            port: port.or(declared.port),
        };
        let (name, mark) = (names.app(&service.name), format!("{mark}/{}", service.name));
        services.push(WantedService { name, mark, what: What::App(app) });
    }
    services
}

/// What an app is told wherever it runs.
fn implied(
    project: &Project,
    environment: &Environment,
    service: &Service,
    names: &Names,
    declared: BTreeMap<String, Given>,
) -> BTreeMap<String, Given> {
    let server = |name: String, variable: &str| format!("${{{{{name}.{variable}}}}}");
    let implied = [
        // From outside its container nobody reaches what listens on a loopback address.
        ("HOST", Some("0.0.0.0".to_owned())),
        ("DATABASE_URL", environment.postgres.as_ref().map(|_| server(names.postgres(), "DATABASE_URL"))),
        ("REDIS_URL", environment.redis.as_ref().map(|_| server(names.redis(), "REDIS_URL"))),
    ];
    let own = [
        ("AMBIT_PROJECT", project.name.to_string()),
        ("AMBIT_ENVIRONMENT", environment.name.to_string()),
        ("AMBIT_ENVIRONMENT_KIND", kind(environment).to_owned()),
        ("AMBIT_SERVICE", service.name.to_string()),
    ];
    let open = |(name, value): (&str, String)| (name.to_owned(), Given { value, secret: false });
    let mut all: BTreeMap<String, Given> =
        implied.into_iter().filter_map(|(name, value)| Some(open((name, value?)))).collect();
    all.extend(declared);
    all.extend(own.map(open));
    all
}

fn settings(app: &App) -> Settings {
    let seconds = |time: Duration| time.as_secs().to_string();
    let cron = match &app.role {
        Role::Scheduled(cron) => Some(cron.clone()),
        Role::Web | Role::Worker => None,
    };
    let said = [
        (Setting::RootDirectory, app.source.to_str().map(str::to_owned)),
        (Setting::BuildCommand, app.build.clone()),
        (Setting::PreDeployCommand, app.migrate.clone()),
        (Setting::StartCommand, app.run.clone()),
        (Setting::HealthcheckPath, app.health.as_ref().map(|h| h.path.clone())),
        (Setting::HealthcheckTimeout, app.health.as_ref().map(|h| seconds(h.deadline))),
        (Setting::Replicas, Some(app.instances.to_string())),
        (Setting::DrainingSeconds, Some(seconds(app.drain))),
        (Setting::CronSchedule, cron),
    ];
    said.into_iter().filter_map(|(setting, text)| Some((setting, setting.plain(&text?)?))).collect()
}

fn hosts(service: &Service, remark: &mut dyn FnMut(&str)) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for url in &service.urls {
        let host = crate::dns::plain(&url.host);
        if host.ends_with(".localhost") {
            remark(&format!("{host} leads to this machine alone; a `domain` gives it a public name"));
        } else if url.path != "/" {
            remark(&format!("{host}{}: Railway gives an app whole hosts alone", url.path));
        } else if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// What is declared of an app and cannot be said there.
fn unmapped(app: &App, remark: &mut dyn FnMut(&str)) {
    if app.migrations.is_some() {
        remark("`migrations` are files that Ambit runs itself, on this machine; there a `migrate` command is needed");
    }
    if app.health.as_ref().is_some_and(|health| health.status != 200) {
        remark("Railway takes 200 alone as an answer of health");
    }
    if app.memory.is_some() || app.cpus.is_some() {
        remark("`memory` and `cpus` are not set there yet; the plan's limits hold");
    }
    if let Role::Scheduled(cron) = &app.role
        && cron.split_whitespace().count() != 5
    {
        remark("Railway takes schedules of five fields");
    }
}

/// What is declared of an environment and does not happen there by itself.
pub(super) fn remarks(environment: &Environment) -> Vec<Remark> {
    let mut all = Vec::new();
    let mut remark = |text: String| all.push(Remark::new(environment.name.as_str(), text));
    if let Some(backup) = &environment.backup {
        remark(format!(
            "Ambit's daemon asks for a backup every {} and keeps it for {}; Railway's own daily ones are made besides, also where no daemon runs",
            hours(backup.every),
            hours(crate::backup::kept(backup)),
        ));
        if backup.point_in_time && crate::backup::kept(backup) > ARCHIVE_IS_KEPT {
            remark("Railway keeps the log that leads to any moment for three to four weeks".to_owned());
        }
    }
    let only_here =
        [("seed", environment.seed), ("clean", environment.clean.is_some()), ("data", environment.data.is_some())];
    let only_here: Vec<&str> = only_here.into_iter().filter(|(_, declared)| *declared).map(|(name, _)| name).collect();
    if !only_here.is_empty() {
        remark(format!("{}: not done there yet, on this machine alone", only_here.join(", ")));
    }
    let postgres = environment.postgres.as_ref().is_some_and(|p| p.memory.is_some() || !p.settings.is_empty());
    if postgres || environment.redis.as_ref().is_some_and(|r| r.memory.is_some()) {
        remark("`memory` and `settings` of PostgreSQL and Redis are not set there".to_owned());
    }
    all
}

/// `6 h`, `7 days`
fn hours(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => format!("{} days", seconds / 86_400),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}
