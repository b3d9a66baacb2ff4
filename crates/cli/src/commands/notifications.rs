//! `ambit notifications`

use std::{path::Path, process::ExitCode};

use ambit_app::{Tried, TryNotifications};
use ambit_domain::{Channel, Delivery, DeliveryState, Failure, FailureKind, Outgoing};

use super::print_json;
use crate::{
    context,
    screen::{Paint, moment, plain, table, until},
};

pub(crate) fn list(folder: &Path, environment: Option<&str>, lines: usize, json: bool) -> Result<ExitCode, Failure> {
    let environment =
        environment.map(str::parse).transpose().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    let mut recent = context::ambit()?.notifications(&context::project(folder)?, environment.as_ref(), lines)?;
    recent.reverse();
    if json {
        let rows: Vec<_> = recent
            .iter()
            .map(|(outgoing, delivery)| serde_json::json!({ "announcement": outgoing, "delivery": delivery }))
            .collect();
        print_json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    if recent.is_empty() {
        println!("nothing was announced yet; ambit notifications test -e ENV tries out where it would go");
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["when", "environment", "event", "version", "to", "state", "tries", ""];
    table(&heads, recent.iter().map(|(o, d)| row(o, d)));
    Ok(ExitCode::SUCCESS)
}

fn row(outgoing: &Outgoing, delivery: &Delivery) -> Vec<String> {
    let state = match delivery.state {
        DeliveryState::Sent => "sent".to_owned(),
        DeliveryState::GivenUp => "given up".to_owned(),
        DeliveryState::Waiting => match until(delivery.due) {
            Some(pause) => format!("again in {pause}"),
            None => "waiting".to_owned(),
        },
    };
    vec![
        moment(outgoing.announced),
        outgoing.environment.environment.to_string(),
        outgoing.announcement.event.name().to_owned(),
        plain(&outgoing.announcement.version),
        place(delivery.channel, &delivery.recipient),
        state,
        delivery.attempts.to_string(),
        plain(delivery.error.as_deref().unwrap_or_default()),
    ]
}

fn place(channel: Option<Channel>, recipient: &str) -> String {
    match channel {
        _ if !recipient.is_empty() => plain(recipient),
        Some(channel) => channel.name().to_owned(),
        None => "–".to_owned(),
    }
}

pub(crate) async fn test(folder: &Path, environment: String, json: bool) -> Result<ExitCode, Failure> {
    let keys = context::keys(&context::project(folder)?)?;
    let request = TryNotifications { folder: folder.to_path_buf(), environment, keys };
    let tried: Vec<Tried> = context::daemon().await?.work("/v1/notifications/test", &request, |_| {}).await?;
    let failed = tried.iter().any(|t| t.error.is_some());
    if json {
        print_json(&tried);
    } else {
        let paint = Paint::stdout();
        for one in &tried {
            let place = place(Some(one.channel), &one.recipient);
            match &one.error {
                None => println!("{} {place}", paint.good("✓")),
                Some(why) => println!("{} {place}: {}", paint.bad("✗"), plain(why)),
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
