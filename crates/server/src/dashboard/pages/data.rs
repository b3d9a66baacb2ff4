//! Data: backups on a time line with the moments that can be restored, restores, masked copies and rehearsals.

use std::sync::Arc;

use ambit_app::{Backups, MaskedCopy, Rehearsal};
use ambit_domain::{
    EnvironmentId, Failure,
    access::Operation,
    backup::{Backup, Range, Worth},
    provider::{Beside, BesideState},
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use maud::{Markup, html};

use super::super::works::{State as Stands, Work};
use crate::dashboard::{
    Face,
    page::{Page, Refusal, Signed},
    parts::{self, Tone, ago, bytes, chip, lasted, moment, table},
};

/// What is known of an environment's data.
struct Known {
    id: EnvironmentId,
    backups: Backups,
    beside: Vec<Beside>,
    works: Vec<Work>,
    copies: Vec<MaskedCopy>,
    rehearsals: Vec<Rehearsal>,
}

pub(super) async fn page(
    State(face): State<Arc<Face>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let signed = Page::signed(face, &headers, &uri, Operation::Backups, Some(&name))?;
    let all = signed.told(look(&signed).await)?;
    let title = signed.t("Data", "Datos");
    Ok(signed.page.show(
        title,
        html! {
            h1 { (title) }
            @for known in &all { (environment(&signed, known)) }
            (rehearsed(&signed, &all))
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
                    (time_line(signed, &known.backups))
                    (list(signed, &known.backups.backups))
                } @else {
                    p { (signed.t("It has no backups.", "No tiene copias de seguridad.")) }
                }
                @if !known.copies.is_empty() { (copies(signed, &known.copies)) }
            }
            div.actions data-part={ "works-" (name) } {
                @for work in &known.works { (work_done(signed, known, work)) }
                @for beside in &known.beside { (lies_beside(signed, known, beside)) }
            }
            div.actions { (begin(signed, known)) }
        }
    }
}

/// The ranges as bars and the backups as marks, from the oldest moment until now.
fn time_line(signed: &Signed, backups: &Backups) -> Markup {
    let now = parts::now();
    let oldest_backup = backups.backups.iter().map(|b| b.started).min();
    let oldest_range = backups.ranges.iter().map(|r| r.from * 1000).min();
    let Some(begin) = oldest_backup.into_iter().chain(oldest_range).min() else { return html! {} };
    let span = (now - begin).max(1);
    let at = |moment: i64| (moment - begin).clamp(0, span) * 1000 / span;
    html! {
        svg.line viewBox="-8 0 1016 40" role="img" aria-label=(signed.t("Time line of the backups", "Línea de tiempo de las copias")) {
            line.axis x1="0" x2="1000" y1="20" y2="20" {}
            @for range in &backups.ranges {
                @let (from, until) = (at(range.from * 1000), at(end(range, now)));
                rect.range x=(from) y="14" width=((until - from).max(2)) height="12" { title { (words(signed, range)) } }
            }
            @for backup in &backups.backups {
                circle class=(if backup.worth() == Worth::Proven { "proven" } else { "unproven" }) cx=(at(backup.started)) cy="20" r="6" {
                    title { (backup.name) " · " (moment(backup.started)) }
                }
            }
        }
        ul { @for range in &backups.ranges { li { (words(signed, range)) } } }
    }
}

fn end(range: &Range, now: i64) -> i64 {
    if range.open { now } else { range.until * 1000 }
}

fn words(signed: &Signed, range: &Range) -> String {
    let (from, until) = (moment(range.from * 1000), moment(range.until * 1000));
    let any = signed.t("Any moment can be restored from", "Se puede restaurar cualquier momento desde");
    let to =
        if range.open { signed.t("on, for certain until", ", con certeza hasta") } else { signed.t("to", "hasta") };
    format!("{any} {from} {to} {until}")
}

fn list(signed: &Signed, backups: &[Backup]) -> Markup {
    let rows = html! {
        @for backup in backups.iter().take(50) {
            tr {
                td { (backup.name) }
                td { (ago(signed.lang(), backup.started)) }
                td { (bytes(backup.stored())) }
                td {
                    @match backup.worth() {
                        Worth::Proven => (chip(Tone::Good, signed.t("proven", "probada"))),
                        Worth::Unproven => (chip(Tone::Busy, signed.t("not proven yet", "aún sin probar"))),
                        Worth::Failed => (chip(Tone::Bad, signed.t("cannot be restored", "no se puede restaurar"))),
                    }
                }
                td {
                    @match backup.drill.as_ref() {
                        Some(drill) => { @match &drill.failure {
                            Some(why) => (why),
                            None => (lasted(i64::try_from(drill.restored_in).unwrap_or(i64::MAX))),
                        } }
                        None => "–"
                    }
                }
            }
        }
    };
    let head = [
        signed.t("backup", "copia"),
        signed.t("made", "hecha"),
        signed.t("stored", "ocupa"),
        signed.t("state", "estado"),
        signed.t("restored in", "restaurada en"),
    ];
    table(signed.t("Backups", "Copias de seguridad"), &head, &rows)
}

/// What can be begun: a backup, and a restore to a moment or to a backup.
fn begin(signed: &Signed, known: &Known) -> Markup {
    let name = known.id.environment.as_str();
    let at = [("environment", name)];
    let now = parts::now();
    let span = known
        .backups
        .ranges
        .iter()
        .map(|r| r.from * 1000)
        .min()
        .zip(known.backups.ranges.iter().map(|r| end(r, now)).max());
    let restorable: Vec<&Backup> = known.backups.backups.iter().filter(|b| b.postgres.is_some()).collect();
    html! {
        @if !known.backups.backups.is_empty() {
            (signed.form(Operation::BackUp, &at, &html! {}, signed.t("Back up now", "Hacer una copia ahora"), false))
        }
        @if let Some((from, until)) = span {
            @let field = html! {
                label {
                    (signed.t("Moment (UTC)", "Momento (UTC)")) " "
                    input type="datetime-local" step="1" name="moment" required min=(picked(from + 1000)) max=(picked(until)) value=(picked(until));
                }
            };
            (signed.form(Operation::Restore, &at, &field, signed.t("Restore beside", "Restaurar al lado"), false))
        } @else if !restorable.is_empty() {
            @let field = html! {
                label {
                    (signed.t("Backup", "Copia")) " "
                    select name="backup" { @for backup in restorable { option value=(backup.name) { (backup.name) " · " (moment(backup.started)) } } }
                }
            };
            (signed.form(Operation::Restore, &at, &field, signed.t("Restore beside", "Restaurar al lado"), false))
        }
    }
}

/// A moment as a browser's field for one takes it.
fn picked(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn work_done(signed: &Signed, known: &Known, work: &Work) -> Markup {
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

fn lies_beside(signed: &Signed, known: &Known, beside: &Beside) -> Markup {
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

fn copies(signed: &Signed, copies: &[MaskedCopy]) -> Markup {
    let rows = html! {
        @for copy in copies {
            tr {
                td { (ago(signed.lang(), copy.at)) }
                td { (copy.from) " → " (copy.to) }
                td { (copy.report.rows()) }
                td {
                    @if copy.report.is_clean() { (chip(Tone::Good, signed.t("nothing leaked", "sin fugas"))) }
                    @else { (chip(Tone::Bad, signed.t("leaks; thrown away", "con fugas; descartada"))) }
                }
                td { (copy.by) }
            }
        }
    };
    let head = [
        signed.t("when", "cuándo"),
        signed.t("from and to", "de y a"),
        signed.t("rows", "filas"),
        signed.t("leak check", "búsqueda de fugas"),
        signed.t("by", "por"),
    ];
    html! {
        h3 { (signed.t("Masked copies", "Copias enmascaradas")) }
        (table(signed.t("Masked copies", "Copias enmascaradas"), &head, &rows))
    }
}

fn rehearsed(signed: &Signed, all: &[Known]) -> Markup {
    let any = all.iter().any(|known| !known.rehearsals.is_empty());
    html! {
        @if any {
            section aria-labelledby="rehearsals" {
                h2 id="rehearsals" { (signed.t("Rehearsals of migrations", "Ensayos de migraciones")) }
                @for (known, rehearsal) in all.iter().flat_map(|known| known.rehearsals.iter().map(move |r| (known, r))) {
                    div.note {
                        p {
                            @if rehearsal.report.is_harmless() { (chip(Tone::Good, signed.t("harmless", "inocuo"))) }
                            @else { (chip(Tone::Bad, signed.t("would hurt", "haría daño"))) }
                            " " (known.id.environment) " · " code { (rehearsal.release.short()) } " · " (ago(signed.lang(), rehearsal.at))
                        }
                        ul { @for migration in &rehearsal.migrations { li { (migration) } } }
                    }
                }
            }
        }
    }
}
