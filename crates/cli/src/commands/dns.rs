//! `ambit dns`

use std::{path::Path, process::ExitCode};

use ambit_domain::{
    Failure, FailureKind,
    dns::{Record, Wanted, zone_file},
};
use serde_json::json;

use super::print_json;
use crate::{context, screen::columns};

pub(crate) fn run(folder: &Path, as_zone_file: bool, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let declared = declaration.project.providers.cloudflare.as_ref();
    let Some((zone, wanted)) = declared.map(|c| c.zone.clone()).zip(declaration.dns_records()) else {
        let failure = Failure::new(FailureKind::NotFound, format!("{} declares no zone", declaration.project.name));
        return Err(failure.hint("add to ambit.toml: [providers.cloudflare] zone = \"example.org\""));
    };
    let Wanted { records, unmet, waiting } = &wanted;
    if json {
        print_json(&json!({ "zone": zone, "records": records, "unmet": unmet, "waiting": waiting }));
        return Ok(ExitCode::SUCCESS);
    }
    if as_zone_file {
        print!("{}", zone_file(&zone, records));
    } else {
        for row in columns(&records.iter().map(cells).collect::<Vec<_>>(), "") {
            println!("{row}");
        }
    }
    for missing in unmet {
        eprintln!("{}: {}", missing.host, missing.why);
    }
    for record in waiting.iter().filter(|w| !w.proof) {
        eprintln!("{}: {} (ambit plan --only railway,dns)", record.host, record.from);
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(record: &Record) -> Vec<String> {
    let proxy = if record.proxied { "proxied" } else { "DNS only" };
    vec![record.content.kind().to_owned(), record.host.clone(), record.content.text(), proxy.to_owned()]
}
