//! `ambit plan`

use std::{path::Path, process::ExitCode};

use ambit_app::{EnvironmentPlan, Of};
use ambit_domain::{
    Failure, FailureKind,
    outside::{Place, Plan},
    plan::Action,
};
use serde_json::json;

use super::{outside, print_json};
use crate::{arguments::PlanPart, context, screen::columns};

/// Exit code where something would be done.
const CHANGES: u8 = 2;

pub(crate) async fn run(
    folder: &Path,
    environments: &[String],
    only: &[PlanPart],
    out: Option<&Path>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let places: Vec<Place> = only.iter().filter_map(|part| part.place()).collect();
    let mut here = Vec::new();
    let mut elsewhere = Vec::new();
    if only.is_empty() || only.contains(&PlanPart::Here) {
        for name in declaration.select(environments)? {
            // Who asks for everything asks for what is declared: one that lives elsewhere need not run here too.
            if only.is_empty() && ambit.has_nothing_here(&declaration, &name)? {
                elsewhere.push(name);
            } else {
                here.push(ambit.plan(&declaration, &name)?);
            }
        }
    }
    let around = if places.is_empty() && !only.is_empty() {
        None
    } else {
        let named = if environments.is_empty() { Vec::new() } else { declaration.select(environments)? };
        let of = Of { places, environments: named };
        Some(ambit.plan_outside(&declaration, &of, &outside::tokens(&declaration)).await?)
    };
    if let Some(file) = out {
        let plan = around.as_ref().filter(|plan| !plan.parts.is_empty()).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, "there is no plan of a service elsewhere to keep")
                .hint("`ambit up` does what differs on this machine; it needs no kept plan")
        })?;
        outside::save(plan, file)?;
    }
    let of_here = |plan: &EnvironmentPlan| plan.starts || plan.steps.iter().any(|step| step.action != Action::Keep);
    let differs = here.iter().any(of_here) || around.as_ref().is_some_and(|plan| plan.changes() > 0);
    let parts = around.as_ref().map_or(&[][..], |plan| &plan.parts);
    if json {
        print_json(
            &json!({ "environments": here, "parts": parts, "changes": around.as_ref().map_or(0, Plan::changes) }),
        );
    } else {
        for name in elsewhere {
            println!("{name} lives at Railway; nothing of it runs here (ambit up {name} tries it out)");
        }
        here.iter().for_each(show);
        parts.iter().for_each(outside::show);
        outside::sum_up(parts);
    }
    Ok(if differs { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS })
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
