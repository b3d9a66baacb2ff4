//! One file a command.

mod alerts;
mod apply;
mod backup;
mod certificate;
mod check;
mod ci;
mod completions;
mod cost;
mod daemon;
mod dashboard;
mod data;
mod decide;
mod delivery;
mod deploy;
mod deployments;
mod destroy;
mod diff;
mod dns;
mod doctor;
mod down;
mod elsewhere;
mod env;
mod gates;
mod guide;
mod hook;
mod hosted;
mod incident;
mod init;
mod install;
mod jobs;
mod log;
mod login;
mod logs;
mod manual;
mod metrics;
mod migrate;
mod mobile;
mod move_to;
mod notifications;
mod outside;
mod plan;
mod proxy;
mod qa;
mod rehearse;
mod releases;
mod remote;
mod reset;
mod restore;
mod restore_point;
mod rollback;
mod run;
mod secret;
mod seed;
mod simulate;
mod ssh;
mod status;
mod token;
mod up;
mod upgrade;
mod url;
mod user;
mod webhook;

use std::process::ExitCode;

use ambit_domain::{Failure, FailureKind};

pub(crate) use logs::moment as log_moment;

use crate::arguments::{
    AlertsCommand, Arguments, CiCommand, Command, DeployTo, DeploymentCommand, NotificationsCommand, RemoteCommand,
    SshCommand, SshKeyCommand,
};

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { json, directory, remote, command } = arguments;
    let folder = || crate::context::folder(directory.as_deref());
    if let Some(remote) = remote {
        return wait(elsewhere::run(&remote, &folder()?, command, json));
    }
    match command {
        Command::Init { print } => init::run(directory.as_deref(), print, json),
        Command::Check => check::run(&folder()?, json),
        Command::Ci(CiCommand::Github(what)) => ci::github(&folder()?, what, json),
        Command::Schema => {
            print_json(&ambit_spec::schema());
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan { environments, named, only, out } => {
            wait(plan::run(&folder()?, &[environments, named].concat(), &only, out.as_deref(), json))
        }
        Command::Apply { plan, only, environments, yes, confirm } => {
            let only = only.into_iter().map(|place| place.0).collect();
            wait(apply::run(
                &folder()?,
                apply::Options { plan: plan.as_deref(), only, environments, yes, confirm, json },
            ))
        }
        Command::Import { only, environments, yes } => {
            let only = only.into_iter().map(|place| place.0).collect();
            let confirm = Vec::new();
            wait(apply::import(&folder()?, apply::Options { plan: None, only, environments, yes, confirm, json }))
        }
        Command::Doctor { environments } => wait(doctor::run(directory.as_deref(), &environments, json)),
        Command::Cost => cost::run(&folder()?, json),
        Command::Guide => wait(guide::run(&folder()?, json)),
        Command::Simulate { port } => simulate::run(port, json),
        Command::Dns { zone_file } => dns::run(&folder()?, zone_file, json),
        Command::Up { environments, listen, listen_tls } => {
            wait(up::run(&folder()?, environments, listen, listen_tls, json))
        }
        Command::Deploy { environment, reference, to, following } => {
            wait(deploy::run(&folder()?, environment, reference, to.map(Into::into), &following, json))
        }
        Command::Promote { from, to, following } => wait(deploy::promote(&folder()?, from, to, &following, json)),
        Command::Move { environment, to, plan, confirm } => {
            wait(move_to::run(&folder()?, environment, to.into(), plan, confirm, json))
        }
        Command::Rollback { environment, to, restore, yes, following } => {
            wait(rollback::run(&folder()?, &environment, to, restore, yes, &following, json))
        }
        Command::Approve { deployment, following } => wait(decide::approve(&folder()?, deployment, &following, json)),
        Command::Reject { deployment, reason } => {
            wait(decide::run(&folder()?, deployment, ambit_app::Decision::Reject, reason, json))
        }
        Command::Gates { environment, waive, sign } => wait(gates::run(&folder()?, &environment, waive, sign, json)),
        Command::Qa { verdict, about, said, note, environment } => {
            let yes = verdict == crate::arguments::QaVerdict::Approve;
            wait(qa::run(&folder()?, yes, [about, said], note, environment, json))
        }
        Command::Mobile(command) => mobile::run(&folder()?, command, json),
        Command::Deployments { environment, lines } => {
            deployments::list(&folder()?, environment.as_deref(), lines, json)
        }
        Command::Deployment(DeploymentCommand::Show { number }) => deployments::show(number, json),
        Command::Deployment(DeploymentCommand::Log { number, follow }) => wait(deployments::log(number, follow, json)),
        Command::Deployment(DeploymentCommand::Follow { commit, environment }) => {
            wait(deployments::follow_commit(&folder()?, &environment, &commit, json))
        }
        Command::Deployment(DeploymentCommand::Cancel { number, reason }) => {
            wait(decide::run(&folder()?, number, ambit_app::Decision::Cancel, reason, json))
        }
        Command::Jobs => jobs::run(&folder()?, json),
        Command::Releases => releases::run(&folder()?, json),
        Command::Diff { from, to } => diff::run(&folder()?, &from, &to, json),
        Command::Migrate { what, environment } => wait(migrate::run(&folder()?, &environment, what.is_some(), json)),
        Command::RestorePoint(command) => wait(restore_point::run(&folder()?, command, json)),
        Command::Rehearse { environment, release } => wait(rehearse::run(&folder()?, &environment, release, json)),
        Command::Seed { environment } => wait(seed::run(&folder()?, &environment, json)),
        Command::Reset { environment, confirm } => wait(reset::run(&folder()?, &environment, confirm, json)),
        Command::Data(command) => wait(data::run(&folder()?, command, json)),
        Command::Backup(command) => wait(backup::run(&folder()?, command, json)),
        Command::Restore { command: Some(command), .. } => wait(restore::beside(&folder()?, command, json)),
        Command::Restore { command: None, what } => wait(restore::run(&folder()?, what, json)),
        Command::Delivery { environment, days } => delivery::run(&folder()?, environment.as_deref(), days, json),
        Command::Down { environments } => wait(down::run(&folder()?, environments, json)),
        Command::Destroy { environment, confirm } => wait(destroy::run(&folder()?, &environment, confirm, json)),
        Command::Status { environments } => wait(status::run(&folder()?, &environments, json)),
        Command::Alerts { command: Some(AlertsCommand::Ack { alert, reason }), .. } => {
            wait(alerts::acknowledge(&folder()?, alert, reason, json))
        }
        Command::Alerts { environment, all, lines, .. } => {
            alerts::list(&folder()?, environment.as_deref(), all, lines, json)
        }
        Command::Incident { command: None } => incident::list(&folder()?, json),
        Command::Incident { command: Some(command) } => wait(incident::tell(&folder()?, command, json)),
        Command::Metrics => wait(metrics::run(json)),
        Command::Logs { services, environment, follow, lines, search, at: Some(DeployTo::Railway) } => {
            wait(hosted::logs(&folder()?, &environment, &services, search, follow, lines, json))
        }
        Command::Logs { services, environment, follow, lines, search, .. } => {
            let of = logs::Of { environments: &environment, services: &services };
            logs::run(&folder()?, of, search, follow, lines, json)
        }
        Command::Log { verify: true, .. } => log::verify(json),
        Command::Log { environment, lines, .. } => log::run(&folder()?, environment.as_deref(), lines, json),
        Command::Notifications { command: Some(NotificationsCommand::Test { environment }), .. } => {
            wait(notifications::test(&folder()?, environment, json))
        }
        Command::Notifications { environment, lines, .. } => {
            notifications::list(&folder()?, environment.as_deref(), lines, json)
        }
        Command::Run { environment, command } => run::command(&folder()?, &environment, &command),
        Command::Psql { environment, beside, arguments } => {
            run::psql(&folder()?, &environment, beside.as_deref(), &arguments)
        }
        Command::Redis { environment, arguments } => run::redis(&folder()?, &environment, &arguments),
        Command::Url { services, environment } => url::run(&folder()?, &environment, &services, json),
        Command::Env { environment, reveal, here, format } => {
            env::run(&folder()?, &environment, reveal, here, format, json)
        }
        Command::Secret(command) => secret::run(&folder()?, command, json),
        Command::Certificate(command) => certificate::run(command, json),
        Command::Upgrade { force } => wait(upgrade::run(force, json)),
        Command::Install { print, remove } => wait(install::run(print, remove, json)),
        Command::Remote(RemoteCommand::Add { name }) => wait(remote::add(&folder()?, name, json)),
        Command::Ssh(SshCommand::Key(SshKeyCommand::Add { name, write })) => {
            ssh::add_key(folder().ok().as_deref(), &name, write, json)
        }
        Command::Ssh(SshCommand::Serve { name }) => ssh::serve(&name),
        Command::Webhook(command) => wait(webhook::run(&folder()?, command, json)),
        Command::Hook { name, project } => wait(hook::run(name, &project)),
        Command::Dashboard { port, host } => wait(dashboard::run(directory.as_deref(), port, host, json)),
        Command::Login { user } => wait(login::run(directory.as_deref(), user, json)),
        Command::User(command) => wait(user::run(directory.as_deref(), command, json)),
        Command::Token(command) => wait(token::run(directory.as_deref(), command, json)),
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
        Command::Manual { man: Some(folder) } => manual::man(&folder),
        Command::Manual { man: None } => Ok(manual::markdown()),
        Command::Daemon => daemon::run(),
        Command::Proxy { folder, listen, listen_tls, user, take_over } => {
            proxy::run(folder, listen, listen_tls, user.as_deref(), take_over)
        }
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
