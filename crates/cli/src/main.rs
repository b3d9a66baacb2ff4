//! The command line: arguments, screens, progress, prompts and exit codes. One file a command under `commands`; it
//! decides nothing that the application could decide.

#![allow(clippy::print_stdout, clippy::print_stderr)] // This room is the one that prints.

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
    if !matches!(arguments.command, Command::Daemon | Command::Proxy { .. }) {
        end_with_the_reader();
    }
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure::tell(&failure, json),
    }
}

/// `ambit status | head` ends quietly when head does: Rust ignores SIGPIPE at start, and printing would panic instead.
#[allow(unsafe_code)]
fn end_with_the_reader() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: no handler is installed, only the default action restored, before any other thread runs. A failure leaves
    // what was there.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}
