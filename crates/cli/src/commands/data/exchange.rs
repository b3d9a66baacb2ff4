//! `ambit data export|import`

use std::{path::Path, process::ExitCode};

use ambit_app::Exchange;
use ambit_domain::{Failure, FailureKind};

use super::super::print_json;
use crate::{context, progress::Lines, screen::bytes};

fn request(folder: &Path, environment: &str, file: &Path) -> Result<Exchange, Failure> {
    let id = context::environment(folder, environment)?;
    // The daemon works in another folder.
    let file = std::path::absolute(file)
        .map_err(|e| Failure::new(FailureKind::User, "the file has no name").because(e.to_string()))?;
    Ok(Exchange { project: id.project, environment: id.environment, file, actor: context::actor(folder) })
}

pub(crate) async fn export(folder: &Path, environment: &str, file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let request = request(folder, environment, file)?;
    let lines = Lines::new(json);
    let size: u64 = context::daemon().await?.work("/v1/data/export", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "file": request.file, "size": size }));
    } else {
        println!("✓ {} holds the data of {environment} ({})", request.file.display(), bytes(size));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn import(folder: &Path, environment: &str, file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let request = request(folder, environment, file)?;
    let lines = Lines::new(json);
    let kept: String = context::daemon().await?.work("/v1/data/import", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "imported": request.file, "kept": kept }));
    } else {
        println!("✓ {environment} has the data of {}; what was there is the snapshot {kept}", request.file.display());
    }
    Ok(ExitCode::SUCCESS)
}
