//! `ambit upgrade`: of the whole machine, so no project is needed.

use std::process::ExitCode;

use ambit_app::{ProxyUpgrade, Upgrade, UpgradeReport};
use ambit_domain::Failure;

use super::print_json;
use crate::{
    context::{self, DaemonWas},
    progress::Lines,
    screen::Paint,
};

pub(crate) async fn run(force: bool, json: bool) -> Result<ExitCode, Failure> {
    let (daemon, was) = context::current_daemon(force).await?;
    let lines = Lines::new(json);
    let report: UpgradeReport = daemon.work("/v1/upgrade", &Upgrade { force }, |event| lines.show(&event)).await?;
    let UpgradeReport { proxy, keepers } = &report;
    let nothing_runs = *proxy == ProxyUpgrade::NotRunning && keepers.renewed + keepers.unchanged == 0;
    if nothing_runs && was == DaemonWas::Missing {
        // It was started to look, and has nothing to look after.
        context::stop(&daemon).await?;
    }
    let daemon = match was {
        DaemonWas::Current => "unchanged",
        DaemonWas::Replaced => "replaced",
        DaemonWas::Missing if nothing_runs => "not-running",
        DaemonWas::Missing => "started",
    };
    if json {
        print_json(&serde_json::json!({ "daemon": daemon, "proxy": proxy, "keepers": keepers }));
        return Ok(code(&report));
    }
    let changed = was == DaemonWas::Replaced || *proxy == ProxyUpgrade::Replaced || keepers.renewed > 0;
    let told = if nothing_runs {
        "nothing runs; what is started from now on is of this program".to_owned()
    } else if changed {
        format!("everything that runs is of this program now (daemon: {daemon})")
    } else {
        "everything that runs is of this program already".to_owned()
    };
    println!("{} {told}", Paint::stdout().good(if keepers.failed.is_empty() { "✓" } else { "·" }));
    Ok(code(&report))
}

fn code(report: &UpgradeReport) -> ExitCode {
    if report.keepers.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
