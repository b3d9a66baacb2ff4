//! `ambit data snapshot|restore|snapshots|delete`

use std::{path::Path, process::ExitCode};

use ambit_app::{OneSnapshot, Snapshot};
use ambit_domain::Failure;

use super::super::print_json;
use crate::{
    context,
    progress::Lines,
    screen::{ago, bytes, columns, moment, plain},
};

fn request(folder: &Path, environment: &str, name: String) -> Result<OneSnapshot, Failure> {
    let id = context::environment(folder, environment)?;
    Ok(OneSnapshot { project: id.project, environment: id.environment, name, actor: context::actor(folder) })
}

pub(crate) async fn make(folder: &Path, environment: &str, name: String, json: bool) -> Result<ExitCode, Failure> {
    let request = request(folder, environment, name)?;
    let lines = Lines::new(json);
    let made: Snapshot =
        context::daemon().await?.work("/v1/data/snapshot", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&made);
    } else {
        println!("✓ snapshot {} of {environment} ({})", plain(&made.name), bytes(made.size));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn restore(folder: &Path, environment: &str, name: String, json: bool) -> Result<ExitCode, Failure> {
    let request = request(folder, environment, name)?;
    let lines = Lines::new(json);
    let kept: String = context::daemon().await?.work("/v1/data/restore", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "restored": request.name, "kept": kept }));
    } else {
        println!("✓ {environment} has the data of {}; what was there is the snapshot {kept}", plain(&request.name));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn list(folder: &Path, environment: &str, json: bool) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let all = context::ambit()?.snapshots(&id).await?;
    if json {
        print_json(&all);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|s| vec![plain(&s.name), moment(s.made), format!("{} ago", ago(s.made)), bytes(s.size)])
        .collect();
    for row in columns(&rows, "") {
        println!("{row}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn delete(folder: &Path, environment: &str, name: String, json: bool) -> Result<ExitCode, Failure> {
    let request = request(folder, environment, name)?;
    context::daemon().await?.work::<_, ()>("/v1/data/delete", &request, |_| {}).await?;
    if json {
        print_json(&serde_json::json!({ "deleted": request.name }));
    } else {
        println!("✓ the snapshot {} of {environment} is deleted", plain(&request.name));
    }
    Ok(ExitCode::SUCCESS)
}
