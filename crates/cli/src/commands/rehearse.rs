//! `ambit rehearse`

use std::{path::Path, process::ExitCode};

use ambit_app::{Rehearsal, Rehearse};
use ambit_domain::Failure;

use super::print_json;
use crate::{
    context,
    progress::Lines,
    screen::{columns, plain},
};

pub(crate) async fn run(
    folder: &Path,
    environment: &str,
    release: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let request = Rehearse {
        folder: folder.to_path_buf(),
        environment: id.environment,
        release,
        keys: context::keys(&id.project)?,
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    let rehearsal: Rehearsal =
        context::daemon().await?.work("/v1/rehearse", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&rehearsal);
    } else {
        show(&rehearsal, environment);
    }
    Ok(if rehearsal.report.is_harmless() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(rehearsal: &Rehearsal, environment: &str) {
    if rehearsal.migrations.is_empty() {
        println!("{environment} has nothing to migrate");
        return;
    }
    let report = &rehearsal.report;
    let one_line = |text: &str| plain(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let rows: Vec<Vec<String>> = report
        .statements
        .iter()
        .map(|s| {
            let locks: Vec<String> =
                s.locks.iter().map(|l| format!("{} {} {} ms", plain(&l.table), l.mode, l.millis)).collect();
            let text: String = one_line(&s.statement).chars().take(60).collect();
            vec![plain(&s.migration), format!("{} ms", s.millis), text, locks.join(", ")]
        })
        .collect();
    for row in columns(&rows, "  ") {
        println!("{row}");
    }
    for danger in &report.dangers {
        println!("✗ {}: {}", plain(&danger.migration), plain(&danger.what));
        println!("    {}", one_line(&danger.statement));
        println!("    safe: {}", plain(&danger.safe_way));
    }
    match &report.failed {
        Some(failed) => {
            println!("✗ {} failed", plain(&failed.migration));
            for line in [&failed.statement, &failed.error].into_iter().flat_map(|text| text.lines()) {
                println!("    {}", plain(line));
            }
        }
        None if report.dangers.is_empty() => println!("✓ nothing failed, nothing would hurt {environment}"),
        None => {}
    }
}
