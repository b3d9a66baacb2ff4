//! Data: backups on a time line with the moments that can be restored, restores, masked copies and rehearsals.

mod backups;
mod copies;
mod works;

use ambit_app::{Backups, MaskedCopy, Rehearsal};
use ambit_domain::{EnvironmentId, Failure, access::Operation, provider::Beside};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    works::Work,
};

/// What is known of an environment's data.
struct Known {
    id: EnvironmentId,
    backups: Backups,
    beside: Vec<Beside>,
    works: Vec<Work>,
    copies: Vec<MaskedCopy>,
    rehearsals: Vec<Rehearsal>,
    has_postgres: bool,
}

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Backups, Some(&name))?;
    let all = signed.told(look(&signed).await)?;
    let title = signed.t("Data", "Datos");
    Ok(signed.page.show(
        title,
        html! {
            h1 { (title) }
            @for known in &all { (environment(&signed, known)) }
            (copies::rehearsed(&signed, &all))
        },
    ))
}

async fn look(signed: &Signed) -> Result<Vec<Known>, Failure> {
    let (face, mut all) = (&signed.page.face, Vec::new());
    let Some(project) = &signed.page.project else { return Ok(all) };
    for id in face.ambit.known(project, &[])? {
        all.push(Known {
            backups: face.ambit.backups(&id).await?,
            beside: face.ambit.beside(&id),
            works: face.works.on(&id),
            copies: face.ambit.masked_copies(&id)?,
            rehearsals: face.ambit.rehearsals(&id)?,
            has_postgres: face.ambit.has_postgres(&id),
            id,
        });
    }
    Ok(all)
}

fn environment(signed: &Signed, known: &Known) -> Markup {
    let name = known.id.environment.as_str();
    let has_any = !known.backups.backups.is_empty() || known.backups.trouble.is_some();
    html! {
        section aria-labelledby=(name) {
            h2 id=(name) { (name) }
            div data-part={ "backups-" (name) } {
                @if let Some(trouble) = &known.backups.trouble { p.failure role="alert" { (trouble) } }
                @if has_any {
                    (backups::time_line(signed, &known.backups))
                    (backups::list(signed, &known.backups.backups))
                } @else {
                    p { (signed.t("It has no backups.", "No tiene copias de seguridad.")) }
                }
                @if known.has_postgres {
                    p {
                        a href={ "/projects/" (known.id.project) "/environments/" (name) "/classification" } {
                            (signed.t("What becomes of each column in masked copies", "Qué pasa con cada columna en las copias enmascaradas"))
                        }
                    }
                }
                @if !known.copies.is_empty() { (copies::copies(signed, &known.copies)) }
            }
            div.actions data-part={ "works-" (name) } {
                @for work in &known.works { (works::work_done(signed, known, work)) }
                @for beside in &known.beside { (works::lies_beside(signed, known, beside)) }
            }
            div.actions { (backups::begin(signed, known)) }
        }
    }
}
