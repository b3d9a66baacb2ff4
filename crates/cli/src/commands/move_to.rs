//! `ambit move`

use std::{path::Path, process::ExitCode};

use ambit_app::{Move, MovePlan, Moved};
use ambit_domain::{Failure, Placement, relocation::Holdings};

use super::{outside, print_json};
use crate::{
    context,
    progress::Lines,
    screen::{Paint, plain},
};

/// More changes than this are counted.
const SHOWN: usize = 12;

pub(crate) async fn run(
    folder: &Path,
    environment: String,
    to: Placement,
    plan: bool,
    confirm: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let request = Move {
        folder: folder.to_path_buf(),
        environment,
        to,
        confirm,
        keys: context::keys(&declaration.project.name)?,
        tokens: outside::tokens(&declaration),
        actor: context::actor(folder),
    };
    if plan {
        let plan = context::ambit()?.plan_move(&request).await?;
        if json {
            print_json(&plan);
        } else {
            show(&request.environment, &plan);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let lines = Lines::new(json);
    let moved: Moved = context::daemon().await?.work("/v1/move", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&moved);
        return Ok(ExitCode::SUCCESS);
    }
    let carried = match holdings(&moved.carried).as_slice() {
        [] => String::new(),
        parts => format!(", with {}", parts.join(" and ")),
    };
    println!("✓ {} lives at {} now{carried}", moved.environment, place(moved.to));
    for line in &moved.left_to_do {
        println!("  {}", plain(line));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(environment: &str, plan: &MovePlan) {
    let paint = Paint::stdout();
    let title = format!("{environment}: {} → {}", place(plan.from), place(plan.to));
    println!("{} · {} \"{}\"", paint.strong(&plain(&title)), plan.commit.short(), plain(&plan.commit.subject));
    for part in holdings(&plan.holdings) {
        println!("  {part}");
    }
    if !plan.opens.is_empty() {
        let servers = plan.opens.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
        println!("  not reached from outside yet, and only for the time of the move: {servers}");
    }
    for (number, step) in plan.steps.iter().enumerate() {
        println!("  {}. {}", number + 1, plain(step));
    }
    if !plan.changes.is_empty() {
        println!("  at Railway, about {} requests:", plan.calls);
        for change in plan.changes.iter().take(SHOWN) {
            println!("    {}", plain(change));
        }
        if plan.changes.len() > SHOWN {
            println!("    and {} more", plan.changes.len() - SHOWN);
        }
    }
    println!("  nothing was changed");
}

fn holdings(of: &Holdings) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(postgres) = &of.postgres {
        let (rows, tables, size) = (postgres.rows(), postgres.tables.len(), megabytes(postgres.size));
        parts.push(format!("{rows} rows in {tables} tables ({size}, PostgreSQL {})", postgres.major()));
    }
    if let Some(redis) = &of.redis {
        parts.push(format!(
            "{} keys ({}, Redis {}.{})",
            redis.count(),
            megabytes(redis.size),
            redis.version.0,
            redis.version.1
        ));
    }
    parts
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}

fn place(at: Placement) -> &'static str {
    match at {
        Placement::Host => "this machine",
        Placement::Railway => "Railway",
    }
}
