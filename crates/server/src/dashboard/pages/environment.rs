//! One environment: its services, what they printed, and what was deployed there.

use std::collections::BTreeMap;

use ambit_app::{EnvironmentStatus, LogLine, ServiceStatus};
use ambit_domain::{EnvironmentId, access::Operation};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use maud::{Markup, html};

use super::deployment::history;
use crate::dashboard::{
    input::Input,
    logs::{self, Wanted},
    operations::endpoint,
    page::{Refusal, Signed, Visit},
    parts::{Tone, ago, bytes, chip, table},
};

pub(super) async fn page(
    visit: Visit,
    Path((name, environment)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Status, Some(&name))?;
    let id = super::known(&signed, signed.project()?, &environment)?;
    let ambit = &signed.page.face.ambit;
    let status = signed.told(ambit.status(&id.project).await)?;
    let deployments = signed.told(ambit.deployments(&id.project, Some(&id), 10))?;
    let Some(status) = status.environments.into_iter().find(|status| status.environment == id.environment) else {
        return Err(signed.page.not_found().into());
    };
    Ok(signed.page.show(
        id.environment.as_str(),
        html! {
            h1 { (id.environment) }
            section aria-labelledby="services" {
                h2 id="services" { (signed.t("Services", "Servicios")) }
                div data-part="services" { (services(&signed, &status)) }
            }
            (printed(&signed, &id, &status, &query))
            section aria-labelledby="history" {
                h2 id="history" { (signed.t("What was deployed", "Qué se desplegó")) }
                div data-part="history" { (history(&signed, &deployments)) }
            }
        },
    ))
}

fn services(signed: &Signed, status: &EnvironmentStatus) -> Markup {
    let t = |english, spanish| signed.page.lang.t(english, spanish);
    let rows = html! { @for service in &status.services { (row(signed, service)) } };
    let head = [
        t("service", "servicio"),
        t("state", "estado"),
        t("version", "versión"),
        t("instances", "instancias"),
        t("restarts", "reinicios"),
        t("requests", "peticiones"),
        "p95",
        t("memory", "memoria"),
        t("since", "desde"),
        t("address", "dirección"),
    ];
    table(t("Services", "Servicios"), &head, &rows)
}

fn row(signed: &Signed, service: &ServiceStatus) -> Markup {
    html! {
        tr {
            th scope="row" { (service.service) }
            td {
                @match (&service.trouble, service.healthy) {
                    (Some(trouble), _) => { (chip(Tone::Bad, trouble)) }
                    (None, true) => { (chip(Tone::Good, signed.t("healthy", "en orden"))) }
                    (None, false) => { (chip(Tone::Quiet, signed.t("stopped", "detenido"))) }
                }
            }
            td {
                (service.version.as_deref().unwrap_or("–"))
                @if let Some(commit) = &service.commit { " " span.detail { (commit.subject) } }
            }
            td { @match service.instances { Some((up, all)) => { (up) "/" (all) } None => "–" } }
            td { (service.restarts) }
            td { @match service.requests { Some(count) => (count), None => "–" } }
            td { @match service.p95_ms { Some(p95) => { (format!("{p95:.1}")) " ms" } None => "–" } }
            td { @match service.memory { Some(memory) => (bytes(memory)), None => "–" } }
            td { (ago(signed.lang(), service.since)) }
            td { @for url in &service.urls { a href=(url) rel="noreferrer" { (url) } " " } }
        }
    }
}

fn printed(
    signed: &Signed,
    id: &EnvironmentId,
    status: &EnvironmentStatus,
    query: &BTreeMap<String, String>,
) -> Markup {
    let mut asked = query.clone();
    asked.insert("project".to_owned(), id.project.to_string());
    asked.insert("environment".to_owned(), id.environment.to_string());
    let ambit = &signed.page.face.ambit;
    let read = Input::from_texts(&endpoint(Operation::Logs), &asked)
        .and_then(|input| Wanted::of(&input))
        .and_then(|wanted| logs::read(ambit, &wanted));
    let of = |name: &str| query.get(name).map_or("", String::as_str);
    let source = format!("/projects/{}/environments/{}/logs/live", id.project, id.environment);
    html! {
        section aria-labelledby="logs" {
            h2 id="logs" { (signed.t("Logs", "Registros")) }
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
                label { (signed.t("Search", "Buscar")) " " input type="search" name="search" value=(of("search")) maxlength="200"; }
                label { (signed.t("Lines", "Líneas")) " " input type="number" name="lines" min="1" max="5000" value=(if of("lines").is_empty() { "200" } else { of("lines") }); }
                button { (signed.t("Show", "Mostrar")) }
                button type="button" hidden aria-pressed="false" data-follow=(source) { (signed.t("Follow", "Seguir")) }
            }
            @match read {
                Ok(lines) => {
                    pre.log tabindex="0" id="lines" data-end {
                        @for line in &lines { (self::line(line)) "\n" }
                    }
                    @if lines.is_empty() { p { (signed.t("There is no such line.", "No hay tal línea.")) } }
                }
                Err(failure) => { p { (failure.message) } }
            }
        }
    }
}

fn line(line: &LogLine) -> String {
    let text: String = line.text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    format!("{} {} {text}", line.at.get(..19).unwrap_or(&line.at), line.instance)
}
