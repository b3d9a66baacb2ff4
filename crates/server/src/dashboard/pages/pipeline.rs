//! The pipeline: each environment as a lane, in the order in which a change goes through them.

use ambit_app::{Ahead, Lane, Open, Overview};
use ambit_domain::{
    DeploymentState,
    access::Operation,
    deployment::{Deployment, StepState},
    spec::Kind,
};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{self, Tone, ago, chip},
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Status, Some(&name))?;
    let project = signed.project()?;
    let overview = signed.told(signed.page.face.live.overview(&signed.page.face, project).await)?;
    Ok(signed.page.show(signed.t("Pipeline", "Recorrido"), content(&signed, &overview)))
}

fn content(signed: &Signed, overview: &Overview) -> Markup {
    html! {
        h1 { (overview.project) }
        div data-part="trouble" {
            @if let Some(full) = &overview.full_disk { p.failure role="alert" { (full) } }
            @if !overview.proxy && !overview.lanes.is_empty() {
                p.failure role="alert" { (signed.t("The proxy does not answer.", "El proxy no responde.")) }
            }
            @if overview.lanes.is_empty() {
                p { (signed.t("No environment is on this machine yet.", "Aún no hay ningún entorno en esta máquina.")) }
            }
        }
        div.lanes {
            @for lane in &overview.lanes {
                section.lane aria-labelledby={ "lane-" (lane.status.environment) } { (self::lane(signed, overview, lane)) }
            }
        }
    }
}

fn lane(signed: &Signed, overview: &Overview, lane: &Lane) -> Markup {
    let environment = &lane.status.environment;
    let project = &overview.project;
    let (tone, words) = health(signed, lane);
    html! {
        div data-part={ "lane-" (environment) } {
            h2 id={ "lane-" (environment) } {
                a href={ "/projects/" (project) "/environments/" (environment) } { (environment) }
                " " small { (kind(signed, lane.status.kind)) }
            }
            p { (chip(tone, words)) }
            @match &lane.live {
                Some(live) => { (running(signed, live)) }
                None => { p { (signed.t("Nothing was deployed yet.", "Aún no se ha desplegado nada.")) } }
            }
            @if let Some(failed) = &lane.failed { (came_to_nothing(signed, failed)) }
            @for open in &lane.open { (waiting(signed, open)) }
            @if let Some(ahead) = &lane.ahead { (difference(signed, ahead)) }
        }
        div.actions data-part={ "actions-" (environment) } { (actions(signed, lane)) }
    }
}

fn health(signed: &Signed, lane: &Lane) -> (Tone, &'static str) {
    use ambit_domain::Wanted;
    let (english, spanish, tone) = match lane.status.wanted {
        Wanted::Stopped => ("is down", "está apagado", Tone::Quiet),
        Wanted::Running if lane.status.healthy() => ("all healthy", "todo en orden", Tone::Good),
        Wanted::Running => ("something is wrong", "algo anda mal", Tone::Bad),
    };
    (tone, signed.page.lang.t(english, spanish))
}

fn kind(signed: &Signed, kind: Kind) -> &'static str {
    let (english, spanish) = match kind {
        Kind::Development => ("development", "desarrollo"),
        Kind::Staging => ("staging", "pruebas"),
        Kind::Production => ("production", "producción"),
    };
    signed.page.lang.t(english, spanish)
}

fn running(signed: &Signed, live: &Deployment) -> Markup {
    let project = &live.environment.project;
    html! {
        p.version {
            a href={ "/projects/" (project) "/deployments/" (live.number) } { strong { (live.version) } }
            @if let Some(commit) = &live.commit { " " q { (commit.subject) } }
        }
        p.detail {
            (ago(signed.lang(), live.switched.unwrap_or(live.created))) " · "
            (live.trigger.describe()) " · " (live.actor.who)
        }
    }
}

fn came_to_nothing(signed: &Signed, failed: &Deployment) -> Markup {
    let project = &failed.environment.project;
    html! {
        div.note {
            (parts::state(signed.lang(), failed.state)) " "
            a href={ "/projects/" (project) "/deployments/" (failed.number) } { (failed.version) }
            @if let Some(failure) = &failed.failure { p { (failure.message) } }
        }
    }
}

/// A deployment that moves or waits, with the evidence right above the button.
fn waiting(signed: &Signed, open: &Open) -> Markup {
    let deployment = &open.deployment;
    let project = &deployment.environment.project;
    html! {
        div.open {
            p {
                (parts::state(signed.lang(), deployment.state)) " "
                a href={ "/projects/" (project) "/deployments/" (deployment.number) } { (deployment.version) }
                " · " (deployment.actor.who)
            }
            (progress(signed, deployment))
            @if deployment.state == DeploymentState::Waiting {
                (parts::gates(signed.lang(), &open.gates))
            }
        }
        (decision(signed, open))
    }
}

pub(super) fn progress(signed: &Signed, deployment: &Deployment) -> Markup {
    let all = deployment.steps.len();
    let done = deployment.steps.iter().filter(|step| step.state == StepState::Done).count();
    let current = deployment.steps.iter().find(|step| step.state == StepState::Running);
    html! {
        @if all > 0 {
            progress max=(all) value=(done) aria-label=(signed.t("Steps done", "Pasos hechos")) {}
            " " (done) "/" (all)
            @if let Some(step) = current { " · " (step.name.name()) }
        }
    }
}

/// Yes, no, never mind: for those whose it is.
pub(super) fn decision(signed: &Signed, open: &Open) -> Markup {
    let deployment = &open.deployment;
    let number = deployment.number.to_string();
    let hidden = [("number", number.as_str())];
    let reason = |english, spanish| signed.field("reason", signed.t(english, spanish), true);
    let waits = deployment.state == DeploymentState::Waiting;
    let asked = open.asks(&signed.caller);
    html! {
        @if waits && asked {
            (signed.form(Operation::Approve, &hidden, &reason("Why it is good", "Por qué está bien"), signed.t("Approve", "Aprobar"), false))
            details id={ "reject-" (number) } {
                summary { (signed.t("Reject", "Rechazar")) }
                (signed.form(Operation::Reject, &hidden, &reason("Why not", "Por qué no"), signed.t("Reject", "Rechazar"), true))
            }
        } @else if waits && !open.approvers.is_empty() {
            p.detail { (signed.t("May say yes: ", "Pueden decir sí: ")) (open.approvers.join(", ")) }
        }
        @if !deployment.has_switched() {
            details id={ "cancel-" (number) } {
                summary { (signed.t("Take back", "Retirar")) }
                (signed.form(Operation::Cancel, &hidden, &reason("Why", "Por qué"), signed.t("Take back", "Retirar"), true))
            }
        }
    }
}

fn difference(signed: &Signed, ahead: &Ahead) -> Markup {
    html! {
        @if ahead.same {
            p.detail { (signed.t("Runs the same release as ", "Corre la misma versión que ")) (ahead.from) "." }
        } @else {
            details id={ "ahead-" (ahead.from) } {
                summary {
                    (ahead.from) " " (signed.t("has", "tiene")) " " strong { (ahead.version) } ": "
                    (ahead.commits.len()) " " (signed.t("commits", "cambios")) ", "
                    (ahead.migrations) " " (signed.t("migrations", "migraciones"))
                }
                ul { @for (id, subject) in ahead.commits.iter().take(50) { li { code { (id) } " " (subject) } } }
            }
        }
    }
}

fn actions(signed: &Signed, lane: &Lane) -> Markup {
    let environment = lane.status.environment.as_str();
    let at = [("environment", environment)];
    let why = || signed.field("reason", signed.t("Why", "Por qué"), false);
    html! {
        @if let Some(ahead) = lane.ahead.as_ref().filter(|ahead| !ahead.same) {
            (signed.form(
                Operation::Promote,
                &[("environment", environment), ("from", ahead.from.as_str())],
                &html! {},
                &format!("{} {} → {environment}", signed.t("Promote", "Promover"), ahead.version),
                false,
            ))
        }
        @if lane.live.is_some() && signed.may(Operation::Rollback) {
            details id={ "rollback-" (environment) } {
                summary { (signed.t("Roll back", "Revertir")) }
                p { (signed.t("The release before serves again; data stays as it is.", "Vuelve la versión anterior; los datos quedan como están.")) }
                (signed.form(Operation::Rollback, &at, &why(), signed.t("Roll back", "Revertir"), true))
            }
        }
        @if signed.may(Operation::Deploy) {
            details id={ "deploy-" (environment) } {
                summary { (signed.t("Deploy", "Desplegar")) }
                (signed.form(
                    Operation::Deploy,
                    &at,
                    &html! {
                        (signed.field("reference", signed.t("Branch, tag or commit (what it follows, if empty)", "Rama, etiqueta o commit (lo que sigue, si queda vacío)"), false))
                        (why())
                    },
                    signed.t("Deploy", "Desplegar"),
                    false,
                ))
            }
        }
        @if lane.live.is_some() && lane.status.kind == Kind::Staging && signed.may(Operation::Verdict) {
            details id={ "verdict-" (environment) } {
                summary { (signed.t("QA's word", "Veredicto de QA")) }
                @for (yes, label) in [("true", signed.t("It is good", "Está bien")), ("false", signed.t("It is not good", "No está bien"))] {
                    (signed.form(
                        Operation::Verdict,
                        &[("environment", environment), ("yes", yes)],
                        &signed.field("comment", signed.t("What was seen", "Qué se vio"), yes == "false"),
                        label,
                        yes == "false",
                    ))
                }
            }
        }
    }
}
