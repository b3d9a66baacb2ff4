//! The tests of each service, in a job of its own, with a PostgreSQL and a Redis where they are declared. They know no
//! secret, so whatever a test depends on cannot take one away.

use std::path::Path;

use super::{Job, Pipeline, Yaml, checkout, commands, map, pins, reads, tools};
use crate::ci::{
    source::Tools,
    variables::{POSTGRES_PORT, REDIS_PORT, TESTS, variables},
};

/// Where commands keep what they fetched; see `AMBIT_CACHE` in the room `source`.
const CACHE: &str = "/tmp/ambit-cache";
/// The longest that the tests of the mobile app take.
const MOBILE_MINUTES: u32 = 30;

pub(super) fn jobs(pipeline: &Pipeline<'_>) -> Vec<Job> {
    let services = pipeline.sources.suites.iter().map(|suite| {
        let mut environment = vec![("AMBIT_CACHE".to_owned(), CACHE.to_owned())];
        environment.extend(suite.variables.iter().cloned());
        for (name, value) in variables(pipeline.environment) {
            environment.retain(|(known, _)| *known != name);
            environment.push((name, value));
        }
        let run = Run { folder: &suite.folder, tools: &suite.tools, install: &suite.install, test: &suite.test };
        let rest = rest(pipeline, &run, environment, servers(pipeline));
        (
            format!("test-{}", suite.service),
            super::job(format!("Tests of {}", suite.service), suite.minutes, &[], None, rest),
        )
    });
    let mobile = pipeline.sources.mobile.as_ref().and_then(|mobile| {
        let test = mobile.test.as_ref()?;
        let run = Run { folder: &mobile.folder, tools: &mobile.tools, install: &mobile.install, test };
        let environment = vec![("AMBIT_CACHE".to_owned(), CACHE.to_owned())];
        let rest = rest(pipeline, &run, environment, Vec::new());
        Some((
            "mobile-test".to_owned(),
            super::job("Tests of the mobile app".to_owned(), MOBILE_MINUTES, &[], None, rest),
        ))
    });
    services.chain(mobile).collect()
}

struct Run<'a> {
    folder: &'a Path,
    tools: &'a Tools,
    install: &'a [String],
    test: &'a str,
}

fn rest(
    pipeline: &Pipeline<'_>,
    run: &Run<'_>,
    environment: Vec<(String, String)>,
    servers: Vec<(String, Yaml)>,
) -> Vec<(&'static str, Yaml)> {
    let folder = pipeline.path(run.folder);
    let mut rest = vec![reads()];
    if !servers.is_empty() {
        rest.push(("services", Yaml::Map(servers)));
    }
    rest.push(("env", Yaml::Map(environment.into_iter().map(|(k, v)| (k, Yaml::Text(v))).collect())));
    let mut defaults = vec![("shell".to_owned(), Yaml::text("sh -e {0}"))];
    if !folder.as_os_str().is_empty() {
        defaults.push(("working-directory".to_owned(), Yaml::Text(folder.display().to_string())));
    }
    rest.push(("defaults", map([("run", Yaml::Map(defaults))])));
    let mut steps = vec![checkout(false)];
    steps.extend(tools(run.tools, &folder));
    if !run.install.is_empty() {
        steps.push(commands("Install", run.tools, run.install));
    }
    steps.push(commands("Test", run.tools, &[run.test.to_owned()]));
    rest.push(("steps", Yaml::List(steps)));
    rest
}

fn servers(pipeline: &Pipeline<'_>) -> Vec<(String, Yaml)> {
    let port = |port: u16| ("ports", Yaml::List(vec![Yaml::Text(format!("{port}:{port}"))]));
    let healthy = |command: &str| {
        let options =
            format!("--health-cmd \"{command}\" --health-interval 2s --health-timeout 5s --health-retries 30");
        ("options", Yaml::Text(options))
    };
    let mut servers = Vec::new();
    if let Some(postgres) = &pipeline.environment.postgres {
        let named = ["POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"];
        let server = map([
            ("image", Yaml::Text(pins::postgres(postgres.version))),
            ("env", Yaml::Map(named.iter().map(|name| ((*name).to_owned(), Yaml::text(TESTS))).collect())),
            port(POSTGRES_PORT),
            healthy(&format!("pg_isready -h 127.0.0.1 -U {TESTS} -d {TESTS}")),
        ]);
        servers.push(("postgres".to_owned(), server));
    }
    if pipeline.environment.redis.is_some() {
        let server = map([("image", Yaml::text(pins::REDIS)), port(REDIS_PORT), healthy("redis-cli ping")]);
        servers.push(("redis".to_owned(), server));
    }
    servers
}
