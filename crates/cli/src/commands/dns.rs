//! `ambit dns`, and what other commands show of a zone.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path, process::ExitCode};

use ambit_app::{Ambit, Declaration, DnsPlan, SavedPlan};
use ambit_domain::{
    Failure, FailureKind,
    dns::{Change, Record, zone_file},
};
use serde_json::json;

use super::print_json;
use crate::{
    context,
    screen::{columns, plain},
};

pub(crate) fn run(folder: &Path, as_zone_file: bool, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let (zone, (records, unmet)) = declaration
        .project
        .providers
        .cloudflare
        .as_ref()
        .map(|c| c.zone.clone())
        .zip(declaration.dns_records())
        .ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} declares no zone", declaration.project.name))
                .hint("add to ambit.toml: [providers.cloudflare] zone = \"example.org\"")
        })?;
    if json {
        print_json(&json!({ "zone": zone, "records": records, "unmet": unmet }));
    } else if as_zone_file {
        print!("{}", zone_file(&zone, &records));
    } else {
        for row in columns(&records.iter().map(cells).collect::<Vec<_>>(), "") {
            println!("{row}");
        }
    }
    if !json {
        for missing in &unmet {
            eprintln!("{}: {}", missing.host, missing.why);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(record: &Record) -> Vec<String> {
    vec![
        record.content.kind().to_owned(),
        record.host.clone(),
        record.content.text(),
        (if record.proxied { "proxied" } else { "DNS only" }).to_owned(),
    ]
}

/// The token where this command's environment has it.
pub(crate) fn token(declaration: &Declaration) -> Option<String> {
    let name = &declaration.project.providers.cloudflare.as_ref()?.access.token;
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

pub(crate) async fn plan(ambit: &Ambit, declaration: &Declaration) -> Result<DnsPlan, Failure> {
    ambit.plan_dns(declaration, token(declaration).as_deref()).await
}

pub(crate) fn saved(declaration: &Declaration, plan: &DnsPlan) -> SavedPlan {
    SavedPlan {
        version: 1,
        project: declaration.project.name.to_string(),
        zone: plan.zone.clone(),
        changes: plan.comparison.changes.clone(),
    }
}

pub(crate) fn save(declaration: &Declaration, plan: &DnsPlan, file: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(FailureKind::User, format!("the plan cannot be written to {}", file.display()))
            .because(error.to_string())
    };
    let text = serde_json::to_vec_pretty(&saved(declaration, plan))
        .map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
    let mut options = std::fs::OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(file).map_err(cannot)?;
    written.write_all(&text).map_err(cannot)
}

pub(crate) fn show(plan: &DnsPlan) {
    let found = &plan.comparison;
    println!("dns · {}", plan.zone);
    let rows: Vec<Vec<String>> = found
        .changes
        .iter()
        .map(|change| {
            let (mark, kind, what) = match change {
                Change::Create { record } => ("+", record.content.kind().to_owned(), said(record)),
                Change::Change { present, record } => ("~", present.kind.clone(), differences(present, record)),
                Change::Delete { present } => ("-", present.kind.clone(), plain(&present.content)),
            };
            vec![mark.to_owned(), kind, plain(change.host()), what]
        })
        .collect();
    for row in columns(&rows, "  ") {
        println!("{row}");
    }
    for taken in &found.taken {
        let (there, record) = (&taken.present, &taken.record);
        println!(
            "  ! {} {}: somebody else's record {} {} is there; it is not touched (ambit import makes it the project's, or delete it)",
            record.content.kind(),
            record.host,
            plain(&there.kind),
            plain(&there.content)
        );
    }
    for missing in &plan.unmet {
        println!("  ! {}: {}", missing.host, missing.why);
    }
    if !plan.waits_for.is_empty() {
        println!(
            "  ! the domain does not ask Cloudflare yet: its name servers have to be {}",
            plain(&plan.waits_for.join(", "))
        );
    }
    println!("  {} to do, {} as declared, {} not the project's", found.changes.len(), found.kept, found.unmanaged);
}

fn said(record: &Record) -> String {
    format!("{}{}", record.content.text(), if record.proxied { ", proxied" } else { "" })
}

fn differences(present: &ambit_domain::dns::Present, record: &Record) -> String {
    let word = |proxied: bool| if proxied { "proxied" } else { "DNS only" };
    let pairs = [
        (plain(&present.content), record.content.text()),
        (word(present.proxied).to_owned(), word(record.proxied).to_owned()),
        (plain(&present.comment), record.mark.clone()),
    ];
    let changed: Vec<String> =
        pairs.iter().filter(|(old, new)| old != new).map(|(old, new)| format!("{old} → {new}")).collect();
    changed.join(", ")
}
