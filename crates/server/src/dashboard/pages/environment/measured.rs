//! What the services of an environment took and carried over some time.

use std::collections::{BTreeMap, HashSet};

use ambit_app::{EnvironmentStatus, Point};
use ambit_domain::{EnvironmentId, Failure};
use maud::{Markup, html};

use crate::dashboard::{
    chart::Chart,
    page::Signed,
    parts::{bytes, now},
};

/// Over how many hours is shown, where nothing is said and to be chosen.
const HOURS: i64 = 24;
const CHOICES: [i64; 5] = [1, 6, 24, 7 * 24, 90 * 24];
const HOUR: i64 = 3_600_000;
const POINTS: u32 = 100;

pub(super) fn section(
    signed: &Signed,
    id: &EnvironmentId,
    status: &EnvironmentStatus,
    query: &BTreeMap<String, String>,
) -> Result<Markup, Failure> {
    let asked = query.get("hours").and_then(|hours| hours.parse::<i64>().ok());
    let hours = asked.filter(|hours| CHOICES.contains(hours)).unwrap_or(HOURS);
    let ambit = &signed.page.face.ambit;
    let names: HashSet<String> = ambit.metric_names(&id.project, &id.environment)?.into_iter().collect();
    let until = now();
    let since = until - hours * HOUR;
    let read = |kind: &str, service: &str| -> Result<Vec<Point>, Failure> {
        let series = format!("{kind}/{service}");
        if !names.contains(&series) {
            return Ok(Vec::new());
        }
        ambit.metrics(&id.project, &id.environment, &series, since, POINTS)
    };
    let mut all = Vec::new();
    for service in &status.services {
        let name = service.service.as_str();
        let line = |kind| Ok::<_, Failure>(vec![("", read(kind, name)?)]);
        let latency = vec![("p50", read("p50", name)?), ("p95", read("p95", name)?)];
        let charts = [
            ("CPU", line("cpu")?, cores as fn(f64) -> String),
            (signed.t("Memory", "Memoria"), line("memory")?, size),
            (signed.t("Restarts a minute", "Reinicios por minuto"), line("restarts")?, rate),
            (signed.t("Requests a second", "Peticiones por segundo"), line("requests")?, rate),
            (signed.t("Latency", "Latencia"), latency, millis),
        ];
        if charts.iter().any(|(_, lines, _)| lines.iter().any(|(_, points)| !points.is_empty())) {
            all.push((name, charts));
        }
    }
    let words = [signed.t("now", "ahora"), signed.t("mean", "media"), signed.t("highest", "máximo")];
    Ok(html! {
        section aria-labelledby="measured" {
            h2 id="measured" { (signed.t("Measured", "Medido")) }
            p { @for choice in CHOICES { (chosen(signed, choice, hours)) " " } }
            div data-part="measured" {
                @if all.is_empty() { p { (signed.t("Nothing was measured in this time.", "No se midió nada en este tiempo.")) } }
                @for (name, charts) in all {
                    h3 { (name) }
                    div.charts {
                        @for (title, lines, value) in charts { (Chart { title, lines, span: (since, until) }.draw(words, value)) }
                    }
                }
            }
        }
    })
}

fn chosen(signed: &Signed, choice: i64, now: i64) -> Markup {
    let words = match choice {
        ..48 => format!("{choice} h"),
        _ => format!("{} {}", choice / 24, signed.t("days", "días")),
    };
    let current = (choice == now).then_some("true");
    html! { a href={ "?hours=" (choice) "#measured" } aria-current=[current] { (words) } }
}

fn cores(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

fn size(value: f64) -> String {
    // Bytes are counted whole.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = value.max(0.0) as u64;
    bytes(count)
}

fn rate(value: f64) -> String {
    format!("{value:.2}")
}

fn millis(value: f64) -> String {
    format!("{value:.1} ms")
}
