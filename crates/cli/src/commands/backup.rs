//! `ambit backup`

use std::{path::Path, process::ExitCode};

use ambit_app::{BackUp, Backups, DrillBackup};
use ambit_domain::{
    EnvironmentId, Failure, Placement,
    backup::{Backup, Range, RedisForm, Worth},
};

use super::print_json;
use crate::{
    arguments::BackupCommand,
    context,
    progress::Lines,
    screen::{Paint, ago, bytes, moment, plain, seconds, table},
};

pub(crate) async fn run(folder: &Path, command: BackupCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        BackupCommand::Now { environment, at } => {
            let request = request(folder, &environment, at.map(Into::into))?;
            let lines = Lines::new(json);
            let backup: Backup =
                context::daemon().await?.work("/v1/backup", &request, |event| lines.show(&event)).await?;
            told(&backup, json);
        }
        BackupCommand::Drill { name, environment, at } => {
            let id = context::environment(folder, &environment)?;
            let request = DrillBackup {
                project: id.project,
                environment: id.environment,
                name,
                at: at.map(Into::into),
                actor: context::actor(folder),
            };
            let lines = Lines::new(json);
            let backup: Backup =
                context::daemon().await?.work("/v1/backup/drill", &request, |event| lines.show(&event)).await?;
            told(&backup, json);
        }
        BackupCommand::Verify { environment } => {
            let request = request(folder, &environment, Some(Placement::Host))?;
            let lines = Lines::new(json);
            context::daemon().await?.work::<_, ()>("/v1/backup/verify", &request, |event| lines.show(&event)).await?;
            if json {
                print_json(&serde_json::json!({ "verified": environment }));
            } else {
                println!("✓ every file of the backups of {environment} is as it was stored");
            }
        }
        BackupCommand::List { environment } => {
            let id = context::environment(folder, &environment)?;
            let backups = context::ambit()?.backups(&id).await?;
            if json {
                print_json(&backups);
            } else {
                list(&id, &backups);
            }
        }
        BackupCommand::Show { name, environment } => {
            let id = context::environment(folder, &environment)?;
            let backup = context::ambit()?.backup_anywhere(&id, name.as_deref())?;
            if json {
                print_json(&backup);
            } else {
                show(&backup);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn request(folder: &Path, environment: &str, at: Option<Placement>) -> Result<BackUp, Failure> {
    let id = context::environment(folder, environment)?;
    Ok(BackUp { project: id.project, environment: id.environment, at, actor: context::actor(folder) })
}

fn told(backup: &Backup, json: bool) {
    if json {
        return print_json(backup);
    }
    let took = backup.drill.as_ref().map_or_else(String::new, |d| format!(", restored in {}", seconds(d.restored_in)));
    println!("✓ backup {} of {} is {}{took}", backup.name, backup.environment.environment, backup.worth());
}

fn list(id: &EnvironmentId, backups: &Backups) {
    let paint = Paint::stdout();
    if let Some(trouble) = &backups.trouble {
        println!("{} backups are in trouble: {}\n", paint.bad("✗"), plain(trouble));
    }
    if backups.backups.is_empty() {
        println!("{} has no backups; ambit backup now -e {}", id.environment, id.environment);
        return;
    }
    table(
        &["backup", "made", "sort", "stored", "state", "restored in"],
        backups.backups.iter().map(|b| {
            let restored = b.drill.as_ref().filter(|d| d.failure.is_none());
            vec![
                b.name.clone(),
                format!("{} ago", ago(b.started)),
                sort(b),
                bytes(b.stored()),
                b.worth().to_string(),
                restored.map_or_else(|| "–".to_owned(), |d| seconds(d.restored_in)),
            ]
        }),
    );
    let failed = backups.backups.iter().filter(|b| b.worth() == Worth::Failed);
    for (backup, why) in failed.filter_map(|b| Some((b, b.drill.as_ref()?.failure.as_ref()?))) {
        println!("{} {}: {}", paint.bad("✗"), backup.name, plain(why));
    }
    if !backups.ranges.is_empty() {
        println!();
    }
    for range in &backups.ranges {
        println!("{}", restorable(range));
    }
}

/// What it is: of one elsewhere, where it lies.
fn sort(backup: &Backup) -> String {
    match (&backup.postgres, &backup.hosted) {
        (Some(copy), _) => copy.form.to_string(),
        (None, Some(there)) => plain(&there.place),
        (None, None) => "redis".to_owned(),
    }
}

/// Of the last minute nothing is certain: its segment of the log may not be stored yet.
fn restorable(range: &Range) -> String {
    let (from, until) = (moment(range.from * 1000), moment(range.until * 1000));
    match range.missing {
        None if range.open => format!("any moment since {from} can be restored, for certain until {until}"),
        None => format!("any moment from {from} to {until} can be restored; then the cluster was made anew"),
        Some(_) => {
            format!("any moment from {from} to {until} can be restored; after it a segment of the log is missing")
        }
    }
}

fn show(backup: &Backup) {
    println!("{} of {}: {}", backup.name, backup.environment.environment, backup.worth());
    println!("  made        {} to {}", moment(backup.started), moment(backup.finished));
    if let Some(there) = &backup.hosted {
        println!("  lies at     {}", plain(&there.place));
    }
    if let Some(copy) = &backup.postgres {
        println!("  PostgreSQL  {}, {} stored as {}", copy.form, bytes(copy.size), bytes(copy.stored));
        if let Some(count) = &copy.count {
            let rows: i64 = count.tables.iter().map(|t| t.rows).sum();
            let how = if count.tables.iter().all(|t| t.exact) { "exactly" } else { "at least" };
            println!("  counted     {how} {rows} rows in {} tables, at {}", count.tables.len(), count.point);
        }
    }
    if let Some(copy) = &backup.redis {
        let form = match copy.form {
            RedisForm::Snapshot => "a snapshot",
            RedisForm::AppendOnly => "append-only files",
        };
        println!("  Redis       {form}, {}, {} keys", bytes(copy.size), copy.keys);
    }
    for volume in backup.hosted.iter().flat_map(|there| &there.volumes) {
        println!("  volume      {}, {} stored as {}", plain(&volume.service), bytes(volume.size), bytes(volume.stored));
    }
    match &backup.drill {
        None => println!("  drill       none yet"),
        Some(drill) => {
            println!("  drill       {}, restored in {}", moment(drill.at), seconds(drill.restored_in));
            for checked in &drill.checked {
                println!("              {}", plain(checked));
            }
            if let Some(why) = &drill.failure {
                println!("  {} {}", Paint::stdout().bad("✗"), plain(why));
            }
        }
    }
}
