//! The facts of each service of an environment: what `plan` compares and `up` remembers.

use std::collections::BTreeMap;

use ambit_domain::{
    Failure,
    plan::Component,
    spec::{App, Environment, Form, Postgres, Redis, Role, Service, Site},
};
use ambit_spec::Resolved;
use sha2::{Digest, Sha256};

use crate::{
    code::CodeAt,
    facts::{Servers, exposed},
};

/// Everything that is declared for one environment, servers first.
pub(crate) fn components(
    environment: &Environment,
    code: &CodeAt,
    variables: &[Resolved],
    servers: &Servers,
) -> Result<Vec<Component>, Failure> {
    let mut all = Vec::new();
    if let (Some(declared), Some(server)) = (&environment.postgres, &servers.postgres) {
        all.push(postgres(declared, server.port));
    }
    if let (Some(declared), Some(server)) = (&environment.redis, &servers.redis) {
        all.push(redis(declared, server.port));
    }
    for service in environment.services.values() {
        all.push(component(service, code, variables)?);
    }
    Ok(all)
}

fn name(text: &str) -> ambit_domain::spec::ServiceName {
    text.parse().expect("`postgres` and `redis` are valid names")
}

fn postgres(declared: &Postgres, port: u16) -> Component {
    let mut facts = BTreeMap::from([
        ("port".to_owned(), port.to_string()),
        ("database".to_owned(), declared.database.clone()),
        ("version".to_owned(), format!("{:?}", declared.version)),
        ("memory".to_owned(), format!("{:?}", declared.memory)),
    ]);
    facts.extend(declared.settings.iter().map(|(k, v)| (format!("setting.{k}"), v.clone())));
    Component { service: name("postgres"), facts }
}

fn redis(declared: &Redis, port: u16) -> Component {
    let facts = BTreeMap::from([
        ("port".to_owned(), port.to_string()),
        ("persistence".to_owned(), format!("{:?}", declared.persist)),
        ("memory".to_owned(), format!("{:?}", declared.memory)),
    ]);
    Component { service: name("redis"), facts }
}

fn component(service: &Service, code: &CodeAt, variables: &[Resolved]) -> Result<Component, Failure> {
    let mut facts = match &service.form {
        Form::App(app) => app_facts(app, code)?,
        Form::Site(site) => site_facts(site, code)?,
    };
    facts.insert("url".to_owned(), format!("{:?}", service.urls));
    let read = match &service.form {
        Form::App(_) => given_to(service, variables),
        Form::Site(_) => {
            let names = exposed(&service.form);
            variables.iter().filter(|v| names.contains(&v.name)).collect()
        }
    };
    facts.extend(read.into_iter().map(|v| (format!("variable.{}", v.name), digest(&v.value))));
    Ok(Component { service: service.name.clone(), facts })
}

/// The variables that an app gets.
pub(crate) fn given_to<'a>(service: &Service, variables: &'a [Resolved]) -> Vec<&'a Resolved> {
    variables.iter().filter(|v| v.services.is_empty() || v.services.contains(&service.name)).collect()
}

fn app_facts(app: &App, code: &CodeAt) -> Result<BTreeMap<String, String>, Failure> {
    let mut facts = BTreeMap::from([
        ("tree".to_owned(), code.tree(&app.source)?),
        ("instances".to_owned(), app.instances.to_string()),
        ("health".to_owned(), format!("{:?}", app.health)),
        ("memory".to_owned(), format!("{:?}", app.memory)),
        ("cpus".to_owned(), format!("{:?}", app.cpus)),
        ("port".to_owned(), format!("{:?}", app.port)),
        (
            "role".to_owned(),
            match &app.role {
                Role::Web => "web".to_owned(),
                Role::Worker => "worker".to_owned(),
                Role::Scheduled(cron) => format!("scheduled {cron}"),
            },
        ),
    ]);
    let commands = [("build", &app.build), ("run", &app.run), ("migrate", &app.migrate), ("seed", &app.seed)];
    if let Some(folder) = &app.migrations {
        facts.insert("migrations".to_owned(), folder.display().to_string());
    }
    facts.extend(commands.into_iter().filter_map(|(k, v)| Some((format!("command.{k}"), v.clone()?))));
    Ok(facts)
}

fn site_facts(site: &Site, code: &CodeAt) -> Result<BTreeMap<String, String>, Failure> {
    Ok(BTreeMap::from([
        ("tree".to_owned(), code.tree(&site.source)?),
        ("folder".to_owned(), site.folder.display().to_string()),
        ("command.build".to_owned(), site.build.clone().unwrap_or_default()),
        ("single-page".to_owned(), site.single_page.to_string()),
    ]))
}

/// A digest that tells two values apart without telling either.
fn digest(value: &str) -> String {
    let hash = Sha256::digest(value.as_bytes());
    hash.iter().take(16).map(|b| format!("{b:02x}")).collect()
}
