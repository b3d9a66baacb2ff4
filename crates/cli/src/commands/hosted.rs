//! What `status` and `logs` show of environments that live at a service elsewhere.

use std::{path::Path, process::ExitCode, time::Duration};

use ambit_app::{BackupStatus, Level, LogLine};
use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    hosted::{HostedLine, HostedService},
    spec::EnvironmentName,
};
use serde::Serialize;

use super::{logs, outside, status::backup_line};
use crate::{
    arguments::LogSearchArguments,
    context,
    screen::{Paint, columns, plain},
};

/// How long a glance waits for a service elsewhere.
const GLANCE: Duration = Duration::from_secs(5);
/// How often somebody who follows is told more; a free account takes 100 requests an hour.
const EVERY: Duration = Duration::from_secs(10);

/// How many lines of each service are read where nothing is looked for, and where something is.
const SHOWN: usize = 50;
const SEARCHED: usize = 5000;

/// An environment that lives elsewhere.
#[derive(Serialize)]
pub(crate) struct There {
    environment: EnvironmentName,
    /// The project there.
    project: String,
    services: Vec<HostedService>,
    /// How its backups stand, where it declares some.
    backup: Option<BackupStatus>,
    /// Why it could not be looked at.
    trouble: Option<String>,
}

/// What can be seen of them. Without a declaration or a token there is nothing to ask.
pub(crate) async fn status(folder: &Path, environments: &[String]) -> Vec<There> {
    let (Ok(declaration), Ok(ambit)) = (context::declaration(folder), context::ambit()) else { return Vec::new() };
    let tokens = outside::tokens(&declaration);
    let mut all = Vec::new();
    for environment in declaration.project.environments.values() {
        let named = environments.is_empty() || environments.iter().any(|n| n == environment.name.as_str());
        let Some(project) =
            environment.railway_project().filter(|_| named && ambit.reaches_railway(&declaration, &tokens))
        else {
            continue;
        };
        let asked = ambit.hosted_services(&declaration, &environment.name, &tokens);
        let (services, trouble) = match tokio::time::timeout(GLANCE, asked).await {
            Ok(Ok(services)) => (services, None),
            Ok(Err(failure)) => (Vec::new(), Some(failure.to_string())),
            Err(_) => (Vec::new(), Some(format!("no answer within {} s", GLANCE.as_secs()))),
        };
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: environment.name.clone() };
        let backup = environment.backup.as_ref().and_then(|_| ambit.hosted_backup_status(&id).ok());
        all.push(There { environment: id.environment, project: project.to_owned(), services, backup, trouble });
    }
    all
}

pub(crate) fn show(there: &There) {
    let paint = Paint::stdout();
    println!("\n{} at Railway · {}", paint.strong(there.environment.as_str()), plain(&there.project));
    if let Some(trouble) = &there.trouble {
        println!("  ! {}", plain(trouble));
    }
    for row in columns(&there.services.iter().map(line).collect::<Vec<_>>(), "  ") {
        println!("{}", paint.dots(&row));
    }
    if let Some(backup) = &there.backup {
        println!("  {}", paint.dots(&backup_line(backup)));
    }
}

fn line(service: &HostedService) -> Vec<String> {
    let short = |commit: &String| commit.chars().take(7).collect::<String>();
    vec![
        plain(&service.name),
        (if service.healthy { "●" } else { "✗" }).to_owned(),
        plain(&service.state),
        service.commit.as_ref().map(short).unwrap_or_else(|| "–".to_owned()),
        plain(&service.urls.join(" ")),
    ]
}

pub(crate) async fn logs(
    folder: &Path,
    environments: &[String],
    services: &[String],
    search: LogSearchArguments,
    follow: bool,
    lines: Option<usize>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if search.release.is_some() {
        return Err(Failure::new(FailureKind::User, "not supported yet: logs at Railway by their release"));
    }
    let query = search.query();
    let (read_lines, shown) = if query.is_empty() { (lines.unwrap_or(SHOWN), None) } else { (SEARCHED, lines) };
    let filter = query.filter()?;
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let named = declaration.select(environments)?;
    let there: Vec<&EnvironmentName> =
        named.iter().filter(|name| declaration.project.environments[*name].railway_project().is_some()).collect();
    if there.is_empty() {
        return Err(Failure::new(FailureKind::NotFound, "no such environment lives at Railway")
            .hint("[providers.railway] project in ambit.toml says which do"));
    }
    let tokens = outside::tokens(&declaration);
    let mut seen: Vec<Option<HostedLine>> = vec![None; there.len()];
    loop {
        for (name, last) in there.iter().zip(&mut seen) {
            let mut found = ambit.hosted_logs(&declaration, name, services, read_lines, &tokens).await?;
            found.retain(|line| last.as_ref().is_none_or(|last| line > last));
            if let Some(newest) = found.last() {
                *last = Some(newest.clone());
            }
            found.retain(|line| filter.takes(&line_of(name, line)));
            let first = found.len().saturating_sub(shown.unwrap_or(usize::MAX));
            found.iter().skip(first).for_each(|line| show_line(name, line, json));
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn line_of(environment: &EnvironmentName, line: &HostedLine) -> LogLine {
    LogLine {
        at: line.at.clone(),
        environment: environment.clone(),
        instance: line.service.clone(),
        level: Level::of(&line.text),
        text: line.text.clone(),
        release: None,
    }
}

fn show_line(environment: &EnvironmentName, line: &HostedLine, json: bool) {
    if json {
        let line = serde_json::json!({ "environment": environment, "at": line.at, "service": line.service, "text": line.text });
        println!("{line}");
        return;
    }
    logs::show(&line_of(environment, line), false);
}
