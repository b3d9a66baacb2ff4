//! SQL files that Ambit itself runs, each once and in a transaction of its own, in the order of their numbers; what ran
//! is remembered in the database's table `refinery_schema_history`.

use std::{fs, path::Path};

use ambit_domain::{
    Failure, FailureKind,
    provider::{MigrationStatus, PostgresServer},
};
use refinery::{Migration, Runner};
use tokio_postgres::{
    Client,
    error::{DbError, SqlState},
};

use crate::postgres::{connect, query_failed};

/// Held while migrations run, so that two never run at once: "ambit" in ASCII.
const LOCK: i64 = 0x61_6d_62_69_74;

/// Runs what has not run yet; returns the names of what ran.
pub(crate) async fn run(server: &PostgresServer, folder: &Path) -> Result<Vec<String>, Failure> {
    let files = read(folder)?;
    let mut client =
        connect(server, &server.role, &server.role_password, &server.database).await.map_err(|e| query_failed(&e))?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(|e| query_failed(&e))?;
    // The lock ends with the session, whatever happens.
    let runner = Runner::new(&files).set_abort_missing(false);
    let before = applied(&runner, &mut client).await.map_err(|e| failure(&e))?;
    let pending = files.iter().filter(|file| before.iter().all(|b| b.version() != file.version())).count();
    let ran = runner.run_async(&mut client).await;
    match ran {
        Ok(report) => Ok(report.applied_migrations().iter().map(name_of).collect()),
        Err(error) => {
            let done = error.report().map(|r| r.applied_migrations().len()).unwrap_or(0);
            Err(failure(&error).because(format!(
                "it was taken back whole; {done} ran before it, {} are left",
                pending.saturating_sub(done)
            )))
        }
    }
}

/// Runs a whole file in one transaction.
pub(crate) async fn run_file(server: &PostgresServer, file: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file).map_err(|e| {
        Failure::new(FailureKind::App, format!("cannot read {}", file.display())).because(e.to_string())
    })?;
    let mut client =
        connect(server, &server.role, &server.role_password, &server.database).await.map_err(|e| query_failed(&e))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let run = async {
        let transaction = client.transaction().await?;
        transaction.batch_execute(&text).await?;
        transaction.commit().await
    };
    run.await.map_err(|e| {
        let failure = Failure::new(FailureKind::App, format!("{name} failed and was taken back whole"));
        match e.as_db_error() {
            Some(said) => with_database_error(failure, said),
            None => failure.because(e.to_string()),
        }
    })
}

/// What has run and what has not.
pub(crate) async fn status(server: &PostgresServer, folder: &Path) -> Result<Vec<MigrationStatus>, Failure> {
    let files = read(folder)?;
    let mut client =
        connect(server, &server.role, &server.role_password, &server.database).await.map_err(|e| query_failed(&e))?;
    let applied = applied(&Runner::new(&files), &mut client).await.map_err(|e| failure(&e))?;
    Ok(files
        .iter()
        .map(|file| {
            let ran = applied.iter().find(|a| a.version() == file.version());
            MigrationStatus {
                name: name_of(file),
                ran: ran.is_some(),
                changed: ran.is_some_and(|a| a.checksum() != file.checksum()),
            }
        })
        .collect())
}

/// What has not run, with its text.
pub(crate) async fn pending(server: &PostgresServer, folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let ran: Vec<String> = status(server, folder).await?.into_iter().filter(|m| m.ran).map(|m| m.name).collect();
    let files = read(folder)?;
    let left = files.iter().filter(|file| !ran.contains(&name_of(file)));
    Ok(left.map(|file| (name_of(file), file.sql().unwrap_or_default().to_owned())).collect())
}

async fn applied(runner: &Runner, client: &mut Client) -> Result<Vec<Migration>, refinery::Error> {
    match runner.get_applied_migrations_async(client).await {
        // Where nothing ever ran there is no table.
        Err(error) if is_missing_table(&error) => Ok(Vec::new()),
        other => other,
    }
}

fn name_of(migration: &Migration) -> String {
    format!("{} {}", migration.version(), migration.name())
}

/// The files of a folder: `0001_users.sql`, `V1__users.sql`, `20251019120000_users.sql`.
fn read(folder: &Path) -> Result<Vec<Migration>, Failure> {
    let wrong = |message: String| Failure::new(FailureKind::App, message);
    let entries = fs::read_dir(folder)
        .map_err(|e| wrong(format!("cannot read the migrations in {}", folder.display())).because(e.to_string()))?;
    let mut found: Vec<Migration> = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(stem) = name.strip_suffix(".sql").filter(|s| !s.ends_with(".down") && !s.ends_with("_down")) else {
            continue;
        };
        let text = fs::read_to_string(entry.path())
            .map_err(|e| wrong(format!("cannot read the migration {name}")).because(e.to_string()))?;
        let named = stem.trim_start_matches(['V', 'v']);
        let digits = named.find(|c: char| !c.is_ascii_digit()).unwrap_or(named.len());
        let (number, rest) = named.split_at(digits);
        let plain: String = rest
            .trim_start_matches(['_', '-', '.', ' '])
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .collect();
        let plain = if plain.is_empty() { "migration".to_owned() } else { plain };
        let migration = Migration::unapplied(&format!("V{number}__{plain}"), &text).map_err(|e| {
            wrong(format!("`{name}` is not the name of a migration"))
                .because(e.to_string())
                .hint("begin it with a number: 0001_users.sql")
        })?;
        if let Some(twin) = found.iter().find(|m| m.version() == migration.version()) {
            return Err(wrong(format!(
                "two migrations have the number {}: {} and {plain}",
                twin.version(),
                twin.name()
            )));
        }
        found.push(migration);
    }
    found.sort_by_key(Migration::version);
    Ok(found)
}

fn failure(error: &refinery::Error) -> Failure {
    let mut failure = Failure::new(FailureKind::App, "a migration failed");
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = source {
        if let Some(database) = said_by_database(cause) {
            failure = with_database_error(failure, database);
            break;
        }
        failure = failure.because(cause.to_string());
        source = cause.source();
    }
    failure
}

/// Everything that PostgreSQL says of an error.
fn with_database_error(failure: Failure, said: &DbError) -> Failure {
    let at = match said.position() {
        Some(tokio_postgres::error::ErrorPosition::Original(n)) => format!(" at character {n}"),
        _ => String::new(),
    };
    let mut failure = failure.because(format!("{} (SQLSTATE {}){at}", said.message(), said.code().code()));
    failure.causes.extend(said.detail().map(str::to_owned));
    failure.hints.extend(said.hint().map(str::to_owned));
    failure
}

fn is_missing_table(error: &refinery::Error) -> bool {
    std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source())
        .find_map(said_by_database)
        .is_some_and(|said| *said.code() == SqlState::UNDEFINED_TABLE)
}

fn said_by_database<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a DbError> {
    cause.downcast_ref::<tokio_postgres::Error>()?.as_db_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_are_read_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["0010_b.sql", "0002-a b.sql", "V3__c.sql", "20251019120000_d.sql", "0002_a.down.sql", "x.txt"] {
            fs::write(folder.path().join(name), "SELECT 1").unwrap();
        }
        let names: Vec<String> = read(folder.path()).unwrap().iter().map(name_of).collect();
        assert_eq!(names, ["2 a_b", "3 c", "10 b", "20251019120000 d"]);
        fs::write(folder.path().join("2_twin.sql"), "SELECT 1").unwrap();
        assert!(read(folder.path()).unwrap_err().message.contains("number 2"));
        fs::remove_file(folder.path().join("2_twin.sql")).unwrap();
        fs::write(folder.path().join("users.sql"), "SELECT 1").unwrap();
        assert!(read(folder.path()).unwrap_err().message.contains("users.sql"));
    }
}
