//! `ambit data`: one file a subcommand.

mod classify;
mod copies;
mod copy;
mod exchange;
mod snapshots;

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
        DataCommand::Snapshot { environment, name } => snapshots::make(folder, &environment, name, json).await,
        DataCommand::Restore { environment, name } => snapshots::restore(folder, &environment, name, json).await,
        DataCommand::Snapshots { environment } => snapshots::list(folder, &environment, json).await,
        DataCommand::Delete { environment, name } => snapshots::delete(folder, &environment, name, json).await,
        DataCommand::Export { environment, file } => exchange::export(folder, &environment, &file, json).await,
        DataCommand::Import { environment, file } => exchange::import(folder, &environment, &file, json).await,
    }
}
