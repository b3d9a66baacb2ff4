//! What the environments cost each month, as it is declared, and what they take beside it.

use ambit_app::{Cost, Measured};
use ambit_domain::{
    access::Operation,
    cost::{Amounts, Bill, Compared, Comparison, Verdict, dollars},
    spec::Placement,
};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{Tone, bytes, chip, table},
    slow,
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Cost, Some(&name))?;
    let Cost { bill, measured } = signed.told(slow::cost(&signed.page.face, signed.project()?).await)?;
    let content = html! {
        @if bill.groups.is_empty() {
            p { (signed.t("ambit.toml declares no costs: ", "ambit.toml no declara costes: ")) code { "[costs.ENVIRONMENT]" } }
        } @else {
            p { (signed.t("US dollars a month, as ambit.toml declares them.", "Dólares al mes, como los declara ambit.toml.")) }
            (budget(&signed, &bill))
            (prices(&signed, &bill))
        }
        @if !bill.comparisons.is_empty() { (comparisons(&signed, &bill.comparisons)) }
        @if !bill.stated.is_empty() { (stated(&signed, &bill.stated)) }
        @if !measured.is_empty() { (used(&signed, &measured)) }
    };
    Ok(signed.titled(signed.t("Costs", "Costes"), &content))
}

fn budget(signed: &Signed, bill: &Bill) -> Markup {
    let Some(budget) = bill.budget.map(money) else { return html! {} };
    let total = money(bill.total.recommended);
    html! {
        p.headline {
            @match bill.over_budget() {
                None => { (chip(Tone::Good, &format!("{total} {} {budget}", signed.t("of a budget of", "de un presupuesto de")))) }
                Some(over) => {
                    (chip(Tone::Bad, &format!("{total}: {} {}", money(over), signed.t("over the budget of", "sobre el presupuesto de"))))
                    " " (budget)
                }
            }
        }
    }
}

fn prices(signed: &Signed, bill: &Bill) -> Markup {
    let plans = !bill.plans.is_empty();
    let with_plans = format!("{} {}", signed.t("with paid", "con pago de"), bill.plans.join(", "));
    let mut head = vec![
        signed.t("environment", "entorno"),
        signed.t("what", "qué"),
        signed.t("minimum", "mínimo"),
        signed.t("recommended", "recomendado"),
    ];
    if plans {
        head.push(&with_plans);
    }
    let amounts = |amounts: Amounts| {
        html! {
            td.number { (money(amounts.minimum)) }
            td.number { (money(amounts.recommended)) }
            @if plans { td.number { (money(amounts.paid)) } }
        }
    };
    let rows = html! {
        @for group in &bill.groups {
            @let name = group.environment.as_ref().map_or(signed.t("all share", "común a todos"), |e| e.as_str());
            @for line in &group.lines { tr { td { (name) } th scope="row" { (line.name) } (amounts(line.amounts)) } }
            tr.sum {
                td { (name) }
                th scope="row" { (signed.t("total", "total")) @if let Some(at) = group.at { " " (place(signed, at)) } }
                (amounts(group.total))
            }
        }
        tr.sum { td { (signed.t("everything", "todo")) } th scope="row" { (signed.t("total", "total")) } (amounts(bill.total)) }
    };
    section(signed.t("Line items", "Partidas"), "prices", &head, &rows)
}

fn comparisons(signed: &Signed, all: &[Comparison]) -> Markup {
    let head = [signed.t("environment", "entorno"), signed.t("here", "aquí"), "Railway", signed.t("lives", "está")];
    let range = |amounts: Option<Amounts>| match amounts {
        Some(Amounts { minimum, recommended, .. }) => between(minimum, recommended),
        None => signed.t("not declared", "sin declarar").to_owned(),
    };
    let rows = html! {
        @for one in all {
            tr {
                th scope="row" { (one.environment) }
                td.number { (range(one.host)) }
                td.number { (range(one.railway)) }
                td { (place(signed, one.lives)) }
            }
        }
    };
    section(signed.t("Where it could live instead", "Dónde podría estar"), "comparisons", &head, &rows)
}

fn stated(signed: &Signed, all: &[Compared]) -> Markup {
    let head = [
        signed.t("total", "total"),
        signed.t("of", "de"),
        signed.t("amount", "importe"),
        signed.t("as stated", "según el plan"),
        signed.t("as the items add up", "según las partidas"),
        signed.t("verdict", "veredicto"),
    ];
    let which = |one: &Compared| match one.which.as_str() {
        "minimum" => signed.t("minimum", "mínimo").to_owned(),
        "recommended" => signed.t("recommended", "recomendado").to_owned(),
        "paid" => signed.t("with paid plans", "con planes de pago").to_owned(),
        other => other.to_owned(),
    };
    let rows = html! {
        @for one in all {
            tr {
                th scope="row" { (one.name) }
                td { @if one.of.is_empty() { (signed.t("everything", "todo")) } @else { (one.of.join(" + ")) } }
                td { (which(one)) }
                td.number { (between(one.stated.0, one.stated.1)) }
                td.number { (money(one.sum)) }
                td {
                    @match one.verdict {
                        Verdict::Agrees => { (chip(Tone::Good, signed.t("agrees", "coincide"))) }
                        Verdict::Rounded => { (chip(Tone::Good, signed.t("agrees in whole dollars", "coincide en dólares enteros"))) }
                        Verdict::Disagrees => { (chip(Tone::Bad, signed.t("disagrees", "no coincide"))) }
                    }
                }
            }
        }
    };
    section(signed.t("Totals that somebody wrote down", "Totales que alguien escribió"), "stated", &head, &rows)
}

fn used(signed: &Signed, all: &[Measured]) -> Markup {
    let head = [
        signed.t("environment", "entorno"),
        signed.t("service", "servicio"),
        signed.t("processors", "procesadores"),
        signed.t("memory", "memoria"),
        signed.t("disk", "disco"),
    ];
    let size = |count: Option<u64>| count.map_or("–".to_owned(), bytes);
    let rows = html! {
        @for one in all {
            tr {
                td { (one.environment) }
                th scope="row" { (one.service) }
                td.number { (one.cpus.map_or("–".to_owned(), |cpus| format!("{cpus:.3}"))) }
                td.number { (size(one.memory)) }
                td.number { (size(one.disk)) }
            }
        }
    };
    html! {
        (section(signed.t("What is used on this machine", "Qué se usa en esta máquina"), "measured", &head, &rows))
        p.detail { (signed.t("Processors on average since each service started.", "Procesadores de media desde que arrancó cada servicio.")) }
    }
}

fn section(title: &str, id: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            div data-part=(id) { (table(title, head, rows)) }
        }
    }
}

fn place(signed: &Signed, at: Placement) -> &str {
    match at {
        Placement::Host => signed.t("on this machine", "en esta máquina"),
        Placement::Railway => signed.t("at Railway", "en Railway"),
    }
}

fn between(low: u64, high: u64) -> String {
    if low == high { money(low) } else { format!("{}–{}", money(low), dollars(high)) }
}

fn money(cents: u64) -> String {
    format!("${}", dollars(cents))
}
