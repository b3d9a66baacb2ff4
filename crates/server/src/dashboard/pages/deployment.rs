//! One deployment, step by step, with its log; and all of them.

use std::collections::BTreeMap;

use ambit_domain::{
    access::Operation,
    deployment::{Deployment, StepState},
    gates::Verdict,
    ids::DeploymentId,
    spec::Gate,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use maud::{Markup, html};

use super::pipeline::{decision, progress};
use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{self, Tone, ago, chip, lasted, table},
};

pub(super) async fn page(visit: Visit, Path((name, number)): Path<(String, u64)>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Deployment, Some(&name))?;
    let ambit = &signed.page.face.ambit;
    let found = ambit.deployment(DeploymentId(number)).ok();
    let found = found.filter(|view| Some(&view.deployment.environment.project) == signed.page.project.as_ref());
    let Some(view) = found else { return Err(signed.page.not_found().into()) };
    let deployment = &view.deployment;
    let open = ambit.opened(deployment).await;
    let (events, _) = ambit.deployment_events(deployment.number, None);
    let title = format!("{} → {}", deployment.version, deployment.environment.environment);
    Ok(signed.page.show(
        &title,
        html! {
            h1 { (title) }
            div data-part="state" {
                p { (parts::state(signed.lang(), deployment.state)) " " (progress(&signed, deployment)) }
                (facts(&signed, deployment))
                @if let Some(why) = view.held_up.as_ref().or(view.frozen.as_ref()) { p.note { (why) } }
                @if let Some(failure) = &deployment.failure { (parts::failure(failure)) }
            }
            @if !open.gates.is_empty() {
                section aria-labelledby="gates" {
                    h2 id="gates" { (signed.t("Checklist", "Lista de control")) }
                    div data-part="gates" { (parts::gates(signed.lang(), &open.gates)) }
                    @if !deployment.state.is_final() { (answering(&signed, &open.gates, deployment)) }
                }
            }
            @if !deployment.state.is_final() { div.actions data-part="decision" { (decision(&signed, &open)) } }
            @if !deployment.approvals.is_empty() { (approvals(&signed, deployment)) }
            section aria-labelledby="steps" {
                h2 id="steps" { (signed.t("Steps", "Pasos")) }
                div data-part="steps" { (steps(&signed, deployment)) }
            }
            section aria-labelledby="log" {
                h2 id="log" { (signed.t("Log", "Registro")) }
                div data-part="log" {
                    pre.log tabindex="0" data-end { (parts::said(&events)) }
                }
            }
        },
    ))
}

fn facts(signed: &Signed, deployment: &Deployment) -> Markup {
    html! {
        dl {
            dt { (signed.t("asked for", "pedido")) }
            dd { (ago(signed.lang(), deployment.created)) ", " (deployment.trigger.describe()) ", " (deployment.actor.who) " (" (deployment.actor.from) ")" }
            @if let Some(commit) = &deployment.commit {
                dt { "commit" }
                dd { code { (commit.id.get(..7).unwrap_or(&commit.id)) } " " (commit.subject) " · " (commit.author) " · " (commit.from) }
            }
            @if let Some(reason) = &deployment.reason { dt { (signed.t("why", "por qué")) } dd { (reason) } }
            @if let Some(release) = &deployment.release { dt { (signed.t("release", "versión")) } dd { code { (release.short()) } } }
            @if let Some(point) = &deployment.restore_point { dt { (signed.t("restore point", "punto de restauración")) } dd { (point) } }
        }
    }
}

/// Gates that a person may answer for or sign.
fn answering(signed: &Signed, gates: &[ambit_domain::gates::GateResult], deployment: &Deployment) -> Markup {
    let environment = deployment.environment.environment.as_str();
    let closed = gates.iter().filter(|gate| matches!(gate.verdict, Verdict::Failed | Verdict::Waiting));
    html! {
        @for gate in closed {
            @let hidden = [("environment", environment), ("gate", gate.gate.name())];
            @let (operation, word) = if gate.gate == Gate::Issues {
                (Operation::Sign, signed.t("Sign", "Firmar"))
            } else {
                (Operation::Waive, signed.t("Answer for it", "Responder por ella"))
            };
            @if signed.may(operation) {
                details id={ "gate-" (gate.gate.name()) } {
                    summary { (word) ": " (gate.gate.name()) }
                    (signed.form(operation, &hidden, &signed.field("reason", signed.t("Why", "Por qué"), true), word, false))
                }
            }
        }
    }
}

fn approvals(signed: &Signed, deployment: &Deployment) -> Markup {
    html! {
        section aria-labelledby="approvals" {
            h2 id="approvals" { (signed.t("What was said", "Qué se dijo")) }
            ul {
                @for approval in &deployment.approvals {
                    li {
                        @if approval.yes { (chip(Tone::Good, signed.t("yes", "sí"))) } @else { (chip(Tone::Bad, "no")) }
                        " " (approval.actor.who) ": " q { (approval.reason) } " " (ago(signed.lang(), approval.at))
                    }
                }
            }
        }
    }
}

fn steps(signed: &Signed, deployment: &Deployment) -> Markup {
    html! {
        @if deployment.steps.is_empty() { p { (signed.t("None was planned yet.", "Aún no hay ninguno.")) } }
        ol.steps {
            @for step in &deployment.steps {
                @let (tone, word) = match step.state {
                    StepState::Pending => (Tone::Quiet, signed.t("to come", "por venir")),
                    StepState::Running => (Tone::Busy, signed.t("running", "en marcha")),
                    StepState::Done => (Tone::Good, signed.t("done", "hecho")),
                    StepState::Failed => (Tone::Bad, signed.t("failed", "falló")),
                };
                li {
                    (chip(tone, word)) " " strong { (step.name.name()) } " " (step.detail)
                    @if let (Some(started), Some(finished)) = (step.started, step.finished) {
                        " " span.detail { (lasted(finished - started)) }
                    }
                }
            }
        }
    }
}

/// `GET /projects/{project}/deployments`
pub(super) async fn list(
    visit: Visit,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Deployments, Some(&name))?;
    let project = signed.project()?;
    let environment = match query.get("environment").filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => Some(super::known(&signed, project, name)?),
    };
    let title = signed.t("Deployments", "Despliegues");
    let all = signed.told(signed.page.face.ambit.deployments(project, environment.as_ref(), 100))?;
    let content = html! { h1 { (title) } div data-part="deployments" { (history(&signed, &all)) } };
    Ok(signed.page.show(title, content))
}

pub(super) fn history(signed: &Signed, all: &[Deployment]) -> Markup {
    let rows = html! {
        @for deployment in all {
            @let project = &deployment.environment.project;
            tr {
                td { a href={ "/projects/" (project) "/deployments/" (deployment.number) } { (deployment.number) } }
                td { (deployment.environment.environment) }
                td { (deployment.version) }
                td { (parts::state(signed.lang(), deployment.state)) }
                td { (ago(signed.lang(), deployment.created)) }
                td { (deployment.trigger.describe()) ", " (deployment.actor.who) }
            }
        }
    };
    let head = [
        "#",
        signed.t("environment", "entorno"),
        signed.t("version", "versión"),
        signed.t("state", "estado"),
        signed.t("when", "cuándo"),
        signed.t("by", "por"),
    ];
    html! {
        @if all.is_empty() { p { (signed.t("Nothing was deployed yet.", "Aún no se ha desplegado nada.")) } }
        @else { (table(signed.t("Deployments", "Despliegues"), &head, &rows)) }
    }
}
