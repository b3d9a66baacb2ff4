//! The public page: whether what a project serves to the world is up. It tells nothing else.

use ambit_domain::{
    Wanted,
    spec::{Kind, ProjectName},
};
use axum::{extract::Path, response::Response};
use maud::html;

use crate::dashboard::{
    page::Visit,
    parts::{Tone, chip},
};

pub(super) async fn page(visit: Visit, Path(name): Path<String>) -> Response {
    let page = visit.open();
    let known = name.parse::<ProjectName>().ok().filter(|name| page.face.ambit.project_folder(name).is_ok());
    let Some(project) = known else { return page.not_found() };
    let overview = match page.face.live.overview(&page.face, &project).await {
        Ok(overview) => overview,
        // Why is nobody's business here.
        Err(_) => return page.not_found(),
    };
    // What the world is served: production alone, and of it what has an address.
    let production = overview.lanes.iter().filter(|lane| lane.status.kind == Kind::Production);
    let services: Vec<(&str, bool)> = production
        .filter(|lane| lane.status.wanted == Wanted::Running)
        .flat_map(|lane| lane.status.services.iter().filter(|s| !s.urls.is_empty()))
        .map(|service| (service.service.as_str(), service.healthy))
        .collect();
    let t = |english, spanish| page.lang.t(english, spanish);
    let title = format!("{project}: {}", t("status", "estado"));
    let all = services.iter().all(|(_, healthy)| *healthy);
    page.show(
        &title,
        html! {
            h1 { (title) }
            @if services.is_empty() {
                p { (t("Nothing is served to the world.", "No se sirve nada al mundo.")) }
            } @else {
                p.headline {
                    @if all { (chip(Tone::Good, t("Everything works", "Todo funciona"))) }
                    @else { (chip(Tone::Bad, t("Something does not work", "Algo no funciona"))) }
                }
                ul.services {
                    @for (service, healthy) in &services {
                        li {
                            strong { (service) } " "
                            @if *healthy { (chip(Tone::Good, t("works", "funciona"))) }
                            @else { (chip(Tone::Bad, t("does not work", "no funciona"))) }
                        }
                    }
                }
            }
        },
    )
}
