//! The builds of the mobile app, for testers.

use ambit_app::MobileBuildView;
use ambit_domain::access::Operation;
use axum::{extract::Path, response::Response};
use maud::{Markup, PreEscaped, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{Tone, ago, bytes, chip},
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Builds, Some(&name))?;
    let title = signed.t("Builds", "Compilaciones");
    let builds = signed.told(signed.page.face.ambit.mobile_builds(signed.project()?, None))?;
    Ok(signed.page.show(
        title,
        html! {
            h1 { (title) }
            div data-part="builds" {
                @if builds.is_empty() {
                    p { (signed.t("None was published yet: ", "Aún no se ha publicado ninguna: ")) code { "ambit mobile publish" } }
                }
                @for build in &builds { (one(&signed, build)) }
            }
        },
    ))
}

fn one(signed: &Signed, view: &MobileBuildView) -> Markup {
    let build = &view.build;
    let id = &build.id.0;
    let comment = |required| signed.field("comment", signed.t("What was seen", "Qué se vio"), required);
    html! {
        article.build aria-labelledby=(id) {
            div {
                h2 id=(id) { (build.name) " " (build.version) " " small { (id) } }
                p {
                    (build.environment.environment) " · " (ago(signed.lang(), build.published)) " · " (bytes(build.size))
                    " · " (build.actor.who)
                }
                @match &build.verdict {
                    None => { p { (chip(Tone::Busy, signed.t("QA has not spoken yet", "QA aún no ha hablado"))) } }
                    Some(verdict) => {
                        p {
                            @if verdict.yes { (chip(Tone::Good, signed.t("accepted", "aceptada"))) }
                            @else { (chip(Tone::Bad, signed.t("rejected", "rechazada"))) }
                            " " (verdict.actor.who) ": " q { (verdict.note) }
                        }
                    }
                }
                @if !build.changes.is_empty() { ul { @for change in &build.changes { li { (change) } } } }
                @if let Some(url) = &view.url { p { a href=(url) rel="noreferrer" { (signed.t("Download", "Descargar")) } } }
                (signed.form(Operation::Verdict, &[("about", id), ("yes", "true")], &comment(false), signed.t("Accept", "Aceptar"), false))
                (signed.form(Operation::Verdict, &[("about", id), ("yes", "false")], &comment(true), signed.t("Reject", "Rechazar"), true))
            }
            @if let Some(page) = &view.page { (code(page, signed.t("QR code of the build's page", "Código QR de la página"))) }
        }
    }
}

/// A picture that leads a phone's camera to an address.
fn code(address: &str, label: &str) -> Markup {
    let Ok(code) = qrcode::QrCode::new(address) else { return html! {} };
    let width = code.width();
    let side = width + 8;
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == qrcode::Color::Dark);
    let path: String = dark.map(|(n, _)| format!("M{} {}h1v1h-1z", n % width + 4, n / width + 4)).collect();
    html! {
        svg.code viewBox={ "0 0 " (side) " " (side) } role="img" aria-label=(label) {
            (PreEscaped(format!(r##"<rect width="{side}" height="{side}" fill="#fff"/><path d="{path}" fill="#000"/>"##)))
        }
    }
}
