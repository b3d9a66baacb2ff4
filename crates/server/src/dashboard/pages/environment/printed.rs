//! What services printed: a form to look for some of it, and the lines.

use std::collections::BTreeMap;

use ambit_app::{EnvironmentStatus, LogLine};
use ambit_domain::{EnvironmentId, Failure, access::Operation};
use maud::{Markup, html};

use crate::dashboard::{
    input::Input,
    logs::{self, Found, Wanted},
    operations::endpoint,
    page::Signed,
};

/// What a line may say of how grave it is, at least.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
/// The fields of the form that the operation knows.
const FIELDS: [&str; 7] = ["service", "search", "since", "until", "level", "release", "lines"];

pub(super) async fn section(
    signed: &Signed,
    id: &EnvironmentId,
    status: &EnvironmentStatus,
    query: &BTreeMap<String, String>,
) -> Markup {
    let source = format!("/projects/{}/environments/{}/logs/live", id.project, id.environment);
    let found = found(signed, id, query).await;
    html! {
        section aria-labelledby="logs" {
            h2 id="logs" { (signed.t("Logs", "Registros")) }
            (form(signed, status, query, &source))
            @match found {
                Ok(Found { lines, unfinished }) => {
                    pre.log tabindex="0" id="lines" data-end {
                        @for line in &lines { (self::line(line)) "\n" }
                    }
                    @if unfinished {
                        p.note { (signed.t("It was not looked to the end: that would have taken too long. Say since when.", "No se miró hasta el final: habría tardado demasiado. Di desde cuándo.")) }
                    }
                    @if lines.is_empty() { p { (signed.t("There is no such line.", "No hay tal línea.")) } }
                }
                Err(failure) => { p.failure role="alert" { (failure.message) } }
            }
        }
    }
}

async fn found(signed: &Signed, id: &EnvironmentId, query: &BTreeMap<String, String>) -> Result<Found, Failure> {
    let mut asked: BTreeMap<String, String> =
        query.iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
    asked.insert("project".to_owned(), id.project.to_string());
    asked.insert("environment".to_owned(), id.environment.to_string());
    let input = Input::from_texts(&endpoint(Operation::Logs), &asked)?;
    logs::read(&signed.page.face.ambit, &Wanted::of(&input)?).await
}

fn form(signed: &Signed, status: &EnvironmentStatus, query: &BTreeMap<String, String>, source: &str) -> Markup {
    let of = |name: &str| query.get(name).map_or("", String::as_str);
    let text = |name: &str, label: &str, example: &str| {
        html! { label { (label) " " input name=(name) value=(of(name)) placeholder=(example) maxlength="200" autocomplete="off"; } }
    };
    html! {
        form.filter method="get" action="#logs" {
            label {
                (signed.t("Service", "Servicio")) " "
                select name="service" {
                    option value="" { (signed.t("all", "todos")) }
                    @for service in &status.services {
                        option value=(service.service) selected[service.service == of("service")] { (service.service) }
                    }
                }
            }
            label {
                (signed.t("At least so grave", "Al menos tan grave")) " "
                select name="level" {
                    option value="" { (signed.t("whatever", "cualquiera")) }
                    @for level in LEVELS { option value=(level) selected[level == of("level")] { (level) } }
                }
            }
            (text("since", signed.t("Since (ago, or a moment)", "Desde (hace, o un momento)"), "1h"))
            (text("until", signed.t("Until", "Hasta"), "2026-11-24T10:02:00Z"))
            (text("release", signed.t("Release", "Versión"), "3ef243e"))
            label { (signed.t("Search", "Buscar")) " " input type="search" name="search" value=(of("search")) maxlength="200"; }
            label { (signed.t("Lines", "Líneas")) " " input type="number" name="lines" min="1" max="5000" value=(if of("lines").is_empty() { "200" } else { of("lines") }); }
            button { (signed.t("Show", "Mostrar")) }
            button type="button" hidden aria-pressed="false" data-follow=(source) { (signed.t("Follow", "Seguir")) }
        }
    }
}

fn line(line: &LogLine) -> String {
    let text: String = line.text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    format!("{} {} {text}", line.at.get(..19).unwrap_or(&line.at), line.instance)
}
