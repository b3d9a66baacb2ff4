//! `ambit data copies`

use std::{path::Path, process::ExitCode};

use ambit_domain::Failure;

use crate::{
    commands::print_json,
    context,
    screen::{ago, moment, plain, table},
};

pub(crate) fn run(folder: &Path, environment: &str, json: bool) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let copies = context::ambit()?.masked_copies(&id)?;
    if json {
        print_json(&copies);
        return Ok(ExitCode::SUCCESS);
    }
    if copies.is_empty() {
        println!("no masked copy was made into {environment} yet: ambit data copy prod {environment}");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = copies.iter().map(|copy| {
        let outcome = if copy.swapped_in {
            "✓ served".to_owned()
        } else {
            let places: Vec<&str> = copy.report.leaks.leaks.iter().map(|l| l.found_in.as_str()).collect();
            format!("✗ leaked in {}", places.join(", "))
        };
        vec![
            moment(copy.at),
            format!("{} ago", ago(copy.at)),
            copy.from.to_string(),
            copy.report.rows().to_string(),
            plain(&copy.by),
            plain(&outcome),
        ]
    });
    table(&["taken", "", "from", "rows", "by", "leak check"], rows);
    Ok(ExitCode::SUCCESS)
}
