//! `ambit doctor`

use std::{path::Path, process::ExitCode};

use ambit_app::{DaemonSeen, Patient, diagnose};
use ambit_domain::{
    Failure, FailureKind,
    diagnosis::{Check, Diagnosis, Found},
};
use ambit_server::Client;

use super::print_json;
use crate::{
    context,
    screen::{Paint, plain},
};

/// Exit code where something is wrong.
const ILL: u8 = 1;

pub(crate) async fn run(directory: Option<&Path>, asked: &[String], json: bool) -> Result<ExitCode, Failure> {
    let folder = match context::folder(directory) {
        Ok(folder) => Some(folder),
        // The machine can be looked at without a project, unless somebody speaks of one.
        Err(failure) if directory.is_some() || !asked.is_empty() => return Err(failure),
        Err(_) => None,
    };
    let home = context::home()?;
    let patient = Patient {
        daemon: daemon(&Client::new(&home)).await,
        home,
        surroundings: context::surroundings()?,
        keys: keys(folder.as_deref()),
        folder: folder.as_deref(),
        asked,
    };
    let diagnosis = diagnose(&patient).await?;
    if json {
        print_json(&diagnosis);
    } else {
        show(&diagnosis);
    }
    Ok(if diagnosis.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(ILL) })
}

async fn daemon(client: &Client) -> DaemonSeen {
    match client.health().await {
        Ok(health) if health.program == context::program_mark() => DaemonSeen::Answers,
        Ok(_) => DaemonSeen::OfAnotherProgram,
        Err(error) => DaemonSeen::Missing(error.to_string()),
    }
}

/// A file whose project has no name to look for a key by is told as such, and not as one without a key.
fn keys(folder: Option<&Path>) -> Result<String, Failure> {
    match folder.map(context::project) {
        Some(Ok(project)) => context::keys(&project),
        Some(Err(failure)) if failure.kind != FailureKind::Declaration => Err(failure),
        Some(Err(_)) | None => Ok(String::new()),
    }
}

fn show(diagnosis: &Diagnosis) {
    let paint = Paint::stdout();
    let Diagnosis { passed, causes, follows, unseen } = diagnosis;
    for check in causes {
        tell(check, paint);
    }
    if !follows.is_empty() {
        println!("{}", paint.dim("follows from it:"));
        for check in follows {
            if let Found::Wrong(trouble) = &check.found {
                println!("  {}", paint.dim(&plain(&trouble.wrong)));
            }
        }
    }
    for check in unseen {
        if let Found::Unseen { why } = &check.found {
            println!("? not looked at: {} ({})", plain(&check.what), plain(why));
        }
    }
    let all = passed + causes.len() + follows.len() + unseen.len();
    match (diagnosis.is_sound(), unseen.len()) {
        (true, 0) => println!("{} everything passed, {all} checks", paint.good("✓")),
        (true, _) => println!("{} nothing is wrong, {passed} of {all} checks passed", paint.good("✓")),
        (false, _) => println!("\n{passed} of {all} checks passed"),
    }
}

fn tell(check: &Check, paint: Paint) {
    let Found::Wrong(trouble) = &check.found else { return };
    println!("{} {}", paint.bad("✗"), paint.strong(&plain(&trouble.wrong)));
    if !trouble.seen.is_empty() {
        println!("    {}  {}", paint.dim("seen"), plain(&trouble.seen));
    }
    for (n, mend) in trouble.mend.iter().enumerate() {
        println!("    {}  {}", paint.dim(if n == 0 { "mend" } else { "    " }), plain(mend));
    }
}
