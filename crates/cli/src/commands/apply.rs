//! `ambit apply`, `ambit import`

use std::{path::Path, process::ExitCode};

use ambit_app::{Applied, Apply, Import, SavedPlan};
use ambit_domain::{Failure, FailureKind};

use super::{decide::ask, dns, print_json};
use crate::{context, progress::Lines};

pub(crate) async fn run(
    folder: &Path,
    plan: Option<&Path>,
    yes: bool,
    confirm: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let plan = match plan {
        Some(file) => read(file)?,
        None => {
            let found = dns::plan(&context::ambit()?, &declaration).await?;
            if !json {
                dns::show(&found);
            }
            dns::saved(&declaration, &found)
        }
    };
    if !plan.changes.is_empty() && !yes {
        agree(&format!("{} records of {} are changed", plan.changes.len(), plan.zone))?;
    }
    let request = Apply {
        folder: folder.to_path_buf(),
        keys: context::keys(&declaration.project.name)?,
        token: dns::token(&declaration),
        plan,
        confirm,
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    let applied: Applied = context::daemon().await?.work("/v1/apply", &request, |event| lines.show(&event)).await?;
    tell(&applied, "as declared", "changed", json);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn import(folder: &Path, yes: bool, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let found = dns::plan(&context::ambit()?, &declaration).await?;
    let fits = found.comparison.taken.iter().filter(|t| t.present.kind == t.record.content.kind()).count();
    if fits > 0 && !yes {
        if !json {
            dns::show(&found);
        }
        agree(&format!("{fits} records of {} become the project's", found.zone))?;
    }
    let request = Import {
        folder: folder.to_path_buf(),
        keys: context::keys(&declaration.project.name)?,
        token: dns::token(&declaration),
        actor: context::actor(folder),
    };
    let applied: Applied = context::daemon().await?.work("/v1/import", &request, |_| {}).await?;
    tell(&applied, "nobody else's where the project needs it", "taken over", json);
    Ok(ExitCode::SUCCESS)
}

fn tell(applied: &Applied, already: &str, done: &str, json: bool) {
    if json {
        print_json(applied);
    } else if applied.changes == 0 {
        println!("✓ {} is {already}; nothing was {done}", applied.zone);
    } else {
        println!("✓ {} records of {} were {done}", applied.changes, applied.zone);
    }
}

fn agree(what: &str) -> Result<(), Failure> {
    if ask(&format!("{what}. Yes? [yes/no] "))? == "yes" {
        return Ok(());
    }
    Err(Failure::new(FailureKind::User, "nothing was changed: nobody said yes")
        .hint("answer `yes`, or in a script: --yes"))
}

fn read(file: &Path) -> Result<SavedPlan, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(FailureKind::User, format!("{} is no plan that can be read", file.display()))
            .because(error.to_string())
            .hint("ambit plan --only dns --out FILE makes one")
    };
    let text = std::fs::read(file).map_err(|e| cannot(&e))?;
    serde_json::from_slice(&text).map_err(|e| cannot(&e))
}
