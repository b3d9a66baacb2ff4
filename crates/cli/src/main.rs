//! The command line: arguments, screens, progress, prompts and exit codes. One file a command under `commands`; it
//! decides nothing that the application could decide.

#![allow(clippy::print_stdout, clippy::print_stderr)] // This room is the one that prints.

#[macro_use]
mod output;

mod arguments;
mod commands;
mod context;
mod failure;
mod follow;
mod progress;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    // The keeper first: it stays small, without a runtime and without anything that the others need.
    if let Command::Keeper { record } = &arguments.command {
        return match ambit_keeper::run(record) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // Every file and folder says its mode itself. With root's umask on a hardened server (077) an environment's user could not
    // pass through the folders above its own.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure::tell(&failure, json),
    }
}
