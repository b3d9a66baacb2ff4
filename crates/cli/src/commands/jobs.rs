//! `ambit jobs`

use std::{path::Path, process::ExitCode};

use ambit_domain::Failure;

use super::print_json;
use crate::{
    context,
    screen::{plain, table},
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
    table(&["", "job", "schedule", "next", "last run"], rows);
    Ok(ExitCode::SUCCESS)
}
