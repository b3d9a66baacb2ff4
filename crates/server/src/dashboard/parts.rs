//! Small things that pages are made of. Everything that comes from elsewhere is text; the templates escape it.

use std::time::{SystemTime, UNIX_EPOCH};

use ambit_domain::{
    DeploymentState, Event, Failure, Outcome,
    gates::{GateResult, Verdict},
};
use maud::{Markup, html};

use super::lang::Lang;

/// Something that is good, bad, or under way: a sign, a colour and words, since none of them is for everybody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Busy,
    Quiet,
}

pub(super) fn chip(tone: Tone, words: &str) -> Markup {
    let (class, sign) = match tone {
        Tone::Good => ("chip good", "✓"),
        Tone::Bad => ("chip bad", "✗"),
        Tone::Busy => ("chip busy", "…"),
        Tone::Quiet => ("chip", "·"),
    };
    html! { span class=(class) { span aria-hidden="true" { (sign) } " " (words) } }
}

pub(super) fn state(lang: Lang, state: DeploymentState) -> Markup {
    use DeploymentState as S;
    let (tone, words) = match state {
        S::Queued => (Tone::Busy, lang.t("queued", "en cola")),
        S::Building => (Tone::Busy, lang.t("building", "en construcción")),
        S::Waiting => (Tone::Busy, lang.t("waits for a yes", "espera un sí")),
        S::Approved => (Tone::Busy, lang.t("approved", "aprobado")),
        S::Running => (Tone::Busy, lang.t("running", "en marcha")),
        S::Watching => (Tone::Busy, lang.t("watching", "en observación")),
        S::Succeeded => (Tone::Good, lang.t("succeeded", "con éxito")),
        S::Failed => (Tone::Bad, lang.t("failed", "falló")),
        S::RolledBack => (Tone::Bad, lang.t("rolled back", "revertido")),
        S::Superseded => (Tone::Quiet, lang.t("superseded", "reemplazado")),
        S::Rejected => (Tone::Bad, lang.t("rejected", "rechazado")),
        S::Expired => (Tone::Quiet, lang.t("expired", "vencido")),
        S::Cancelled => (Tone::Quiet, lang.t("cancelled", "cancelado")),
    };
    chip(tone, words)
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A moment in UTC to the second.
pub(super) fn moment(at: i64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment as it is said, with the exact one beside it.
pub(super) fn ago(lang: Lang, at: i64) -> Markup {
    let seconds = (now() - at).max(0) / 1000;
    let exact = jiff::Timestamp::from_millisecond(at).unwrap_or_default().to_string();
    let words = match seconds {
        0..60 => lang.t("just now", "ahora mismo").to_owned(),
        60..3600 => past(lang, seconds / 60, "min"),
        3600..86_400 => past(lang, seconds / 3600, "h"),
        _ => past(lang, seconds / 86_400, lang.t("d", "d")),
    };
    html! { time datetime=(exact) title=(moment(at)) { (words) } }
}

fn past(lang: Lang, count: i64, unit: &str) -> String {
    match lang {
        Lang::En => format!("{count} {unit} ago"),
        Lang::Es => format!("hace {count} {unit}"),
    }
}

/// Milliseconds as people say them.
pub(super) fn lasted(millis: i64) -> String {
    match millis {
        ..1000 => format!("{} ms", millis.max(0)),
        1000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut tenths = count.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit < UNITS.len() - 1 {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    if tenths >= 100 { format!("{} {name}", tenths / 10) } else { format!("{}.{} {name}", tenths / 10, tenths % 10) }
}

/// A table that may be wider than a phone: it scrolls by itself, also by keyboard.
pub(super) fn table(label: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

pub(super) fn gates(lang: Lang, results: &[GateResult]) -> Markup {
    html! {
        ul.gates {
            @for gate in results {
                @let (tone, word) = match gate.verdict {
                    Verdict::Passed => (Tone::Good, lang.t("passed", "cumple")),
                    Verdict::Waived => (Tone::Quiet, lang.t("waived", "eximida")),
                    Verdict::Failed => (Tone::Bad, lang.t("failed", "no cumple")),
                    Verdict::Waiting => (Tone::Busy, lang.t("waiting", "pendiente")),
                };
                li {
                    (chip(tone, word)) " " strong { (gate.gate.name()) } " "
                    span.evidence { (gate.evidence) }
                    @if let Some(next) = &gate.next { span.next { " → " (next) } }
                }
            }
        }
    }
}

pub(super) fn failure(failure: &Failure) -> Markup {
    html! {
        div.failure role="alert" {
            p { strong { (failure.message) } }
            @for cause in &failure.causes { pre { (cause) } }
            @for hint in &failure.hints { p.hint { (hint) } }
        }
    }
}

/// What long work said, a line each.
pub(super) fn said(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let service = event.service.as_ref().map(|s| format!("{s} ")).unwrap_or_default();
        let line = match &event.outcome {
            Outcome::Started => format!("{service}{} …", event.step),
            Outcome::Output { line } => format!("  {line}"),
            Outcome::Done { detail, millis, .. } => {
                let took = lasted(i64::try_from(*millis).unwrap_or(i64::MAX));
                format!("{service}{} ✓ {detail} ({took})", event.step)
            }
            Outcome::Failed { failure } => format!("{service}{} ✗ {}", event.step, failure.message),
            Outcome::Notice { text } => format!("{service}{}: {text}", event.step),
        };
        text.extend(line.chars().filter(|c| !c.is_control() || *c == '\t'));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_said_as_people_do() {
        assert_eq!(
            [0, 1023, 1536, 1 << 20, 212 << 20, u64::MAX].map(bytes)[..5],
            ["0 B", "1023 B", "1.5 KB", "1.0 MB", "212 MB"]
        );
        assert_eq!([-5, 12, 1834, 125_000].map(lasted), ["0 ms", "12 ms", "1.8 s", "2 min 5 s"]);
        assert!(ago(Lang::Es, now() - 7_200_000).into_string().contains("hace 2 h"));
        assert_eq!(moment(i64::MAX), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn what_a_build_printed_is_text_and_nothing_else() {
        let outcome = Outcome::Output { line: "\u{1b}[31m<script>alert(1)</script>\u{7}".into() };
        let event = Event { environment: None, service: None, step: "build".into(), outcome };
        let page = html! { pre { (said(&[event])) } }.into_string();
        assert_eq!(page, "<pre>  [31m&lt;script&gt;alert(1)&lt;/script&gt;\n</pre>");
    }
}
