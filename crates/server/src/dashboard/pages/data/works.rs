//! How backups and restores go, and what lies beside what serves.

use ambit_domain::{
    access::Operation,
    provider::{Beside, BesideState},
};
use maud::{Markup, html};

use super::Known;
use crate::dashboard::{
    page::Signed,
    parts::{self, Tone, ago, chip},
    works::{State as Stands, Work},
};

pub(super) fn work_done(signed: &Signed, known: &Known, work: &Work) -> Markup {
    let events: Vec<_> = work.events.iter().cloned().collect();
    html! {
        div.note id={ "work-" (work.id) } {
            p {
                @match &work.state {
                    Stands::Running => (chip(Tone::Busy, signed.t("under way", "en marcha"))),
                    Stands::Done { .. } => (chip(Tone::Good, signed.t("done", "hecho"))),
                    Stands::Failed { .. } => (chip(Tone::Bad, signed.t("failed", "falló"))),
                }
                " " strong { (operation(signed, work.operation)) } " · " (work.actor.who) " · " (ago(signed.lang(), work.began))
            }
            @if !events.is_empty() { pre.log.short tabindex="0" data-end { (parts::said(&events)) } }
            @match &work.state {
                Stands::Failed { failure } => (parts::failure(failure)),
                Stands::Done { result } if work.operation == Operation::Restore.name() => { (restored(signed, known, result)) }
                _ => {}
            }
        }
    }
}

fn operation(signed: &Signed, name: &str) -> &'static str {
    let lang = signed.lang();
    match Operation::named(name) {
        Some(Operation::BackUp) => lang.t("Backup", "Copia de seguridad"),
        Some(Operation::Restore) => lang.t("Restore beside", "Restauración al lado"),
        _ => lang.t("Put in place", "Puesta en servicio"),
    }
}

/// What came of a restore, to be looked at before it serves.
fn restored(signed: &Signed, known: &Known, result: &serde_json::Value) -> Markup {
    let name = result.get("name").and_then(|name| name.as_str()).unwrap_or_default();
    // Once it serves, or was deleted, there is nothing to decide.
    let waits = known.beside.iter().any(|b| b.name == name && b.state == BesideState::Unfinished);
    let tables = result.get("tables").and_then(|tables| tables.as_array()).cloned().unwrap_or_default();
    let text = |table: &serde_json::Value, field: &str| {
        table.get(field).map_or(String::new(), |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    };
    let environment = known.id.environment.as_str();
    let hidden = [("environment", environment), ("name", name)];
    html! {
        @if waits {
            ul { @for table in tables.iter().take(100) { li { (text(table, "table")) ": " (text(table, "rows")) " " (signed.t("rows", "filas")) } } }
            p { (signed.t("It takes the place of the database that serves, which is stopped for some seconds and kept beside. What was written since goes out of the app's sight.", "Toma el lugar de la base de datos en servicio, que se detiene unos segundos y se guarda al lado. Lo escrito desde entonces deja de estar a la vista de la aplicación.")) }
            (signed.form(
                Operation::PutInPlace,
                &hidden,
                &signed.field("confirm", &format!("{} {environment}", signed.t("To go on, type", "Para seguir, escribe")), true),
                signed.t("Put in place", "Poner en servicio"),
                true,
            ))
        }
    }
}

pub(super) fn lies_beside(signed: &Signed, known: &Known, beside: &Beside) -> Markup {
    let hidden = [("environment", known.id.environment.as_str()), ("name", beside.name.as_str())];
    let what = match beside.state {
        BesideState::Unfinished => {
            signed.t("work goes on there, or a yes is waited for", "se trabaja en ella, o espera un sí")
        }
        BesideState::Restored => signed.t("restored, to look at", "restaurada, para mirarla"),
        BesideState::Replaced => signed.t("served until a restore", "estuvo en servicio hasta una restauración"),
    };
    html! {
        details id={ "beside-" (beside.name) } {
            summary { (signed.t("Beside", "Al lado")) ": " (beside.name) " – " (what) }
            (signed.form(Operation::RemoveCopy, &hidden, &html! {}, signed.t("Delete it", "Borrarla"), true))
        }
    }
}
