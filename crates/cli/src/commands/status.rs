//! `ambit status`: one screen, understood at a glance.

use std::{path::Path, process::ExitCode};

use ambit_app::{BackupStatus, EnvironmentStatus, OutsideDrift, ServiceStatus, Status};
use ambit_domain::{Failure, Wanted, backup::Worth};
use ambit_server::Client;

use super::{alerts, print_json};
use crate::{
    context,
    screen::{Paint, ago, bytes, columns, plain},
};

pub(crate) async fn run(folder: &Path, environments: &[String], json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let ambit = context::ambit()?;
    let daemon = Client::new(ambit.home()).health().await.ok();
    let mut status = ambit.status(&project).await?;
    if !environments.is_empty() {
        ambit.known(&project, environments)?;
        status.environments.retain(|e| environments.iter().any(|n| n == e.environment.as_str()));
    }
    let around = ambit.outside_drift(&project)?;
    let hosted = super::hosted::status(folder, environments).await;
    if json {
        print_json(&serde_json::json!({ "daemon": daemon, "status": status, "outside": around, "hosted": hosted }));
        return Ok(ExitCode::SUCCESS);
    }
    let since = daemon.as_ref().map_or("no daemon".to_owned(), |daemon| format!("daemon up {}", ago(daemon.since)));
    print(&status, &format!("on this machine · {since}"));
    if !status.environments.is_empty() {
        suggest(&status, daemon.is_some());
    }
    let certificates = ambit.certificates().await.map(|all| all.certificates).unwrap_or_default();
    for certificate in certificates.iter().filter(|c| c.trouble.is_some()) {
        println!("  ! the certificate of {} is in trouble: ambit certificate list", plain(&certificate.host));
    }
    hosted.iter().for_each(super::hosted::show);
    if let Some(drift) = around {
        show_drift(&drift);
    }
    Ok(ExitCode::SUCCESS)
}

fn show_drift(drift: &OutsideDrift) {
    if let Some(since) = drift.since {
        let what: Vec<String> = drift.changes.iter().take(3).map(|(place, c)| format!("{place} {}", c.key)).collect();
        let more = if drift.changes.len() > what.len() { ", …" } else { "" };
        println!(
            "  ! {} of the services around are not as declared since {} ago: {}{more} · ambit plan",
            drift.changes.len(),
            ago(since),
            plain(&what.join(", "))
        );
    }
    for (place, why) in &drift.unread {
        println!("  ! {place} could not be looked at {} ago: {}", ago(drift.at), plain(why));
    }
}

/// The screen; `place` says which machine it tells of.
pub(crate) fn print(status: &Status, place: &str) {
    let paint = Paint::stdout();
    println!("{} · {place}", paint.strong(status.project.as_str()));
    if let Some(why) = &status.full_disk {
        println!("  {} {}", paint.bad("!"), plain(why));
    }
    for told in &status.moves {
        println!("  {} {}", paint.strong("!"), plain(told));
    }
    if status.environments.is_empty() {
        println!("\n  nothing is up; ambit up");
        return;
    }
    println!();
    for row in columns(&status.environments.iter().map(summary).collect::<Vec<_>>(), "  ") {
        println!("{}", paint.dots(&row));
    }
    for environment in status.environments.iter().filter(|e| e.wanted == Wanted::Running) {
        let heads = ["state", "version", "instances", "requests", "p95", "memory", "since", "ports"];
        let mut rows =
            vec![std::iter::once(environment.environment.to_string()).chain(heads.map(str::to_owned)).collect()];
        rows.extend(environment.services.iter().map(line));
        println!();
        for (n, row) in columns(&rows, "  ").iter().enumerate() {
            println!("{}", if n == 0 { paint.dim(row) } else { paint.dots(row) });
        }
        if let Some(backup) = &environment.backup {
            println!("  {}", paint.dots(&backup_line(backup)));
        }
        for alert in &environment.alerts {
            println!("  {}", alerts::line(alert));
        }
        for service in &environment.services {
            if let Some(trouble) = &service.trouble {
                println!("  {} {}: {}", paint.bad("✗"), service.service, plain(trouble));
            }
            if let Some(note) = &service.limits_note {
                println!("  ! {}: limits are not enforced: {}", service.service, plain(note));
            }
        }
    }
}

fn suggest(status: &Status, daemon: bool) {
    println!();
    match (daemon, status.proxy) {
        (false, _) => {
            println!("  next: the daemon does not run; `ambit up` starts it (everything else goes on without it)")
        }
        (_, false) if status.environments.iter().any(|e| e.wanted == Wanted::Running) => {
            println!("  next: the proxy does not answer; `ambit up` starts it");
        }
        _ => println!("  next: ambit logs -f · ambit url · ambit env dev"),
    }
}

pub(crate) fn backup_line(backup: &BackupStatus) -> String {
    let last = match (backup.at, backup.worth) {
        (Some(at), Some(Worth::Proven)) => format!("backup ● {} ago, proven", ago(at)),
        (Some(at), Some(Worth::Unproven)) => format!("backup ○ {} ago, unproven", ago(at)),
        (Some(at), Some(Worth::Failed)) => format!("backup ✗ {} ago, cannot be restored", ago(at)),
        _ => "backup ○ none yet".to_owned(),
    };
    match &backup.trouble {
        Some(trouble) => format!("{last} ✗ {}", plain(trouble.lines().next().unwrap_or_default())),
        None => last,
    }
}

fn summary(environment: &EnvironmentStatus) -> Vec<String> {
    let commit = environment.services.iter().find_map(|s| s.commit.as_ref());
    let code = commit.map_or("working tree".to_owned(), |c| {
        let subject: String = plain(&c.subject).chars().take(40).collect();
        format!("{} {} \"{subject}\"", plain(&c.from), c.id.get(..7).unwrap_or(&c.id))
    });
    let bad: Vec<&str> = environment.services.iter().filter(|s| !s.healthy).map(|s| s.service.as_str()).collect();
    let state = match environment.wanted {
        Wanted::Stopped => "○ down".to_owned(),
        Wanted::Running if bad.is_empty() => "● all healthy".to_owned(),
        Wanted::Running => format!("✗ {}", bad.join(", ")),
    };
    let last = environment.services.iter().map(|s| s.since).max();
    let deployed = last.map_or(String::new(), |since| format!("deployed {} ago", ago(since)));
    vec![environment.environment.to_string(), code, deployed, state]
}

fn line(service: &ServiceStatus) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    vec![
        service.service.clone(),
        if service.healthy { "●".to_owned() } else { "✗".to_owned() },
        or_dash(service.version.clone()),
        or_dash(service.instances.map(|(up, wanted)| format!("{up}/{wanted}"))),
        or_dash(service.requests.map(|r| r.to_string())),
        or_dash(service.p95_ms.map(|ms| format!("{ms:.0} ms"))),
        or_dash(service.memory.map(bytes)),
        ago(service.since),
        service.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
    ]
}
