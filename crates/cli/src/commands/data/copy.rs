//! `ambit data copy`

use std::{path::Path, process::ExitCode};

use ambit_app::{CopyData, MaskedCopy};
use ambit_domain::{Failure, FailureKind};

use crate::{
    commands::print_json,
    context,
    progress::Lines,
    screen::{columns, plain, seconds},
};

pub(crate) async fn run(
    folder: &Path,
    [from, to]: [&str; 2],
    sample: Option<String>,
    conditions: Vec<String>,
    rate: Option<u64>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, to)?;
    let request = CopyData {
        folder: folder.to_path_buf(),
        from: context::environment(folder, from)?.environment,
        to: id.environment,
        keys: context::keys(&id.project)?,
        percent: sample.as_deref().map(percent).transpose()?,
        conditions: conditions.iter().map(|c| condition(c)).collect::<Result<_, _>>()?,
        rate: rate.map(|megabytes| megabytes << 20),
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    let copy: MaskedCopy = context::daemon().await?.work("/v1/data/copy", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&copy);
    } else {
        show(&copy);
    }
    Ok(ExitCode::SUCCESS)
}

/// `5%`, or `5`.
fn percent(text: &str) -> Result<f64, Failure> {
    let number = text.trim().trim_end_matches('%').trim().parse::<f64>().ok();
    number.filter(|p| *p > 0.0 && *p <= 100.0).ok_or_else(|| {
        Failure::new(FailureKind::User, format!("`{}` is no sample", plain(text)))
            .hint("more than 0 % and at most 100 %: --sample 5%")
    })
}

/// `TABLE: CONDITION`.
fn condition(text: &str) -> Result<(String, String), Failure> {
    let parts = text.split_once(':').map(|(table, condition)| (table.trim(), condition.trim()));
    match parts {
        Some((table, condition)) if !table.is_empty() && !condition.is_empty() => {
            Ok((table.to_owned(), condition.to_owned()))
        }
        _ => Err(Failure::new(FailureKind::User, format!("`{}` is no condition on a table", plain(text)))
            .hint("name the table first: --where \"users: created_at > now() - interval '30 days'\"")),
    }
}

fn show(copy: &MaskedCopy) {
    let report = &copy.report;
    let rows: Vec<Vec<String>> = report
        .tables
        .iter()
        .map(|t| {
            let part = if t.rows == t.of { String::new() } else { format!("of {}", t.of) };
            let masked = match t.masked {
                0 => "nothing to mask".to_owned(),
                1 => "1 column masked".to_owned(),
                n => format!("{n} columns masked"),
            };
            vec![plain(&t.table), t.rows.to_string(), part, masked]
        })
        .collect();
    for row in columns(&rows, "  ") {
        println!("{row}");
    }
    println!(
        "\n✓ {} has the data of {}, masked: {} texts looked through, no value of {} among them",
        copy.to, copy.from, report.leaks.texts, copy.from
    );
    let [copied, checked, built] = report.millis;
    println!("  rows {} · leak check {} · indexes {}", seconds(copied), seconds(checked), seconds(built));
    for (column, reason) in &report.leaks.excused {
        println!("  not looked through: {} ({})", plain(column), plain(reason));
    }
    println!("  what was there before: ambit data restore -e {} before-copy", copy.to);
}
