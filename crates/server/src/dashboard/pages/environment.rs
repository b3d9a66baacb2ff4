//! One environment: its services, what they take and carry, what they printed, and what was deployed there.

mod measured;
mod printed;

use std::collections::BTreeMap;

use ambit_app::{EnvironmentStatus, ServiceStatus};
use ambit_domain::access::Operation;
use axum::{
    extract::{Path, Query},
    response::Response,
};
use maud::{Markup, html};

use super::deployment::history;
use crate::dashboard::{
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
    let measured = signed.told(measured::section(&signed, &id, &status, &query))?;
    let printed = printed::section(&signed, &id, &status, &query).await;
    Ok(signed.page.show(
        id.environment.as_str(),
        html! {
            h1 { (id.environment) }
            section aria-labelledby="services" {
                h2 id="services" { (signed.t("Services", "Servicios")) }
                div data-part="services" { (services(&signed, &status)) }
            }
            p { a href={ "/projects/" (id.project) "/variables" } { (signed.t("Variables of all environments", "Variables de todos los entornos")) } }
            (measured)
            (printed)
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
