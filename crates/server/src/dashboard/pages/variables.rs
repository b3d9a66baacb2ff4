//! The variables of all environments side by side.

use ambit_app::{Cell, Matrix};
use ambit_domain::access::Operation;
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{Tone, chip, table},
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Variables, Some(&name))?;
    let matrix = signed.told(signed.page.face.ambit.variable_matrix(signed.project()?))?;
    Ok(signed.page.show("Variables", content(&signed, &matrix)))
}

fn content(signed: &Signed, matrix: &Matrix) -> Markup {
    let mut head = vec![signed.t("variable", "variable")];
    head.extend(matrix.environments.iter().map(|name| name.as_str()));
    let rows = html! {
        @for row in &matrix.rows {
            tr {
                th scope="row" { code { (row.name) } }
                @for cell in &row.cells { td { (shown(signed, cell)) } }
            }
        }
    };
    html! {
        h1 { "Variables" }
        p { (signed.t("As ambit.toml declares them now. Secrets are shown by their state alone.", "Como las declara ahora ambit.toml. De los secretos se ve solo su estado.")) }
        @if let Some(why) = &matrix.locked { p.note { (why) } }
        (table("Variables", &head, &rows))
    }
}

fn shown(signed: &Signed, cell: &Cell) -> Markup {
    let t = |english, spanish| signed.page.lang.t(english, spanish);
    match cell {
        Cell::Absent => html! { "–" },
        Cell::Plain(value) => html! { code { (value) } },
        Cell::Given => chip(Tone::Quiet, t("made by Ambit", "lo hace Ambit")),
        Cell::Set => chip(Tone::Good, t("secret, set", "secreto, puesto")),
        Cell::Missing => chip(Tone::Bad, t("secret, missing", "secreto, falta")),
        Cell::Weak => chip(Tone::Bad, t("secret, weak", "secreto, débil")),
        Cell::Locked => chip(Tone::Quiet, t("secret, closed", "secreto, cerrado")),
    }
}
