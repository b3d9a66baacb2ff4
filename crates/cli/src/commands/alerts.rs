//! `ambit alerts`

use std::{path::Path, process::ExitCode};

use ambit_app::Acknowledge;
use ambit_domain::{
    Failure, FailureKind,
    monitoring::{Alert, headline},
    spec::Language,
};

use super::print_json;
use crate::{
    context,
    screen::{Paint, ago, plain, table, took},
};

pub(crate) fn list(
    folder: &Path,
    environment: Option<&str>,
    all: bool,
    lines: usize,
    json: bool,
) -> Result<ExitCode, Failure> {
    let environment =
        environment.map(str::parse).transpose().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    let alerts = context::ambit()?.alerts(&context::project(folder)?, environment.as_ref(), all, lines)?;
    if json {
        print_json(&alerts);
    } else if alerts.is_empty() {
        println!(
            "{}",
            if all { "nothing was found wrong yet" } else { "nothing is wrong; ambit alerts --all shows what was" }
        );
    } else {
        table(&["", "environment", "since", "what", "found", "state"], alerts.iter().map(row));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(alert: &Alert) -> Vec<String> {
    let state = match (alert.resolved, &alert.acknowledged) {
        (Some(at), _) => format!("over after {}", took(alert.opened, at)),
        (None, Some(by)) => match &by.reason {
            Some(reason) => format!("taken on by {}: {}", plain(&by.by), plain(reason)),
            None => format!("taken on by {}", plain(&by.by)),
        },
        (None, None) => "open".to_owned(),
    };
    vec![
        alert.id.to_string(),
        alert.environment.environment.to_string(),
        format!("{} ago", ago(alert.opened)),
        plain(&headline(&alert.check, Language::English)),
        plain(&alert.why),
        state,
    ]
}

/// One line for a screen that shows other things too.
pub(crate) fn line(alert: &Alert) -> String {
    let taken = alert.acknowledged.as_ref().map(|by| format!(", taken on by {}", plain(&by.by))).unwrap_or_default();
    format!(
        "{} alert {}: {}: {} ({} ago{taken})",
        Paint::stdout().bad("✗"),
        alert.id,
        plain(&headline(&alert.check, Language::English)),
        plain(&alert.why),
        ago(alert.opened)
    )
}

pub(crate) async fn acknowledge(
    folder: &Path,
    alert: i64,
    reason: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let request = Acknowledge { project, alert, reason, actor: context::actor(folder) };
    let alert: Alert = context::daemon().await?.work("/v1/alerts/ack", &request, |_| {}).await?;
    if json {
        print_json(&alert);
    } else {
        let paint = Paint::stdout();
        println!("{} alert {} is yours; it is not told again", paint.good("✓"), alert.id);
    }
    Ok(ExitCode::SUCCESS)
}
