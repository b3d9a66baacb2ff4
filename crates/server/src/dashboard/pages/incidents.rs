//! What the team tells the world of trouble: what monitoring proposes, what goes on, what was.

use ambit_app::Incidents;
use ambit_domain::{
    access::Operation,
    incident::{Incident, Proposal},
    spec::Language,
};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    lang::Lang,
    page::{Refusal, Signed, Visit, lines},
    parts::{Tone, ago, chip, moment},
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Incidents, Some(&name))?;
    let Incidents { incidents, proposals } = signed.told(signed.page.face.ambit.incidents(signed.project()?))?;
    let content = html! {
        p {
            (signed.t("What is told here is read by the world on the", "Lo que se dice aquí lo lee todo el mundo en la")) " "
            a href={ "/status/" (name) } { (signed.t("status page", "página de estado")) } "."
        }
        div data-part="proposals" { @for proposal in &proposals { (proposed(&signed, proposal)) } }
        @if incidents.is_empty() { p { (signed.t("There was none in the last 90 days.", "No hubo ninguna en los últimos 90 días.")) } }
        @for incident in &incidents { (one(&signed, incident)) }
        (open(&signed))
    };
    Ok(signed.titled(signed.t("Incidents", "Incidencias"), &content))
}

fn proposed(signed: &Signed, proposal: &Proposal) -> Markup {
    let alert = proposal.alert.to_string();
    let language = match signed.lang() {
        Lang::En => Language::English,
        Lang::Es => Language::Spanish,
    };
    let title = proposal.title(language);
    html! {
        div.note {
            p {
                (chip(Tone::Bad, signed.t("proposed, not told", "propuesta, sin publicar"))) " " strong { (title) } " · "
                (proposal.environment) " · " (ago(signed.lang(), proposal.since))
            }
            @let hidden = [("alert", alert.as_str()), ("title", title.as_str())];
            (signed.form(Operation::OpenIncident, &hidden, &lines("text", &what(signed)), signed.t("Tell the world", "Publicar"), false))
        }
    }
}

fn what(signed: &Signed) -> String {
    signed.t("What is told (everybody reads it)", "Qué se dice (lo lee todo el mundo)").to_owned()
}

fn one(signed: &Signed, incident: &Incident) -> Markup {
    let number = incident.number.to_string();
    let id = format!("incident-{number}");
    let hidden = [("number", number.as_str())];
    html! {
        article.incident aria-labelledby=(id) {
            div data-part=(id) {
                h2 id=(id) { (incident.title) " " small { "#" (number) } }
                p {
                    @if incident.is_open() { (chip(Tone::Bad, signed.t("goes on", "en curso"))) }
                    @else { (chip(Tone::Good, signed.t("over", "resuelta"))) }
                    " " (incident.services.join(", ")) " · " (ago(signed.lang(), incident.opened))
                }
                @for update in &incident.updates {
                    p.told { span.detail { (moment(update.at)) " · " (update.by) } " " (update.text) }
                }
            }
            @if incident.is_open() {
                @for (operation, name, label) in [
                    (Operation::UpdateIncident, "update", signed.t("Tell more", "Decir más")),
                    (Operation::ResolveIncident, "resolve", signed.t("It is over", "Está resuelta")),
                ] {
                    @if signed.may(operation) {
                        details id={ (name) "-" (number) } {
                            summary { (label) }
                            (signed.form(operation, &hidden, &lines("text", &what(signed)), label, false))
                        }
                    }
                }
            }
        }
    }
}

fn open(signed: &Signed) -> Markup {
    html! {
        @if signed.may(Operation::OpenIncident) {
            details id="open-incident" {
                summary { (signed.t("Open an incident", "Abrir una incidencia")) }
                @let fields = html! {
                    (signed.field("title", signed.t("What is wrong, on one line", "Qué anda mal, en una línea"), true))
                    (signed.field("services", signed.t("Services, with commas between them", "Servicios, separados por comas"), true))
                    (lines("text", &what(signed)))
                };
                (signed.form(Operation::OpenIncident, &[], &fields, signed.t("Tell the world", "Publicar"), false))
            }
        }
    }
}
