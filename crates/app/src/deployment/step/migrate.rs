//! The database is brought up to date, once for each deployment, before any new instance starts.
//!
//! The app's own command runs as a task with the deployment's number in its name: after a crash of the daemon the repeated
//! step waits for the same run. SQL files run in a session of the daemon's own; a crash ends the session, PostgreSQL takes
//! back what was not committed, and the repeated step runs what is missing.

use std::{path::Path, time::Duration};

use ambit_domain::{Failure, FailureKind, deployment::StepName, provider::InstanceHealth};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::scope::Scope;

pub(super) struct Migrate;

#[async_trait]
impl Step for Migrate {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let mut done = Vec::new();
        let server = postgres_process(scope);
        let work = stand.work()?;
        for one in work.services.iter().filter(|w| w.new_code || work.new_database) {
            let Ok((service, app, built)) = scope.app(stand.built, &one.service) else { continue };
            let result = if let Some(folder) = &app.migrations {
                migrate_files(scope, &built.build.folder().join(folder)).await
            } else if let Some(command) = built.recipe(service).migrate {
                let ran = (service, app, built);
                scope.run_once(ran, &command, StepName::Migrate, stand.deployment.number).await.map(|()| command)
            } else {
                continue;
            };
            match result {
                Ok(detail) => done.push(detail),
                Err(failure) => {
                    let died = has_ended(scope, server).await;
                    return Err(explained(failure, stand, died));
                }
            }
        }
        Ok(done.join(", "))
    }
}

async fn migrate_files(scope: &Scope<'_>, folder: &Path) -> Result<String, Failure> {
    let Some(server) = &scope.servers.postgres else {
        return Err(Failure::new(FailureKind::Declaration, "there are migrations and no database")
            .hint("add [services.postgres] to ambit.toml"));
    };
    scope.run_migration_files(server, folder).await
}

/// Process id and start of the environment's PostgreSQL, where it runs.
fn postgres_process(scope: &Scope<'_>) -> Option<(u32, i64)> {
    let all = scope.ambit.provider.instances(&scope.id);
    let postgres = all.into_iter().find(|i| i.service == "postgres" && i.health == InstanceHealth::Running)?;
    postgres.pid.zip(postgres.since)
}

/// Whether a PostgreSQL is gone that ran before. Those who were connected to it know sooner than its keeper.
async fn has_ended(scope: &Scope<'_>, before: Option<(u32, i64)>) -> bool {
    if before.is_none() {
        return false;
    }
    for _ in 0..10 {
        if postgres_process(scope) != before {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// What a person needs to know when production's migration failed: that nothing else happened, and what to do.
fn explained(failure: Failure, stand: &Stand<'_>, postgres_ended: bool) -> Failure {
    let environment = &stand.scope.environment.name;
    let said = failure.causes.join("\n");
    let mut told = Failure { kind: FailureKind::App, ..failure };
    if stand.record.live.is_some() {
        told = told.because("the version before still serves; no new instance was started");
    }
    told = match failed_prisma_migration(&said) {
        Some(name) => told
            .hint(format!(
                "Prisma keeps `{name}` as failed and runs no other until that is settled. Look at what of it is in the database: ambit psql -e {environment}"
            ))
            .hint(format!(
                "then correct the file, undo what it left, and say so: ambit run -e {environment} -- npx prisma migrate resolve --rolled-back {name}"
            ))
            .hint(format!(
                "or finish by hand what it left undone: ambit run -e {environment} -- npx prisma migrate resolve --applied {name}"
            ))
            .hint("never delete migrations that ran anywhere, and never `prisma db push` on real data"),
        None if postgres_ended => told
            .because("PostgreSQL ended meanwhile; it is started again by itself and takes back what was not committed")
            .hint(format!("see why it ended: ambit logs -e {environment} postgres"))
            .hint(format!("then deploy again to {environment}: what ran already is not run again by tools that remember it")),
        None => told
            .hint(format!("correct the migration, try it in another environment first, and deploy again to {environment}")),
    };
    match &stand.deployment.restore_point {
        Some(point) => {
            told.hint(format!("the data from before it is kept: ambit restore-point load {point} -e {environment}"))
        }
        None => told,
    }
}

/// The migration that `prisma migrate deploy` names as failed (Prisma error reference, P3009 and P3018).
fn failed_prisma_migration(said: &str) -> Option<String> {
    if !said.contains("P3018") && !said.contains("P3009") {
        return None;
    }
    let after = |mark: &str| said.split_once(mark).map(|(_, rest)| rest.trim_start());
    let name = after("Migration name:").or_else(|| {
        let rest = after("The `")?;
        rest.contains("` migration").then_some(rest)
    })?;
    let end = name.find(|c: char| c.is_whitespace() || c == '`').unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    plain.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::failed_prisma_migration;

    #[test]
    fn the_migration_that_prisma_names_is_found_in_both_of_its_messages() {
        let applying = "Error: P3018\n\nA migration failed to apply. New migrations cannot be applied before the error \
                        is recovered from.\n\nMigration name: 20251019120000_events\n\nDatabase error code: 42703";
        let blocked = "Error: P3009\n\nmigrate found failed migrations in the target database\nThe \
                       `20251019120000_events` migration started at 2025-10-19 12:00:00 UTC failed";
        for said in [applying, blocked] {
            assert_eq!(failed_prisma_migration(said).as_deref(), Some("20251019120000_events"));
        }
        assert_eq!(failed_prisma_migration("Error: P1001: Can't reach database server"), None);
        assert_eq!(failed_prisma_migration("P3018 Migration name: `; rm -rf /`"), None);
    }
}
