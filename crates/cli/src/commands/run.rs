//! `ambit run`, `ambit psql`, `ambit redis`: another program in the place of this one, with an environment's variables.
//! Passwords go through the environment, never through arguments, which every user of the machine can read.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
};

use ambit_domain::{Failure, FailureKind};

use crate::context;

pub(crate) fn command(folder: &Path, environment: &str, command: &[String]) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let names = declaration.select(&[environment.to_owned()])?;
    let (Some(name), Some((program, arguments))) = (names.first(), command.split_first()) else {
        return Ok(ExitCode::SUCCESS);
    };
    let variables = context::ambit()?.variables_here(&declaration, name)?;
    become_(Command::new(program).args(arguments).envs(variables), program, "is it installed, and on PATH?")
}

pub(crate) fn psql(
    folder: &Path,
    environment: &str,
    beside: Option<&str>,
    arguments: &[String],
) -> Result<ExitCode, Failure> {
    let url = match beside {
        Some(name) => url_beside(folder, environment, name)?,
        None => server_url(folder, environment, false)?,
    };
    let (password, address) = split(&url);
    let mut command = Command::new("psql");
    become_(
        command.arg(address).args(arguments).env("PGPASSWORD", password),
        "psql",
        "apt-get install postgresql-client",
    )
}

pub(crate) fn redis(folder: &Path, environment: &str, arguments: &[String]) -> Result<ExitCode, Failure> {
    let url = server_url(folder, environment, true)?;
    let (password, address) = split(&url);
    let port = address.rsplit_once(':').map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default()).to_owned();
    let mut command = Command::new("redis-cli");
    become_(
        command.args(["-h", "127.0.0.1", "-p", &port]).args(arguments).env("REDISCLI_AUTH", password),
        "redis-cli",
        "apt-get install redis-tools",
    )
}

/// The URL of a restored copy: that of the environment's PostgreSQL with another port.
fn url_beside(folder: &Path, environment: &str, name: &str) -> Result<String, Failure> {
    let id = context::environment(folder, environment)?;
    let copies = context::ambit()?.beside(&id);
    let port = copies.iter().find(|copy| copy.name == name).and_then(|copy| copy.port);
    let port = port.ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("no copy `{}` answers beside", name.escape_debug()))
            .hint(format!("ambit restore list -e {environment}"))
    })?;
    let url = server_url(folder, environment, false)?;
    let (before, rest) = url.rsplit_once(':').unwrap_or((url.as_str(), ""));
    let database = rest.split_once('/').map_or("", |(_, database)| database);
    Ok(format!("{before}:{port}/{database}"))
}

fn server_url(folder: &Path, environment: &str, redis: bool) -> Result<String, Failure> {
    let declaration = context::declaration(folder)?;
    let names = declaration.select(&[environment.to_owned()])?;
    let name = names.first().ok_or_else(|| Failure::new(FailureKind::NotFound, "no such environment"))?;
    context::ambit()?.server_url(&declaration, name, redis)
}

/// The password of a URL, and the URL without it.
fn split(url: &str) -> (String, String) {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let (user, host) = rest.split_once('@')?;
        let (user, password) = user.split_once(':')?;
        Some((password.to_owned(), format!("{scheme}://{user}@{host}")))
    });
    parts.unwrap_or_else(|| (String::new(), url.to_owned()))
}

fn become_(command: &mut Command, program: &str, hint: &str) -> Result<ExitCode, Failure> {
    // Returns only where it could not be started.
    let error = command.exec();
    Err(Failure::new(FailureKind::Machine, format!("`{program}` cannot be started"))
        .because(error.to_string())
        .hint(hint))
}
