//! `ambit restore`

use std::{path::Path, process::ExitCode};

use ambit_app::{RestoreRequest, Restored, RestoredCopy};
use ambit_domain::{EnvironmentId, Failure, FailureKind, Placement, provider::BesideState};
use ambit_server::Client;

use super::{decide::ask, print_json};
use crate::{
    arguments::{RestoreArguments, RestoreCommand},
    context,
    progress::Lines,
    screen::{moment, plain, seconds, table},
};

pub(crate) async fn run(folder: &Path, what: RestoreArguments, json: bool) -> Result<ExitCode, Failure> {
    let RestoreArguments { environment, to, backup, into, redis, at, yes } = what;
    let at: Option<Placement> = at.map(Into::into);
    let environment = environment.unwrap_or_default();
    let id = context::environment(folder, &environment)?;
    let daemon = context::daemon().await?;
    let lines = Lines::new(json);
    if redis {
        let name = backup.unwrap_or_default();
        agreed(
            &id,
            yes,
            &format!("The Redis of {environment} becomes that of the backup {name}; what is there is kept beside."),
        )?;
        let kept: String = daemon
            .work("/v1/restore/redis", &copy(folder, &id, &name, Some(Placement::Host)), |event| lines.show(&event))
            .await?;
        if json {
            print_json(&serde_json::json!({ "kept": kept }));
        } else {
            println!("✓ Redis is restored; what was there is kept as {kept}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let request = RestoreRequest {
        project: id.project.clone(),
        environment: id.environment.clone(),
        to,
        backup,
        into,
        at,
        actor: context::actor(folder),
    };
    let restored: Restored = daemon.work("/v1/restore", &request, |event| lines.show(&event)).await?;
    if request.into.is_some() {
        if json {
            print_json(&restored);
        } else {
            show(&restored);
            reached(&restored, &environment);
            println!("  ambit restore remove {} -e {environment}   # when it was looked at", restored.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !json {
        show(&restored);
    }
    let question = match &restored.place {
        None => format!(
            "It takes the place of the PostgreSQL of {environment}, which is stopped for some seconds and kept beside. What was \
             written since goes out of the app's sight."
        ),
        Some(place) => format!(
            "It takes the name of the PostgreSQL of {environment} at {place}, which is kept under another one, and the apps are deployed \
             anew. What was written since goes out of the app's sight."
        ),
    };
    if let Err(failure) = agreed(&id, yes, &question) {
        remove(&daemon, &copy(folder, &id, &restored.name, at), &lines).await?;
        return Err(failure);
    }
    let request = copy(folder, &id, &restored.name, at);
    let kept: String = daemon.work("/v1/restore/place", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&serde_json::json!({ "restored": restored, "kept": kept }));
    } else {
        println!("✓ {environment} is restored; what was there is kept as {kept}");
        if restored.place.is_some() {
            println!(
                "  ambit apply --only railway   # its log is archived from then on, and it is backed up as declared"
            );
        }
        println!("  ambit restore remove {kept} -e {environment}   # when nobody needs it any more");
    }
    Ok(ExitCode::SUCCESS)
}

/// How one connects to what was restored beside.
fn reached(restored: &Restored, environment: &str) {
    let name = &restored.name;
    match (&restored.place, restored.port) {
        (Some(place), _) => {
            println!("✓ {name} answers at {}:", plain(place));
            println!("  railway connect {name}                     # from here, by Railway's program");
            println!("  ${{{{{name}.DATABASE_URL}}}}   # for a service there, as a variable");
        }
        (None, port) => {
            println!("✓ {name} answers on port {}, user postgres:", port.unwrap_or_default());
            println!("  ambit psql -e {environment} --beside {name}");
        }
    }
}

/// Asks before something that serves is replaced.
fn agreed(id: &EnvironmentId, yes: bool, question: &str) -> Result<(), Failure> {
    if yes || ask(&format!("{question} Type {} to go on: ", id.environment))? == id.environment.as_str() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::User, "nothing was changed: the name that was typed is not its name")
        .hint("say yes with --yes, or type the environment's name"))
}

pub(crate) async fn beside(folder: &Path, command: RestoreCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        RestoreCommand::List { environment, at } => {
            let id = context::environment(folder, &environment)?;
            let ambit = context::ambit()?;
            let all = match ambit.beside_elsewhere(&id, at.map(Into::into)).await? {
                Some(all) => all,
                None => ambit.beside(&id),
            };
            if json {
                print_json(&all);
                return Ok(ExitCode::SUCCESS);
            }
            if all.is_empty() {
                println!("nothing lies beside what serves in {environment}");
                return Ok(ExitCode::SUCCESS);
            }
            table(
                &["name", "what", "port"],
                all.iter().map(|b| {
                    let what = match b.state {
                        BesideState::Unfinished => "work goes on there, or a yes is waited for",
                        BesideState::Restored => "restored, to look at",
                        BesideState::Replaced => "served until a restore",
                    };
                    vec![b.name.clone(), what.to_owned(), b.port.map_or_else(|| "–".to_owned(), |p| p.to_string())]
                }),
            );
        }
        RestoreCommand::Remove { name, environment, at } => {
            let id = context::environment(folder, &environment)?;
            let lines = Lines::new(json);
            remove(&context::daemon().await?, &copy(folder, &id, &name, at.map(Into::into)), &lines).await?;
            if json {
                print_json(&serde_json::json!({ "removed": name }));
            } else {
                println!("✓ {name} is deleted");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn copy(folder: &Path, id: &EnvironmentId, name: &str, at: Option<Placement>) -> RestoredCopy {
    RestoredCopy {
        project: id.project.clone(),
        environment: id.environment.clone(),
        name: name.to_owned(),
        at,
        actor: context::actor(folder),
    }
}

async fn remove(daemon: &Client, copy: &RestoredCopy, lines: &Lines) -> Result<(), Failure> {
    daemon.work::<_, ()>("/v1/restore/remove", copy, |event| lines.show(&event)).await
}

fn show(restored: &Restored) {
    let to = restored.to.map_or_else(|| "as the backup left it".to_owned(), |at| format!("as of {}", moment(at)));
    let took = seconds(restored.millis);
    if restored.tables.is_empty() && restored.place.is_some() {
        println!("{} from {}, {to}, in {took}; its rows cannot be counted from here", restored.name, restored.backup);
        return;
    }
    println!("{} from {}, {to}, in {took}:", restored.name, restored.backup);
    table(
        &["database", "table", "rows"],
        restored
            .tables
            .iter()
            .map(|t| vec![crate::screen::plain(&t.database), crate::screen::plain(&t.table), t.rows.to_string()]),
    );
}
