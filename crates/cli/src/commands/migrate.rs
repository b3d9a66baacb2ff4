//! `ambit migrate`

use std::{path::Path, process::ExitCode};

use ambit_app::{Migrate, ServiceMigrations};
use ambit_domain::Failure;

use super::print_json;
use crate::{context, progress::Lines, screen::plain};

pub(crate) async fn run(folder: &Path, environment: &str, status: bool, json: bool) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let request = Migrate {
        folder: folder.to_path_buf(),
        environment: id.environment.clone(),
        keys: context::keys(&id.project)?,
        actor: context::actor(folder),
    };
    if status {
        let all: Vec<ServiceMigrations> = context::daemon().await?.work("/v1/migrate/status", &request, |_| {}).await?;
        return Ok(show(&all, json));
    }
    let lines = Lines::new(json);
    let done: Vec<String> = context::daemon().await?.work("/v1/migrate", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "migrated": done }));
    } else if done.is_empty() {
        println!("{} has nothing that migrates", id.environment);
    } else {
        println!("✓ {}: {}", id.environment, done.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(all: &[ServiceMigrations], json: bool) -> ExitCode {
    if json {
        print_json(&all);
    } else if all.is_empty() {
        println!("nothing migrates");
    }
    let pending = all.iter().flat_map(|s| &s.files).any(|f| !f.ran);
    if !json {
        for service in all {
            match &service.command {
                Some(command) => {
                    println!("{}: `{}` keeps its own account; run it to see", service.service, plain(command))
                }
                None => println!("{}:", service.service),
            }
            for file in &service.files {
                let mark = match (file.ran, file.changed) {
                    (true, true) => "✗ ran, and its file was changed since",
                    (true, false) => "✓ ran",
                    (false, _) => "… not yet",
                };
                println!("  {mark}  {}", plain(&file.name));
            }
        }
    }
    if pending { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
