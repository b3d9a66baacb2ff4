//! `ambit log`

use std::{path::Path, process::ExitCode};

use ambit_app::AuditFilter;
use ambit_domain::{
    Failure, FailureKind,
    audit::{Entry, Fact},
};

use super::print_json;
use crate::{
    context,
    screen::{Paint, moment, plain, table},
};

pub(crate) fn run(folder: &Path, environment: Option<&str>, lines: usize, json: bool) -> Result<ExitCode, Failure> {
    let ambit = context::ambit()?;
    let environment =
        environment.map(str::parse).transpose().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    let project = Some(context::project(folder)?);
    let entries = ambit.audit(&AuditFilter { project, environment, since: None, limit: Some(lines) })?;
    if json {
        print_json(&entries);
        return Ok(ExitCode::SUCCESS);
    }
    table(&["", "when", "environment", "what", "who", "from", ""], entries.iter().map(row));
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &Entry) -> Vec<String> {
    let about: Vec<String> = entry.about.iter().map(|(name, fact)| format!("{name}: {}", shown(fact))).collect();
    vec![
        entry.sequence.to_string(),
        moment(entry.at),
        plain(entry.environment.as_deref().unwrap_or("–")),
        plain(&entry.what),
        plain(&entry.who),
        plain(&entry.from),
        plain(&about.join(" · ")),
    ]
}

fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Fact::Number(number) => number.to_string(),
        Fact::Text(text) => text.clone(),
        Fact::Texts(texts) => texts.join(", "),
    }
}

pub(crate) fn verify(json: bool) -> Result<ExitCode, Failure> {
    match context::ambit()?.verify_audit()? {
        Ok(head) => {
            if json {
                print_json(&serde_json::json!({ "verified": true, "entries": head.sequence, "hash": head.hash }));
            } else {
                println!("✓ {} entries, of all projects on this machine, hold together", head.sequence);
                println!("  newest: {} {}", head.sequence, head.hash);
                println!("  keep that line elsewhere: it proves later that nothing up to there was cut off");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => {
            if json {
                print_json(&serde_json::json!({ "verified": false, "broken": broken }));
            } else {
                let paint = Paint::stderr();
                eprintln!("{} the audit log was tampered with", paint.bad("✗"));
                eprintln!("  entry {}: {}", broken.sequence, plain(&broken.why));
                eprintln!("  {} keep a copy of the state folder before anything else", paint.strong("next:"));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
