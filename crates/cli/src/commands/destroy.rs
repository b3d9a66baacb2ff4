//! `ambit destroy`

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use ambit_app::Destroy;
use ambit_domain::{Failure, FailureKind};

use super::print_json;
use crate::{context, progress::Lines};

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    confirm: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let confirmed = match confirm {
        Some(name) => name,
        None if std::io::stdin().is_terminal() => {
            eprint!("This deletes {environment} of {project} with all of its data. Type its name to go on: ");
            let _ = std::io::stderr().flush();
            let mut line = String::new();
            std::io::stdin()
                .read_line(&mut line)
                .map_err(|e| Failure::new(FailureKind::User, "nothing was typed").because(e.to_string()))?;
            line.trim().to_owned()
        }
        None => {
            return Err(Failure::new(
                FailureKind::User,
                format!("{environment} was not deleted: nobody can type its name"),
            )
            .hint(format!("ambit destroy {environment} --confirm {environment}")));
        }
    };
    let environment = environment.parse().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    let daemon = context::daemon().await?;
    let lines = Lines::new(json);
    let request = Destroy { project, environment, confirmed, actor: context::actor(folder) };
    let idle: bool = daemon.work("/v1/destroy", &request, |event| lines.show(&event)).await?;
    if idle {
        context::stop(&daemon).await?;
    }
    if json {
        print_json(&serde_json::json!({ "destroyed": request.environment, "daemon": !idle }));
    } else if idle {
        println!("✓ {} is deleted. Nothing of ambit runs any more.", request.environment);
    } else {
        println!("✓ {} is deleted", request.environment);
    }
    Ok(ExitCode::SUCCESS)
}
