//! Makes one masked copy and prints its report as JSON, for measurements and for looking at the engine by itself.
//!
//! `SOURCE_PORT SOURCE_DATABASE TARGET_PORT BESIDE MASKING_FILE PROGRAMS [PERCENT]`; both servers by the user `postgres`
//! and the password in `PGPASSWORD`.

use std::{path::PathBuf, process::ExitCode};

use ambit_data::{
    Choice, CopyOrder, Database, copy,
    masking::{MaskKey, MaskingFile},
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source_port, source, target_port, beside, masking, programs, rest @ ..] = arguments.as_slice() else {
        eprintln!("SOURCE_PORT SOURCE_DATABASE TARGET_PORT BESIDE MASKING_FILE PROGRAMS [PERCENT]");
        return ExitCode::from(2);
    };
    let database = |port: &str, name: &str| Database {
        port: port.parse().unwrap_or(5432),
        user: "postgres".to_owned(),
        password: std::env::var("PGPASSWORD").unwrap_or_default(),
        name: name.to_owned(),
    };
    let Ok(text) = std::fs::read_to_string(masking) else {
        eprintln!("{masking} cannot be read");
        return ExitCode::FAILURE;
    };
    let masking = match MaskingFile::parse(&text) {
        Ok(file) => file,
        Err(problems) => {
            problems.iter().for_each(|p| eprintln!("{}", p.message));
            return ExitCode::FAILURE;
        }
    };
    let Ok(folder) = tempfile::tempdir() else { return ExitCode::FAILURE };
    let order = CopyOrder {
        source: database(source_port, source),
        server: database(target_port, "postgres"),
        beside: beside.clone(),
        owner: "postgres".to_owned(),
        masking,
        key: MaskKey::new([7; 32]),
        programs: PathBuf::from(programs),
        folder: folder.path().to_owned(),
        choice: rest
            .first()
            .and_then(|p| p.parse().ok())
            .map(|percent| Choice { percent: Some(percent), conditions: Vec::new() }),
        rate: None,
    };
    match copy(order, tokio_util::sync::CancellationToken::new(), &|_| {}).await {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).unwrap_or_default());
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("{failure}: {:?} {:?}", failure.causes, failure.hints);
            ExitCode::FAILURE
        }
    }
}
