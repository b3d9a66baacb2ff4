//! Masked copies with what their leak checks came to, and rehearsals of migrations.

use ambit_app::{CopyReport, MaskedCopy, Rehearsal};
use maud::{Markup, html};

use super::Known;
use crate::dashboard::{
    page::Signed,
    parts::{Tone, ago, chip, lasted, table},
};

pub(super) fn copies(signed: &Signed, copies: &[MaskedCopy]) -> Markup {
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
        @if let Some(newest) = copies.first() { (report(signed, newest)) }
    }
}

/// What the leak check of the newest copy came to, in full.
fn report(signed: &Signed, copy: &MaskedCopy) -> Markup {
    let CopyReport { tables, leaks, .. } = &copy.report;
    html! {
        details id={ "leaks-" (copy.to) } {
            summary { (signed.t("Report of the newest copy", "Informe de la última copia")) }
            p {
                (leaks.texts) " " (signed.t("texts of the copy were looked through for", "textos de la copia se revisaron en busca de")) " "
                (leaks.sensitive) " " (signed.t("values", "valores")) "; " (tables.iter().map(|table| table.masked).sum::<usize>()) " "
                (signed.t("columns are masked", "columnas enmascaradas")) "."
            }
            @if !leaks.leaks.is_empty() {
                ul {
                    @for leak in &leaks.leaks {
                        li {
                            code { (leak.found_in) } " ← " (leak.comes_from.join(", ")) ": " (leak.times) " "
                            (signed.t("times", "veces"))
                        }
                    }
                }
            }
            @for (column, why) in &leaks.excused {
                p { code { (column) } " " (signed.t("is let be", "se deja como está")) ": " (why) }
            }
            ul { @for table in tables { li { code { (table.table) } ": " (table.rows) "/" (table.of) " " (signed.t("rows", "filas")) } } }
        }
    }
}

pub(super) fn rehearsed(signed: &Signed, all: &[Known]) -> Markup {
    let any = all.iter().any(|known| !known.rehearsals.is_empty());
    html! {
        @if any {
            section aria-labelledby="rehearsals" {
                h2 id="rehearsals" { (signed.t("Rehearsals of migrations", "Ensayos de migraciones")) }
                @for (known, rehearsal) in all.iter().flat_map(|known| known.rehearsals.iter().map(move |r| (known, r))) {
                    (one(signed, known, rehearsal))
                }
            }
        }
    }
}

fn one(signed: &Signed, known: &Known, rehearsal: &Rehearsal) -> Markup {
    let report = &rehearsal.report;
    html! {
        div.note {
            p {
                @if report.is_harmless() { (chip(Tone::Good, signed.t("harmless", "inocuo"))) }
                @else { (chip(Tone::Bad, signed.t("would hurt", "haría daño"))) }
                " " (known.id.environment) " · " code { (rehearsal.release.short()) } " · " (ago(signed.lang(), rehearsal.at))
            }
            ul { @for migration in &rehearsal.migrations { li { (migration) } } }
            @if let Some(failed) = &report.failed {
                p.failure { strong { (failed.migration) } ": " (failed.error) @if !failed.statement.is_empty() { " " code { (failed.statement) } } }
            }
            @for danger in &report.dangers {
                p { code { (danger.statement) } " " (danger.what) " → " (danger.safe_way) }
            }
            @if !report.statements.is_empty() {
                details id={ "rehearsal-" (known.id.environment) "-" (rehearsal.at) } {
                    summary { (signed.t("Statements, as they ran", "Sentencias, como se ejecutaron")) ": " (report.statements.len()) }
                    ul {
                        @for ran in report.statements.iter().take(200) {
                            li {
                                code { (ran.statement) } " " (lasted(i64::try_from(ran.millis).unwrap_or(i64::MAX))) ", " (ran.rows) " "
                                (signed.t("rows", "filas"))
                                @for lock in &ran.locks { "; " (lock.mode) " " (lock.table) }
                            }
                        }
                    }
                }
            }
        }
    }
}
