//! Who did what.

use std::collections::BTreeMap;

use ambit_app::AuditFilter;
use ambit_domain::{
    access::Operation,
    audit::{Entry, Fact},
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use maud::{Markup, html};

use crate::dashboard::{
    page::{Refusal, Signed, Visit},
    parts::{ago, table},
};

/// So many of the newest entries are shown.
const ENTRIES: usize = 200;

pub(super) async fn page(
    visit: Visit,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let signed = visit.signed(Operation::Audit, Some(&name))?;
    let filter = AuditFilter {
        project: signed.page.project.clone(),
        environment: query.get("environment").and_then(|name| name.parse().ok()),
        since: None,
        limit: Some(ENTRIES),
    };
    let title = signed.t("Audit", "Auditoría");
    let entries = signed.told(signed.page.face.ambit.audit(&filter))?;
    let content = html! { h1 { (title) } div data-part="entries" { (listed(&signed, &entries)) } };
    Ok(signed.page.show(title, content))
}

fn listed(signed: &Signed, entries: &[Entry]) -> Markup {
    let rows = html! {
        @for entry in entries.iter().rev() {
            tr {
                td { (entry.sequence) }
                td { (ago(signed.lang(), entry.at)) }
                td { (entry.who) " " span.detail { (entry.from) } }
                td { (entry.environment.as_deref().unwrap_or("–")) }
                td { (entry.what) }
                td { @for (name, fact) in &entry.about { span.fact { (name) ": " (told(fact)) } " " } }
            }
        }
    };
    let head = [
        "#",
        signed.t("when", "cuándo"),
        signed.t("who", "quién"),
        signed.t("environment", "entorno"),
        signed.t("what", "qué"),
        signed.t("about", "detalles"),
    ];
    table(signed.t("Audit", "Auditoría"), &head, &rows)
}

fn told(fact: &Fact) -> String {
    match fact {
        Fact::Flag(flag) => flag.to_string(),
        Fact::Number(number) => number.to_string(),
        Fact::Text(text) => text.clone(),
        Fact::Texts(texts) => texts.join(", "),
    }
}
