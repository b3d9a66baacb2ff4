//! `ambit delivery`

use std::{path::Path, process::ExitCode};

use ambit_domain::{Failure, FailureKind, spec::Kind};

use super::print_json;
use crate::context;

pub(crate) fn run(folder: &Path, environment: Option<&str>, days: u32, json: bool) -> Result<ExitCode, Failure> {
    let id = match environment {
        Some(name) => context::environment(folder, name)?,
        None => {
            let declaration = context::declaration(folder)?;
            let production = declaration.project.environments.values().find(|e| e.kind == Kind::Production);
            let name = production.ok_or_else(|| {
                Failure::new(FailureKind::User, "there is no production environment")
                    .hint("name one: ambit delivery -e dev")
            })?;
            context::environment(folder, name.name.as_str())?
        }
    };
    let figures = context::ambit()?.delivery(&id, days)?;
    if json {
        print_json(&figures);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} over {days} days", id.environment);
    println!("  deployment frequency   {} · {:.2} a day", figures.deployments, figures.per_day);
    println!("  lead time              {}", figures.lead_time.map_or("–".to_owned(), span));
    println!("  change failure rate    {:.0} %", figures.failure_rate);
    println!("  time to restore        {}", figures.time_to_restore.map_or("–".to_owned(), span));
    Ok(ExitCode::SUCCESS)
}

fn span(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
