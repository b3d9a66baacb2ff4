//! `ambit data classify`

use std::{path::Path, process::ExitCode};

use ambit_app::Classified;
use ambit_domain::Failure;

use crate::{
    commands::print_json,
    context,
    screen::{plain, table},
};

pub(crate) async fn run(folder: &Path, environment: &str, spanish: bool, json: bool) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    let classified = context::ambit()?.classify(folder, &id, spanish).await?;
    if json {
        print_json(&classified);
    } else {
        show(&classified);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(classified: &Classified) {
    let rows = classified.added.iter().map(|column| {
        vec![
            plain(&column.column),
            plain(&column.rule),
            format!("{:.0} %", column.confidence * 100.0),
            plain(&column.reason),
        ]
    });
    if !classified.added.is_empty() {
        table(&["column", "proposed", "sure", "because"], rows);
        println!();
    }
    for column in &classified.vanished {
        println!("{} is in the file and no longer in the database: remove its line", plain(column));
    }
    let file = classified.file.display();
    match classified.added.len() {
        0 => println!("✓ {file} says what becomes of each of the {} columns", classified.columns),
        n => println!("✓ {n} of {} columns are new in {file}: look at each line, then commit it", classified.columns),
    }
}
