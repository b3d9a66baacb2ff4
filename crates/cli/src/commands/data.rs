//! `ambit data`

mod classify;
mod copies;
mod copy;

use std::{path::Path, process::ExitCode};

use ambit_domain::Failure;

use crate::arguments::DataCommand;

pub(crate) async fn run(folder: &Path, command: DataCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        DataCommand::Copy { from, to, sample, conditions, rate } => {
            copy::run(folder, [&from, &to], sample, conditions, rate, json).await
        }
        DataCommand::Classify { environment, spanish } => classify::run(folder, &environment, spanish, json).await,
        DataCommand::Copies { environment } => copies::run(folder, &environment, json),
    }
}
