//! What commands show and keep of the services around.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use ambit_app::{Declaration, Tokens};
use ambit_domain::{
    Failure, FailureKind,
    outside::{Action, Change, Cost, Detail, Part, Plan},
};

use crate::screen::{columns, plain};

/// More details of one change than this stand each on a line of their own.
const ON_ONE_LINE: usize = 2;

/// Where simulated services are, instead of the real ones.
const SIMULATE: &str = "AMBIT_SIMULATE";

/// The tokens that this command's environment has.
pub(crate) fn tokens(declaration: &Declaration) -> Tokens {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let names = declaration.project.providers.accesses().into_iter().map(|(_, access)| access.token.clone());
    let by_name = names.filter_map(|name| set(&name).map(|value| (name, value))).collect();
    Tokens { by_name, simulator: set(SIMULATE) }
}

pub(crate) fn show(part: &Part) {
    let title = if part.title.is_empty() { String::new() } else { format!(" · {}", plain(&part.title)) };
    println!("{}{title}", part.place);
    let mut rows = Vec::new();
    for change in &part.changes {
        let few = change.details.len() <= ON_ONE_LINE;
        let said = change.details.iter().map(|d| detail(d, change.action)).collect::<Vec<_>>();
        let first = if few { said.join(", ") } else { String::new() };
        rows.push(vec![mark(change).to_owned(), plain(&change.key), first]);
        if !few {
            rows.extend(said.into_iter().map(|said| vec![String::new(), String::new(), said]));
        }
    }
    for row in columns(&rows, "  ") {
        println!("{row}");
    }
    for remark in &part.remarks {
        println!("  ! {}: {}", plain(&remark.about), plain(&remark.text));
    }
    if !part.unread {
        let cost = cost(part);
        println!(
            "  {} to do, {} as declared, {} not the project's{cost}",
            part.changes.len(),
            part.kept,
            part.unmanaged
        );
    }
}

/// The last line of several parts.
pub(crate) fn sum_up(parts: &[Part]) {
    if parts.len() < 2 {
        return;
    }
    let count = |action| parts.iter().flat_map(|p| &p.changes).filter(|c| c.action == action).count();
    println!(
        "{} to create, {} to change, {} to delete",
        count(Action::Create),
        count(Action::Change),
        count(Action::Delete)
    );
}

fn cost(part: &Part) -> String {
    let Cost { calls, quota } = part.cost;
    if part.changes.is_empty() {
        return String::new();
    }
    let waits = match part.cost.seconds().div_ceil(60) {
        0 => String::new(),
        1 => "; about 1 min".to_owned(),
        minutes => format!("; about {minutes} min"),
    };
    match quota {
        Some(quota) => {
            let left = quota.left.map(|left| format!(", {left} left")).unwrap_or_default();
            format!(" · about {calls} requests ({} in {} min{left}{waits})", quota.calls, quota.seconds.div_ceil(60))
        }
        None => format!(" · about {calls} requests"),
    }
}

fn mark(change: &Change) -> &'static str {
    match change.action {
        Action::Create => "+",
        Action::Change => "~",
        Action::Delete => "-",
    }
}

fn detail(detail: &Detail, action: Action) -> String {
    let name = if detail.name.is_empty() { String::new() } else { format!("{} ", plain(&detail.name)) };
    let text = |said: &Option<ambit_domain::outside::Said>| match said {
        Some(said) => plain(&said.to_string()),
        None => "–".to_owned(),
    };
    let (old, new) = (text(&detail.old), text(&detail.new));
    match action {
        Action::Create if detail.old.is_none() => format!("{name}{new}"),
        Action::Delete if detail.new.is_none() => format!("{name}{old}"),
        _ => format!("{name}{old} → {new}"),
    }
}

pub(crate) fn save(plan: &Plan, file: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(FailureKind::User, format!("the plan cannot be written to {}", file.display()))
            .because(error.to_string())
    };
    let text = serde_json::to_vec_pretty(plan).map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
    let mut options = std::fs::OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(file).map_err(cannot)?;
    written.write_all(&text).map_err(cannot)
}

pub(crate) fn read(file: &Path) -> Result<Plan, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(FailureKind::User, format!("{} is no plan that can be read", file.display()))
            .because(error.to_string())
            .hint("ambit plan --out FILE makes one")
    };
    let text = std::fs::read(file).map_err(|e| cannot(&e))?;
    serde_json::from_slice(&text).map_err(|e| cannot(&e))
}
