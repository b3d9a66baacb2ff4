//! `ambit plan`

use std::{path::Path, process::ExitCode};

use ambit_domain::{Failure, plan::Action};

use super::print_json;
use crate::{context, screen::columns};

pub(crate) fn run(folder: &Path, environments: &[String], json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let names = declaration.select(environments)?;
    let plans = names.iter().map(|n| ambit.plan(&declaration, n)).collect::<Result<Vec<_>, _>>()?;
    if json {
        print_json(&plans);
        return Ok(ExitCode::SUCCESS);
    }
    for plan in &plans {
        println!("{} · {}{}", plan.environment, plan.code, if plan.starts { " · everything is started" } else { "" });
        let rows: Vec<Vec<String>> = plan
            .steps
            .iter()
            .map(|step| {
                let (mark, what) = match &step.action {
                    Action::Create => ("+", "made".to_owned()),
                    Action::Replace { because } => ("~", format!("replaced: {}", because.join(", "))),
                    Action::Adjust { because } => ("~", format!("adjusted: {}", because.join(", "))),
                    Action::Remove => ("-", "stopped; data is kept".to_owned()),
                    Action::Keep => (" ", "as it is".to_owned()),
                };
                vec![mark.to_owned(), step.service.to_string(), what]
            })
            .collect();
        for row in columns(&rows, "  ") {
            println!("{row}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
