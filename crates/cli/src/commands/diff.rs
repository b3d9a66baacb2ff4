//! `ambit diff`

use std::{path::Path, process::ExitCode};

use ambit_app::Diff;
use ambit_domain::Failure;

use super::print_json;
use crate::{
    context,
    screen::{Paint, bytes, columns, plain},
};

pub(crate) fn run(folder: &Path, from: &str, to: &str, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let names = declaration.select(&[from.to_owned(), to.to_owned()])?;
    let [from, to] = names.as_slice() else { return Ok(ExitCode::SUCCESS) };
    let diff = context::ambit()?.diff(&declaration, from, to)?;
    if json {
        print_json(&diff);
    } else {
        show(&diff);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(diff: &Diff) {
    let paint = Paint::stdout();
    let sides = [&diff.from, &diff.to].map(|side| {
        let servers: Vec<String> = side.servers.iter().map(|(name, version)| format!("{name} {version}")).collect();
        vec![
            side.environment.to_string(),
            plain(&side.version),
            side.release.clone().unwrap_or_default(),
            bytes(side.size),
            servers.join(", "),
        ]
    });
    for row in columns(&sides, "") {
        println!("{row}");
    }
    if diff.same_release {
        println!("\nboth run the same release");
    }
    let (ahead, behind) = (&diff.from.environment, &diff.to.environment);
    if !diff.commits.is_empty() {
        println!("\n{}", paint.strong(&format!("{} commits that {behind} does not have", diff.commits.len())));
        for (id, author, subject) in &diff.commits {
            println!("  {id} {} {}", plain(subject), paint.dim(&plain(author)));
        }
    }
    if !diff.migrations.is_empty() {
        println!("\n{}", paint.strong(&format!("{} migrations that {behind} has not run", diff.migrations.len())));
        for migration in &diff.migrations {
            println!("  {}", plain(&migration.path));
            for lost in &migration.irreversible {
                println!("    {} {}", paint.bad("!"), plain(lost));
            }
        }
    }
    if !diff.variables.is_empty() {
        println!("\n{}", paint.strong("variables that differ"));
        let heads = vec![String::new(), ahead.to_string(), behind.to_string()];
        let rows: Vec<Vec<String>> = std::iter::once(heads)
            .chain(diff.variables.iter().map(|v| {
                let shown = |value: &Option<String>, side| match (value, v.secret) {
                    _ if v.missing_in.as_ref() == Some(side) => "–".to_owned(),
                    (_, true) => "(secret, another)".to_owned(),
                    (Some(value), _) => plain(value),
                    (None, _) => String::new(),
                };
                vec![v.name.clone(), shown(&v.from, ahead), shown(&v.to, behind)]
            }))
            .collect();
        for row in columns(&rows, "  ") {
            println!("{row}");
        }
    }
}
