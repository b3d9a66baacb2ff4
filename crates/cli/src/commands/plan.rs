//! `ambit plan`

use std::{path::Path, process::ExitCode};

use ambit_app::{Ambit, Declaration, EnvironmentPlan};
use ambit_domain::{Failure, FailureKind, plan::Action};
use serde_json::json;

use super::{dns, print_json};
use crate::{arguments::PlanPart, context, screen::columns};

/// Exit code where something would be done.
const CHANGES: u8 = 2;

pub(crate) async fn run(
    folder: &Path,
    environments: &[String],
    only: Option<PlanPart>,
    out: Option<&Path>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let here = match only {
        None | Some(PlanPart::Here) => Some(here(&ambit, &declaration, environments)?),
        Some(PlanPart::Dns) => None,
    };
    let zone = match only {
        Some(PlanPart::Here) => None,
        Some(PlanPart::Dns) => Some(dns::plan(&ambit, &declaration).await?),
        // Where nobody asked for it, a service that cannot be looked at is a line and no failure.
        None if declaration.project.providers.cloudflare.is_some() => match dns::plan(&ambit, &declaration).await {
            Err(failure) if out.is_none() => {
                eprintln!("dns · not looked at: {failure}");
                None
            }
            found => Some(found?),
        },
        None => None,
    };
    if let Some(file) = out {
        let zone = zone.as_ref().ok_or_else(|| {
            Failure::new(FailureKind::NotFound, "there is no plan of a service elsewhere to keep")
                .hint("`ambit up` does what differs on this machine; it needs no kept plan")
        })?;
        dns::save(&declaration, zone, file)?;
    }
    let of_here = |plan: &EnvironmentPlan| plan.starts || plan.steps.iter().any(|step| step.action != Action::Keep);
    let differs = here.iter().flatten().any(of_here) || zone.as_ref().is_some_and(|z| !z.comparison.changes.is_empty());
    if json {
        print_json(&json!({ "environments": here, "dns": zone }));
    } else {
        here.iter().flatten().for_each(show);
        if let Some(zone) = &zone {
            dns::show(zone);
        }
    }
    Ok(if differs { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS })
}

fn here(ambit: &Ambit, declaration: &Declaration, environments: &[String]) -> Result<Vec<EnvironmentPlan>, Failure> {
    declaration.select(environments)?.iter().map(|name| ambit.plan(declaration, name)).collect()
}

fn show(plan: &EnvironmentPlan) {
    println!("{} · {}{}", plan.environment, plan.code, if plan.starts { " · everything is started" } else { "" });
    let rows: Vec<Vec<String>> = plan
        .steps
        .iter()
        .map(|step| {
            let (mark, what) = match &step.action {
                Action::Create => ("+", "made".to_owned()),
                Action::Replace { because } => ("~", format!("replaced: {}", because.join(", "))),
                Action::Adjust { because } => ("~", format!("adjusted: {}", because.join(", "))),
                Action::Remove => ("-", "stopped; data is kept".to_owned()),
                Action::Keep => (" ", "as it is".to_owned()),
            };
            vec![mark.to_owned(), step.service.to_string(), what]
        })
        .collect();
    for row in columns(&rows, "  ") {
        println!("{row}");
    }
}
