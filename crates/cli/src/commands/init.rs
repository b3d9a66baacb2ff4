//! `ambit init`

use std::{fs::OpenOptions, io::Write, path::Path, process::ExitCode};

use ambit_domain::{Failure, FailureKind};

use super::print_json;

pub(crate) fn run(directory: Option<&Path>, print: bool, json: bool) -> Result<ExitCode, Failure> {
    let folder = directory.unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| {
        Failure::new(FailureKind::NotFound, format!("there is no folder {}", folder.display())).because(e.to_string())
    })?;
    let draft = ambit_source::init::draft(&folder)
        .map_err(|error| Failure::from_error(FailureKind::User, &error).hint_if(error.hint()))?;
    if print {
        print!("{}", draft.toml);
        return Ok(ExitCode::SUCCESS);
    }
    let file = folder.join("ambit.toml");
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)
        .and_then(|mut f| f.write_all(draft.toml.as_bytes()));
    written.map_err(|error| {
        let failure =
            Failure::new(FailureKind::User, format!("{} was not written", file.display())).because(error.to_string());
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                failure.hint("it is there already; ambit init --print shows what would be written")
            }
            _ => failure,
        }
    })?;
    if json {
        print_json(&serde_json::json!({ "file": file, "notes": draft.notes }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("✓ wrote {}", file.display());
    for note in &draft.notes {
        println!("  {note}");
    }
    println!("  next: ambit check, then ambit up");
    Ok(ExitCode::SUCCESS)
}
