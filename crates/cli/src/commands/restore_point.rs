//! `ambit restore-point`

use std::{path::Path, process::ExitCode};

use ambit_app::{LoadRestorePoint, MakeRestorePoint};
use ambit_domain::{Failure, FailureKind, release::RestorePoint};

use super::{decide::ask, print_json};
use crate::{
    arguments::RestorePointCommand,
    context,
    progress::Lines,
    screen::{ago, bytes, columns, moment},
};

pub(crate) async fn run(folder: &Path, command: RestorePointCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        RestorePointCommand::Make { environment } => {
            let id = context::environment(folder, &environment)?;
            let request =
                MakeRestorePoint { project: id.project, environment: id.environment, actor: context::actor(folder) };
            let lines = Lines::new(json);
            let point: RestorePoint =
                context::daemon().await?.work("/v1/restore-point", &request, |event| lines.show(&event)).await?;
            if json {
                print_json(&point);
            } else {
                println!("✓ restore point {} of {} ({})", point.name, environment, bytes(point.size));
            }
        }
        RestorePointCommand::List { environment } => {
            let id = context::environment(folder, &environment)?;
            let points = context::ambit()?.restore_points(&id)?;
            if json {
                print_json(&points);
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<Vec<String>> = points
                .iter()
                .map(|p| vec![p.name.clone(), moment(p.at), format!("{} ago", ago(p.at)), bytes(p.size)])
                .collect();
            for row in columns(&rows, "") {
                println!("{row}");
            }
        }
        RestorePointCommand::Load { name, environment, confirm } => {
            let id = context::environment(folder, &environment)?;
            let typed = match confirm {
                Some(typed) => typed,
                None => ask(&format!(
                    "What was written to {environment} since then goes out of the app's sight. Type {environment} to go on: "
                ))?,
            };
            if typed != id.environment.as_str() {
                return Err(Failure::new(
                    FailureKind::User,
                    "nothing was changed: the name that was typed is not its name",
                )
                .hint(format!("--confirm {environment}")));
            }
            let request = LoadRestorePoint {
                project: id.project,
                environment: id.environment,
                name,
                actor: context::actor(folder),
            };
            let lines = Lines::new(json);
            let kept: String =
                context::daemon().await?.work("/v1/restore-point/load", &request, |event| lines.show(&event)).await?;
            if json {
                print_json(&serde_json::json!({ "kept": kept }));
            } else {
                println!("✓ put back; what was there is the database {kept}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
