//! Backups on a time line, and what can be begun with them.

use ambit_app::Backups;
use ambit_domain::{
    access::Operation,
    backup::{Backup, Range, Worth},
};
use maud::{Markup, html};

use super::Known;
use crate::dashboard::{
    page::Signed,
    parts::{self, Tone, ago, bytes, chip, lasted, moment, table},
};

/// The ranges as bars and the backups as marks, from the oldest moment until now.
pub(super) fn time_line(signed: &Signed, backups: &Backups) -> Markup {
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

pub(super) fn list(signed: &Signed, backups: &[Backup]) -> Markup {
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
pub(super) fn begin(signed: &Signed, known: &Known) -> Markup {
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
