//! `ambit url`

use std::{path::Path, process::ExitCode};

use ambit_domain::Failure;

use super::print_json;
use crate::{context, screen::columns};

pub(crate) fn run(
    folder: &Path,
    environments: &[String],
    services: &[String],
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let names = declaration.select(environments)?;
    let mut urls = ambit.urls(&declaration, &names)?;
    urls.retain(|(_, service, _)| services.is_empty() || services.contains(service));
    if json {
        let list: Vec<_> =
            urls.iter().map(|(e, s, u)| serde_json::json!({ "environment": e, "service": s, "url": u })).collect();
        print_json(&list);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = urls.into_iter().map(|(e, s, u)| vec![e.to_string(), s, u]).collect();
    for row in columns(&rows, "") {
        println!("{row}");
    }
    Ok(ExitCode::SUCCESS)
}
