//! What becomes of each column in masked copies: the lines of `masking.toml` beside the database that is there.

use ambit_app::ReviewedColumn;
use ambit_domain::access::Operation;
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{Tone, chip, table},
    slow,
};

pub(super) async fn page(visit: Visit, Path((name, environment)): Path<(String, String)>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Classification, Some(&name))?;
    let id = super::known(&signed, signed.project()?, &environment)?;
    let columns = signed.told(slow::classification(&signed.page.face, &id).await)?;
    let title = format!("{}: {}", signed.t("Columns", "Columnas"), id.environment);
    let (open, settled): (Vec<_>, Vec<_>) = columns.iter().partition(|column| column.trouble.is_some());
    let content = html! {
        p {
            (signed.t("As masking.toml of the project's folder says. It is changed there, and by ", "Como dice masking.toml en la carpeta del proyecto. Se cambia allí, y con "))
            code { "ambit data classify -e " (id.environment) } "."
        }
        @if columns.is_empty() { p { (signed.t("The database has no tables.", "La base de datos no tiene tablas.")) } }
        @if !open.is_empty() {
            section aria-labelledby="open" {
                h2 id="open" { (signed.t("To be settled", "Por decidir")) }
                @if open.iter().any(|column| column.stops) {
                    p { (chip(Tone::Bad, signed.t("no masked copy is made before", "antes no se hace ninguna copia enmascarada"))) }
                }
                (listed(&signed, signed.t("To be settled", "Por decidir"), &open))
            }
        }
        @if !settled.is_empty() {
            section aria-labelledby="settled" {
                h2 id="settled" { (signed.t("Settled", "Decididas")) }
                (listed(&signed, signed.t("Settled", "Decididas"), &settled))
            }
        }
    };
    Ok(signed.titled(&title, &content))
}

fn listed(signed: &Signed, title: &str, columns: &[&ReviewedColumn]) -> Markup {
    let head = [
        signed.t("column", "columna"),
        signed.t("type", "tipo"),
        signed.t("what becomes of it", "qué pasa con ella"),
        signed.t("why", "por qué"),
        signed.t("would be proposed", "se propondría"),
    ];
    let rows = html! { @for column in columns { (row(signed, column)) } };
    table(title, &head, &rows)
}

fn row(signed: &Signed, column: &ReviewedColumn) -> Markup {
    html! {
        tr {
            th scope="row" { code { (column.column) } }
            td { (column.data_type.as_deref().unwrap_or("–")) }
            td {
                @match &column.rule {
                    Some(rule) => { code { (rule) } }
                    None => { (chip(Tone::Bad, signed.t("not decided", "sin decidir"))) }
                }
                @if let Some(trouble) = &column.trouble { " " span.detail { (trouble) } }
            }
            td { (column.why.as_deref().unwrap_or("–")) }
            td {
                @match &column.proposal {
                    Some(proposal) => {
                        code { (proposal.rule) } " "
                        span.detail { (format!("{:.0} %", proposal.confidence * 100.0)) ": " (proposal.reason) }
                    }
                    None => "–"
                }
            }
        }
    }
}
