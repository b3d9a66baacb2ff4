//! `ambit incident`

use std::{path::Path, process::ExitCode};

use ambit_app::{Incidents, OpenIncident, UpdateIncident};
use ambit_domain::{
    Failure,
    incident::{Incident, Proposal},
    spec::Language,
};

use super::print_json;
use crate::{
    arguments::IncidentCommand,
    context,
    screen::{Paint, ago, plain, table, took},
};

pub(crate) fn list(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let all = context::ambit()?.incidents(&context::project(folder)?)?;
    if json {
        print_json(&all);
        return Ok(ExitCode::SUCCESS);
    }
    let Incidents { incidents, proposals } = all;
    if incidents.is_empty() {
        println!("there was no incident in the last 90 days");
    } else {
        table(&["", "since", "what", "services", "state", "told last"], incidents.iter().map(row));
    }
    for proposal in &proposals {
        println!("{}", proposed(proposal));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(incident: &Incident) -> Vec<String> {
    let state = incident.resolved.map_or("open".to_owned(), |at| format!("over after {}", took(incident.opened, at)));
    vec![
        incident.number.to_string(),
        format!("{} ago", ago(incident.opened)),
        plain(&incident.title),
        plain(&incident.services.join(", ")),
        state,
        incident.updates.last().map(|update| plain(&update.text)).unwrap_or_default(),
    ]
}

fn proposed(proposal: &Proposal) -> String {
    format!(
        "{} proposed: {} ({} for {}); ambit incident open --alert {} --text \"…\"",
        Paint::stdout().bad("✗"),
        plain(&proposal.title(Language::English)),
        plain(&proposal.services.join(", ")),
        ago(proposal.since),
        proposal.alert
    )
}

pub(crate) async fn tell(folder: &Path, command: IncidentCommand, json: bool) -> Result<ExitCode, Failure> {
    let (project, actor) = (context::project(folder)?, context::actor(folder));
    let daemon = context::daemon().await?;
    let (incident, said): (Incident, _) = match command {
        IncidentCommand::Open { title, text, services, alert } => {
            let request = OpenIncident { project, title, text, services, alert, actor };
            (daemon.work("/v1/incident/open", &request, |_| {}).await?, "is on the status page")
        }
        IncidentCommand::Update { number, text } => {
            let request = UpdateIncident { project, number, text, resolve: false, actor };
            (daemon.work("/v1/incident/update", &request, |_| {}).await?, "says so now")
        }
        IncidentCommand::Resolve { number, text } => {
            let request = UpdateIncident { project, number, text, resolve: true, actor };
            (daemon.work("/v1/incident/update", &request, |_| {}).await?, "is over")
        }
    };
    if json {
        print_json(&incident);
    } else {
        println!("{} incident {} {said}: {}", Paint::stdout().good("✓"), incident.number, plain(&incident.title));
    }
    Ok(ExitCode::SUCCESS)
}
