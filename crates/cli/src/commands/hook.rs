//! `ambit hook`: what git calls when somebody pushes to the repository that Ambit keeps (githooks(5)). What it prints is
//! what the pusher reads.

use std::{io::Read, process::ExitCode, time::Duration};

use ambit_app::{IntakeOutcome, Received, RefUpdate};
use ambit_domain::{Actor, Failure, FailureKind, spec::ProjectName};

use crate::{
    arguments::HookName,
    context,
    failure::{details, text},
    follow::{Until, follow},
    screen::{Paint, plain},
};

/// Longer nobody is kept waiting at a push; the deployments go on.
const PATIENCE: Duration = Duration::from_secs(600);

/// More than this is no list of references.
const MOST: u64 = 16 << 20;

pub(crate) async fn run(name: HookName, project: &str) -> Result<ExitCode, Failure> {
    let project: ProjectName = project.parse().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    let updates = updates()?;
    match name {
        HookName::PreReceive => {
            let variable = |name: &'static str| Some((name, std::env::var(name).ok()?));
            let names = ["GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"];
            let objects = names.into_iter().filter_map(variable).collect();
            context::ambit()?.admits(&project, &updates, objects, &actor())?;
            Ok(ExitCode::SUCCESS)
        }
        HookName::PostReceive => {
            // The references are in: whatever fails from here on does not fail the push.
            if let Err(failure) = received(project, updates).await {
                eprint!("{}", text(&failure));
                eprintln!("the push is in; the daemon deploys what it asks for as soon as it runs");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn received(project: ProjectName, updates: Vec<RefUpdate>) -> Result<(), Failure> {
    // Why keys cannot be read is told by whoever needs them.
    let keys = context::keys(&project).unwrap_or_default();
    let request = Received { project, updates, keys, actor: actor() };
    let outcomes: Vec<IntakeOutcome> = context::daemon().await?.work("/v1/received", &request, |_| {}).await?;
    for outcome in &outcomes {
        println!("{}: {}", plain(&outcome.reference), plain(&outcome.text));
        if let Some(failure) = &outcome.failure {
            print!("{}", details(failure, Paint::stdout()));
        }
    }
    let ambit = context::ambit()?;
    let followed = async {
        for number in outcomes.iter().filter_map(|o| o.deployment) {
            follow(&ambit, number, Until::Live, false).await?;
        }
        Ok::<(), Failure>(())
    };
    match tokio::time::timeout(PATIENCE, followed).await {
        Ok(result) => result,
        Err(_) => {
            println!("it takes a while and goes on by itself; ambit deployments shows how it went");
            Ok(())
        }
    }
}

/// Who pushes: the name of their key over SSH, otherwise what the machine knows of them.
fn actor() -> Actor {
    let here = context::actor(std::path::Path::new("."));
    if here.from == "ssh" { here } else { Actor::new(&here.who, "git") }
}

/// `OLD NEW NAME` a line; a hash of zeros is none.
fn updates() -> Result<Vec<RefUpdate>, Failure> {
    let mut input = String::new();
    let strange = |why: String| Failure::new(FailureKind::User, "git said something strange").because(why);
    std::io::stdin().take(MOST).read_to_string(&mut input).map_err(|e| strange(e.to_string()))?;
    input
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut next = || parts.next().ok_or_else(|| strange(line.escape_debug().to_string()));
            let (old, new, name) = (next()?, next()?, next()?);
            let hash = |text: &str| text.chars().any(|c| c != '0').then(|| text.to_owned());
            Ok(RefUpdate { reference: name.to_owned(), old: hash(old), new: hash(new) })
        })
        .collect()
}
