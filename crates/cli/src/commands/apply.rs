//! `ambit apply`, `ambit import`

use std::{path::Path, process::ExitCode};

use ambit_app::{Applied, Apply, Declaration, Import, Of};
use ambit_domain::{
    Failure, FailureKind,
    outside::{Place, Plan},
};

use super::{decide::ask, outside, print_json};
use crate::{context, progress::Lines, screen::plain};

pub(crate) struct Options<'a> {
    pub(crate) plan: Option<&'a Path>,
    pub(crate) only: Vec<Place>,
    pub(crate) environments: Vec<String>,
    pub(crate) yes: bool,
    pub(crate) confirm: Vec<String>,
    pub(crate) json: bool,
}

impl Options<'_> {
    fn of(&self, declaration: &Declaration) -> Result<Of, Failure> {
        let named = !self.environments.is_empty();
        let environments = if named { declaration.select(&self.environments)? } else { Vec::new() };
        Ok(Of { places: self.only.clone(), environments })
    }
}

pub(crate) async fn run(folder: &Path, options: Options<'_>) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let tokens = outside::tokens(&declaration);
    let plan = match options.plan {
        Some(file) => outside::read(file)?,
        None => {
            let plan = context::ambit()?.plan_outside(&declaration, &options.of(&declaration)?, &tokens).await?;
            show(&plan, options.json);
            whole(&plan)?;
            plan
        }
    };
    agree(&plan, options.yes, "are carried out")?;
    let request = Apply {
        folder: folder.to_path_buf(),
        keys: context::keys(&declaration.project.name)?,
        tokens,
        plan,
        confirm: options.confirm,
        actor: context::actor(folder),
    };
    let lines = Lines::new(options.json);
    let applied: Applied = context::daemon().await?.work("/v1/apply", &request, |event| lines.show(&event)).await?;
    tell(&applied, "everything is as declared; nothing was changed", "changed", options.json);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn import(folder: &Path, options: Options<'_>) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let tokens = outside::tokens(&declaration);
    let plan = context::ambit()?.plan_import(&declaration, &options.of(&declaration)?, &tokens).await?;
    show(&plan, options.json);
    whole(&plan)?;
    agree(&plan, options.yes, "make what is there the project's own")?;
    let request = Import {
        folder: folder.to_path_buf(),
        keys: context::keys(&declaration.project.name)?,
        tokens,
        plan,
        actor: context::actor(folder),
    };
    let lines = Lines::new(options.json);
    let applied: Applied = context::daemon().await?.work("/v1/import", &request, |event| lines.show(&event)).await?;
    tell(&applied, "nothing of somebody else's is where the project needs it", "taken over", options.json);
    Ok(ExitCode::SUCCESS)
}

fn show(plan: &Plan, json: bool) {
    if !json {
        plan.parts.iter().for_each(outside::show);
        outside::sum_up(&plan.parts);
    }
}

/// What nobody could look at is not left out silently.
fn whole(plan: &Plan) -> Result<(), Failure> {
    let Some(unread) = plan.parts.iter().find(|part| part.unread) else { return Ok(()) };
    let why = unread.remarks.iter().map(|remark| remark.text.clone()).collect::<Vec<_>>().join("; ");
    let others: Vec<&str> = plan.parts.iter().filter(|p| !p.unread).map(|p| p.place.name()).collect();
    let failure = Failure::new(FailureKind::User, format!("{} cannot be looked at; nothing was changed", unread.place));
    let failure = failure.because(why);
    Err(if others.is_empty() { failure } else { failure.hint(format!("without it: --only {}", others.join(","))) })
}

fn tell(applied: &Applied, already: &str, done: &str, json: bool) {
    if json {
        print_json(applied);
        return;
    }
    if applied.all() == 0 && applied.refused.is_empty() {
        println!("✓ {already}");
    }
    for (place, count) in applied.changes.iter().filter(|(_, count)| **count > 0) {
        println!("✓ {place}: {count} {done}");
    }
    for (place, refused) in &applied.refused {
        println!("! {place}: {} was refused: {}", plain(&refused.about), plain(&refused.text));
    }
}

fn agree(plan: &Plan, yes: bool, what: &str) -> Result<(), Failure> {
    let changes = plan.changes();
    if changes == 0 || yes || ask(&format!("{changes} changes {what}. Yes? [yes/no] "))? == "yes" {
        return Ok(());
    }
    Err(Failure::new(FailureKind::User, "nothing was changed: nobody said yes")
        .hint("answer `yes`, or in a script: --yes"))
}
