//! `ambit seed`

use std::{path::Path, process::ExitCode};

use ambit_app::Seed;
use ambit_domain::Failure;

use super::print_json;
use crate::{context, progress::Lines, screen::plain};

pub(crate) async fn run(folder: &Path, environment: &str, json: bool) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let request = Seed {
        keys: context::keys(&id.project)?,
        project: id.project,
        environment: id.environment,
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    let done: Vec<String> = context::daemon().await?.work("/v1/seed", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "seeded": done }));
    } else {
        println!("✓ {environment} is filled: {}", plain(&done.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
