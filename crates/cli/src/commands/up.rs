//! `ambit up`

use std::{net::SocketAddr, path::Path, process::ExitCode, time::Instant};

use ambit_app::{Up, UpReport};
use ambit_domain::Failure;

use super::print_json;
use crate::{
    arguments::ListenTls,
    context,
    failure::{code, text},
    progress::Lines,
    screen::{Paint, columns, seconds},
};

pub(crate) async fn run(
    folder: &Path,
    environments: Vec<String>,
    listen: Option<SocketAddr>,
    listen_tls: Option<ListenTls>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let keys = context::keys(&context::project(folder)?)?;
    // With pictures, before the daemon would tell it without.
    if !super::check::declaration_is_sound(folder, &keys, json)? {
        return Ok(ExitCode::from(4));
    }
    let daemon = context::daemon().await?;
    let lines = Lines::new(json);
    if let Some(listen) = listen {
        daemon.work::<_, ()>("/v1/listen", &listen, |event| lines.show(&event)).await?;
    }
    if let Some(ListenTls(listen)) = listen_tls {
        daemon.work::<_, ()>("/v1/listen-tls", &listen, |event| lines.show(&event)).await?;
    }
    let request = Up { folder: folder.to_path_buf(), environments, keys, actor: context::actor(folder) };
    let report: UpReport = daemon.work("/v1/up", &request, |event| lines.show(&event)).await?;
    let failed = report.environments.iter().find_map(|e| e.failure.as_ref());
    if json {
        print_json(&report);
        return Ok(failed.map_or(ExitCode::SUCCESS, |f| code(f.kind)));
    }
    let paint = Paint::stdout();
    let changed = report.environments.iter().any(|e| e.changed);
    if changed {
        let mut rows = Vec::new();
        for environment in report.environments.iter().filter(|e| e.failure.is_none()) {
            for (service, url) in &environment.urls {
                rows.push(vec![environment.environment.to_string(), service.clone(), url.clone()]);
            }
        }
        println!();
        for row in columns(&rows, "  ") {
            println!("{row}");
        }
        println!();
    }
    let took = seconds(u64::try_from(start.elapsed().as_millis()).unwrap_or(0));
    let up: Vec<&str> =
        report.environments.iter().filter(|e| e.failure.is_none()).map(|e| e.environment.as_str()).collect();
    if !up.is_empty() {
        let what = if changed { "up" } else { "as declared already; nothing was changed" };
        println!("{} {} {what} · {took}", paint.good("✓"), up.join(", "));
    }
    for environment in &report.environments {
        if let Some(failure) = &environment.failure {
            eprintln!("\n{}:", environment.environment);
            eprint!("{}", text(failure));
        }
    }
    Ok(failed.map_or(ExitCode::SUCCESS, |f| code(f.kind)))
}
