//! `ambit guide`

use std::{path::Path, process::ExitCode};

use ambit_app::{Item, Phase, Standing};
use ambit_domain::Failure;

use super::{outside, print_json};
use crate::{
    context,
    screen::{Paint, columns, plain},
};

pub(crate) async fn run(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let phases = context::ambit()?.guide(&declaration, &outside::tokens(&declaration)).await?;
    if json {
        print_json(&phases);
        return Ok(ExitCode::SUCCESS);
    }
    phases.iter().for_each(show);
    let next = phases.iter().flat_map(|phase| &phase.items).find(|item| item.standing == Standing::Open);
    match next.and_then(|item| Some((item, item.next.as_ref()?))) {
        Some((item, command)) => println!("\nnext: {} · {}", plain(command), plain(&item.what)),
        None if phases.iter().all(Phase::done) => println!("\neverything is done"),
        None => println!("\nwhat is marked ? could not be looked at"),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(phase: &Phase) {
    let paint = Paint::stdout();
    println!("{}", paint.strong(&format!("{} · {}", phase.number, phase.title)));
    if phase.items.is_empty() {
        println!("  {}", paint.dim("nothing of it is declared"));
    }
    let rows = columns(&phase.items.iter().map(cells).collect::<Vec<_>>(), "  ");
    for (row, item) in rows.iter().zip(&phase.items) {
        println!("{}", paint.mark(row));
        if let Some(next) = &item.next {
            println!("     {}", paint.dim(&format!("→ {}", plain(next))));
        }
    }
}

fn cells(item: &Item) -> Vec<String> {
    let mark = match item.standing {
        Standing::Done => "✓",
        Standing::Open => "✗",
        Standing::Unknown => "?",
    };
    vec![mark.to_owned(), plain(&item.what), plain(&item.found)]
}
