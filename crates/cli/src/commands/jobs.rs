//! `ambit jobs`

use std::{path::Path, process::ExitCode};

use ambit_domain::Failure;

use super::print_json;
use crate::{
    context,
    screen::{Paint, columns, plain},
};

pub(crate) fn run(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let jobs = context::ambit()?.jobs(&context::project(folder)?)?;
    if json {
        print_json(&jobs);
        return Ok(ExitCode::SUCCESS);
    }
    if jobs.is_empty() {
        println!("no service has a schedule; [services.NAME] schedule = \"0 3 * * *\" gives it one");
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["", "job", "schedule", "next", "last run"].map(str::to_owned).to_vec();
    let rows = jobs.iter().map(|job| {
        let last = match (job.running, job.well) {
            (true, _) => "runs now".to_owned(),
            (false, None) => "–".to_owned(),
            (false, Some(true)) => "✓ ended well".to_owned(),
            (false, Some(false)) => format!("✗ {}", plain(&job.exit)),
        };
        vec![
            job.environment.to_string(),
            job.service.clone(),
            plain(&job.schedule),
            job.next.clone().unwrap_or_default(),
            last,
        ]
    });
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    for (n, row) in columns(&rows, "").iter().enumerate() {
        println!("{}", if n == 0 { Paint::stdout().dim(row) } else { row.clone() });
    }
    Ok(ExitCode::SUCCESS)
}
