//! `ambit down`

use std::{path::Path, process::ExitCode};

use ambit_app::Down;
use ambit_domain::Failure;
use ambit_server::Client;

use super::print_json;
use crate::{context, progress::Lines};

pub(crate) async fn run(folder: &Path, environments: Vec<String>, json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let daemon: Client = context::daemon().await?;
    let lines = Lines::new(json);
    let request = Down { project, environments, actor: context::actor(folder) };
    let idle: bool = daemon.work("/v1/down", &request, |event| lines.show(&event)).await?;
    if idle {
        context::stop(&daemon).await?;
    }
    if json {
        print_json(&serde_json::json!({ "down": true, "daemon": !idle }));
    } else if idle {
        println!("✓ down; data is kept. Nothing of ambit runs any more.");
    } else {
        println!("✓ down; data is kept");
    }
    Ok(ExitCode::SUCCESS)
}
