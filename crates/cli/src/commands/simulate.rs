//! `ambit simulate`: a program of its own beside this one, so that what checks requests against published schemas is no part of what
//! runs in production.

use std::{os::unix::process::CommandExt, process::Command, process::ExitCode};

use ambit_domain::{Failure, FailureKind};

const PROGRAM: &str = "ambit-simulate";

pub(crate) fn run(port: u16, json: bool) -> Result<ExitCode, Failure> {
    let own = std::env::current_exe().map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
    let program = own.with_file_name(PROGRAM);
    if !program.is_file() {
        return Err(Failure::new(FailureKind::NotFound, format!("{PROGRAM} is not beside {}", own.display()))
            .hint("build it: cargo build --release -p ambit-simulators"));
    }
    let mut command = Command::new(&program);
    command.arg(port.to_string()).args(json.then_some("--json"));
    let error = command.exec();
    Err(Failure::new(FailureKind::Machine, format!("{} cannot be started", program.display()))
        .because(error.to_string()))
}
