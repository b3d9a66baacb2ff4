//! The public page: whether what a project serves to the world is up, how it was for ninety days, and what the team tells of
//! incidents. It tells nothing else. Who is signed in sees the other environments below it.

use ambit_app::{PublicIncident, ServiceUptime, StatusPage, UptimeDay};
use ambit_domain::{access::Operation, spec::ProjectName};
use axum::{extract::Path, response::Response};
use maud::{Markup, html};

use crate::dashboard::{
    lang::Lang,
    page::{Page, Visit},
    parts::{Tone, ago, chip, moment},
};

/// A day of which less was well is shown as bad.
const BAD: f64 = 0.95;

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Response {
    let mut page = visit.open();
    let known = name.parse::<ProjectName>().ok().filter(|name| page.face.ambit.project_folder(name).is_ok());
    let Some(project) = known else { return page.not_found() };
    // Why is nobody's business here.
    let Ok(status) = page.face.live.status_page(&page.face, &project).await else { return page.not_found() };
    let title = format!("{project}: {}", page.lang.t("status", "estado"));
    let inside = page.session.as_ref().is_some_and(|s| s.caller.may(Operation::StatusPage, Some(&project)));
    if inside {
        page.project = Some(project);
    }
    page.show(&title, html! { h1 { (title) } (content(&page, &status, inside)) })
}

fn content(page: &Page, status: &StatusPage, inside: bool) -> Markup {
    let lang = page.lang;
    let public = status.public();
    let (open, over): (Vec<_>, Vec<_>) = status.incidents.iter().partition(|incident| incident.resolved.is_none());
    let works = open.is_empty() && public.iter().all(|service| service.works);
    let rest: Vec<&ServiceUptime> = status.services.iter().filter(|service| inside && !service.public).collect();
    html! {
        div data-part="now" {
            @if public.is_empty() {
                p { (lang.t("Nothing is served to the world.", "No se sirve nada al mundo.")) }
            } @else {
                p.headline {
                    @if works { (chip(Tone::Good, lang.t("Everything works", "Todo funciona"))) }
                    @else { (chip(Tone::Bad, lang.t("Something does not work", "Algo no funciona"))) }
                }
            }
            @for incident in &open { (told(lang, incident)) }
        }
        @if !public.is_empty() {
            section aria-labelledby="services" {
                h2 id="services" { (lang.t("The last 90 days", "Los últimos 90 días")) }
                div data-part="services" { (services(lang, &public)) }
            }
        }
        section aria-labelledby="past" {
            h2 id="past" { (lang.t("Past incidents", "Incidencias pasadas")) }
            div data-part="past" {
                @if over.is_empty() { p { (lang.t("None in the last 90 days.", "Ninguna en los últimos 90 días.")) } }
                @for incident in &over { (told(lang, incident)) }
            }
        }
        @if !rest.is_empty() {
            section aria-labelledby="rest" {
                h2 id="rest" { (lang.t("Other environments, seen by the team alone", "Otros entornos, que solo ve el equipo")) }
                div data-part="rest" { (services(lang, &rest)) }
            }
        }
    }
}

fn services(lang: Lang, all: &[&ServiceUptime]) -> Markup {
    html! {
        ul.services {
            @for service in all {
                li {
                    strong { (service.service) } " " small { (service.environment) } " "
                    @if service.works { (chip(Tone::Good, lang.t("works", "funciona"))) }
                    @else { (chip(Tone::Bad, lang.t("does not work", "no funciona"))) }
                    " " (uptime(lang, service))
                }
            }
        }
    }
}

/// A bar for each day, and in words the sum and the days that were not well.
fn uptime(lang: Lang, service: &ServiceUptime) -> Markup {
    let Some(share) = service.share else {
        return html! { p.detail { (lang.t("Not measured yet.", "Aún sin medir.")) } };
    };
    let sum = format!("{} {}", percent(share), lang.t("of the time that was measured", "del tiempo medido"));
    let unwell = service.days.iter().filter(|day| day.share.is_some_and(|share| !is_well(share)));
    let unwell: Vec<&UptimeDay> = unwell.collect();
    html! {
        svg.days viewBox={ "0 0 " (service.days.len() * 4) " 30" } preserveAspectRatio="none" role="img" aria-label={ (service.service) ": " (sum) } {
            @for (n, day) in service.days.iter().enumerate() {
                rect class=(tone(day)) x=(n * 4) y="0" width="3" height="30" {}
            }
        }
        p.detail { (sum) }
        @if !unwell.is_empty() {
            details id={ "days-" (service.environment) "-" (service.service) } {
                summary { (lang.t("Days with trouble", "Días con problemas")) ": " (unwell.len()) }
                ul { @for day in unwell.iter().rev() { li { (date(day.at)) ": " (percent(day.share.unwrap_or_default())) } } }
            }
        }
    }
}

fn is_well(share: f64) -> bool {
    share >= 0.999
}

fn tone(day: &UptimeDay) -> &'static str {
    match day.share {
        None => "unknown",
        Some(share) if is_well(share) => "well",
        Some(share) if share >= BAD => "partly",
        Some(_) => "badly",
    }
}

/// Rounded down: what was not well all the time is not shown as if it had been.
fn percent(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

fn date(at: i64) -> String {
    moment(at).get(..10).unwrap_or_default().to_owned()
}

/// An incident as the world reads it.
fn told(lang: Lang, incident: &PublicIncident) -> Markup {
    let id = format!("incident-{}", incident.number);
    html! {
        article.incident aria-labelledby=(id) {
            @if incident.resolved.is_none() { h2 id=(id) { (incident.title) } }
            @else { h3 id=(id) { (incident.title) } }
            p {
                @match incident.resolved {
                    None => { (chip(Tone::Bad, lang.t("goes on", "en curso"))) }
                    Some(_) => { (chip(Tone::Good, lang.t("over", "resuelta"))) }
                }
                " " (incident.services.join(", ")) " · " (ago(lang, incident.opened))
            }
            @for (at, text) in incident.updates.iter().rev() { p.told { span.detail { (moment(*at)) } " " (text) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_well_all_the_time_is_not_rounded_up() {
        assert_eq!(
            (percent(0.99999), percent(1.0), percent(0.0)),
            ("99.99 %".into(), "100.00 %".into(), "0.00 %".into())
        );
        let day = |share| UptimeDay { at: 0, share, minutes: 1 };
        assert_eq!(
            [None, Some(1.0), Some(0.99), Some(0.5)].map(|s| tone(&day(s))),
            ["unknown", "well", "partly", "badly"]
        );
        assert_eq!(date(0), "1970-01-01");
    }
}
