//! `ambit daemon`

use std::process::ExitCode;

use ambit_domain::{Failure, FailureKind};

use crate::context;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    logging();
    let ambit = context::ambit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(FailureKind::Internal, "no runtime").because(e.to_string()))?;
    runtime.block_on(ambit_server::run(ambit, context::program_mark()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("AMBIT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // What cannot be logged, since the disk is full, would be told to the same place, and end the task that logs.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .init();
}
