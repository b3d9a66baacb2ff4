//! One file a command.

mod check;
mod completions;
mod daemon;
mod destroy;
mod down;
mod env;
mod init;
mod log;
mod logs;
mod plan;
mod proxy;
mod run;
mod secret;
mod status;
mod up;
mod url;

use std::process::ExitCode;

use ambit_domain::{Failure, FailureKind};

use crate::arguments::{Arguments, Command};

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { json, directory, command } = arguments;
    let folder = || crate::context::folder(directory.as_deref());
    match command {
        Command::Init { print } => init::run(directory.as_deref(), print, json),
        Command::Check => check::run(&folder()?, json),
        Command::Schema => {
            print_json(&ambit_spec::schema());
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan { environments } => plan::run(&folder()?, &environments, json),
        Command::Up { environments, listen } => wait(up::run(&folder()?, environments, listen, json)),
        Command::Down { environments } => wait(down::run(&folder()?, environments, json)),
        Command::Destroy { environment, confirm } => wait(destroy::run(&folder()?, &environment, confirm, json)),
        Command::Status { environments } => wait(status::run(&folder()?, &environments, json)),
        Command::Logs { services, environment, follow, lines } => {
            logs::run(&folder()?, &environment, &services, follow, lines, json)
        }
        Command::Log { verify: true, .. } => log::verify(json),
        Command::Log { environment, lines, .. } => log::run(&folder()?, environment.as_deref(), lines, json),
        Command::Run { environment, command } => run::command(&folder()?, &environment, &command),
        Command::Psql { environment, arguments } => run::psql(&folder()?, &environment, &arguments),
        Command::Redis { environment, arguments } => run::redis(&folder()?, &environment, &arguments),
        Command::Url { services, environment } => url::run(&folder()?, &environment, &services, json),
        Command::Env { environment, reveal, here, format } => {
            env::run(&folder()?, &environment, reveal, here, format, json)
        }
        Command::Secret(command) => secret::run(&folder()?, command, json),
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            if json {
                print_json(&serde_json::json!({ "version": version }));
            } else {
                println!("ambit {version}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => Ok(completions::run(shell)),
        Command::Daemon => daemon::run(),
        Command::Proxy { folder, listen, user } => proxy::run(folder, listen, user.as_deref()),
        Command::Keeper { .. } => Ok(ExitCode::SUCCESS),
    }
}

pub(crate) fn print_json<T: serde::Serialize>(value: &T) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Waits for work that speaks to the daemon; ctrl-C takes the request back.
fn wait(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(FailureKind::Internal, "no runtime").because(e.to_string()))?;
    runtime.block_on(async {
        tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::new(
                FailureKind::Interrupted,
                "interrupted; what was running still runs",
            )
            .hint("repeat the command: it goes on where it stopped")),
        }
    })
}
