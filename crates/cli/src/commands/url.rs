//! `ambit url`

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use ambit_domain::{Failure, FailureKind};

use super::print_json;
use crate::{
    context,
    screen::{columns, plain},
};

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
    let known: BTreeSet<String> = urls.iter().map(|(_, service, _)| service.clone()).collect();
    if let Some(missing) = services.iter().find(|service| !known.contains(*service)) {
        let known: Vec<String> = known.into_iter().collect();
        return Err(Failure::new(FailureKind::NotFound, format!("`{}` has no URL", plain(missing)))
            .because(format!("these have one: {}", known.join(", "))));
    }
    urls.retain(|(_, service, _)| services.is_empty() || services.contains(service));
    if json {
        let list: Vec<_> =
            urls.iter().map(|(e, s, u)| serde_json::json!({ "environment": e, "service": s, "url": u })).collect();
        print_json(&list);
        return Ok(ExitCode::SUCCESS);
    }
    // One service of one environment is asked for by a script: the URL and nothing else.
    if environments.len() == 1 && services.len() == 1 {
        urls.iter().for_each(|(_, _, url)| println!("{url}"));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = urls.into_iter().map(|(e, s, u)| vec![e.to_string(), s, u]).collect();
    for row in columns(&rows, "") {
        println!("{row}");
    }
    Ok(ExitCode::SUCCESS)
}
