//! Copies of an environment's database, made by PostgreSQL's own `pg_dump` before migrations, and put back beside the
//! present one.
//!
//! A copy is written under another name and renamed when it is complete: a crash before leaves a file that the next one
//! replaces. Putting back: load into a new database, then rename the present one away and the new one into its place, in
//! one session; a crash between the two renames is mended by the next attempt, since both databases are still there.

use std::{fs, path::PathBuf, time::Duration};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, PostgresServer, Task},
};

use crate::{
    Host,
    files::as_user,
    machine::{blocking, cannot},
    postgres::{connect, identifier, installation_of, query_failed},
};

/// A copy that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

impl Host {
    fn restore_folder(&self, id: &EnvironmentId) -> PathBuf {
        self.home.environment(id).join("restore-points")
    }

    pub(crate) async fn dump(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<u64, Failure> {
        let folder = self.restore_folder(id);
        let user = self.user(id)?;
        let data = self.home.environment(id).join("postgres/data");
        let programs = installation_of(&data)?.programs;
        {
            let folder = folder.clone();
            blocking(move || {
                as_user(user, std::process::Command::new("mkdir").args(["-m", "700", "-p"]).arg(&folder))
                    .map(drop)
                    .map_err(cannot("make", &folder))
            })
            .await?;
        }
        let file = folder.join(format!("{name}.dump"));
        let command = "umask 077; rm -f \"$FILE.new\"; \
                       \"$PROGRAM\" --format=custom --compress=1 --file=\"$FILE.new\" && sync -d \"$FILE.new\" && \
                       mv -f \"$FILE.new\" \"$FILE\"";
        let task = self.postgres_task(
            server,
            command,
            vec![
                ("PROGRAM".to_owned(), programs.join("pg_dump").display().to_string()),
                ("FILE".to_owned(), file.display().to_string()),
                ("PGDATABASE".to_owned(), server.database.clone()),
            ],
        );
        let run = format!("restore-point-{name}");
        let made = self.task(id, &run, &task, &|_| {}).await;
        // Forgotten either way: its record holds a password, and the next attempt begins anew.
        self.end_task(id, &run).await?;
        made.map_err(|failure| {
            let full = failure.causes.iter().any(|c| c.contains("No space left"));
            let failure = Failure { kind: FailureKind::Machine, ..failure };
            if full {
                failure.hint("the disk is full: free some space (df -h) and repeat the command")
            } else {
                failure
            }
        })?;
        fs::metadata(&file).map(|m| m.len()).map_err(cannot("read", &file))
    }

    fn postgres_task(&self, server: &PostgresServer, command: &str, more: Vec<(String, String)>) -> Task {
        let mut variables = vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("PGHOST".to_owned(), "127.0.0.1".to_owned()),
            ("PGPORT".to_owned(), server.port.to_string()),
            ("PGUSER".to_owned(), "postgres".to_owned()),
            ("PGPASSWORD".to_owned(), server.admin_password.clone()),
        ];
        variables.extend(more);
        let process =
            AppProcess { command: command.to_owned(), directory: "/".into(), variables, memory: None, cpus: None };
        Task { process, longest: LONGEST }
    }

    pub(crate) async fn load(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
    ) -> Result<String, Failure> {
        let file = self.restore_folder(id).join(format!("{name}.dump"));
        if !file.exists() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no restore point `{name}`")));
        }
        let programs = installation_of(&self.home.environment(id).join("postgres/data"))?.programs;
        let beside = format!("{}-restoring", truncated(&server.database));
        let before = format!("{}-before-{name}", truncated(&server.database));
        let admin =
            connect(server, "postgres", &server.admin_password, "postgres").await.map_err(|e| query_failed(&e))?;
        let exists = async |database: &str| {
            let found = admin.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database]).await;
            found.map(|row| row.is_some()).map_err(|e| query_failed(&e))
        };
        let run = async |sql: String| admin.batch_execute(&sql).await.map_err(|e| query_failed(&e));
        let (present, new, old) = (identifier(&server.database), identifier(&beside), identifier(&before));
        if exists(&server.database).await? {
            run(format!("DROP DATABASE IF EXISTS {new} WITH (FORCE)")).await?;
            run(format!("CREATE DATABASE {new} OWNER {}", identifier(&server.role))).await?;
            let command = "\"$PROGRAM\" --exit-on-error --dbname=\"$DATABASE\" \"$FILE\"";
            let task = self.postgres_task(
                server,
                command,
                vec![
                    ("PROGRAM".to_owned(), programs.join("pg_restore").display().to_string()),
                    ("FILE".to_owned(), file.display().to_string()),
                    ("DATABASE".to_owned(), beside.clone()),
                ],
            );
            let task_name = format!("restore-{name}");
            let loaded = self.task(id, &task_name, &task, &|_| {}).await;
            self.end_task(id, &task_name).await?;
            if let Err(failure) = loaded {
                run(format!("DROP DATABASE IF EXISTS {new} WITH (FORCE)")).await?;
                return Err(
                    Failure { kind: FailureKind::Machine, ..failure }.because("the present database was not touched")
                );
            }
            run(format!("DROP DATABASE IF EXISTS {old} WITH (FORCE)")).await?;
            // Nobody may come between: the renames need that nobody is connected.
            run(format!("ALTER DATABASE {present} WITH ALLOW_CONNECTIONS false")).await?;
            let ended = admin
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                    &[&server.database],
                )
                .await;
            ended.map_err(|e| query_failed(&e))?;
            rename(&admin, &server.database, &before).await?;
        }
        rename(&admin, &beside, &server.database).await?;
        run(format!(
            "ALTER DATABASE {old} WITH ALLOW_CONNECTIONS true; REVOKE CONNECT ON DATABASE {present} FROM PUBLIC"
        ))
        .await?;
        Ok(before)
    }

    pub(crate) async fn remove_dump(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        let (file, user) = (self.restore_folder(id).join(format!("{name}.dump")), self.user(id)?);
        blocking(move || {
            as_user(user, std::process::Command::new("rm").arg("-f").arg(&file))
                .map(drop)
                .map_err(cannot("delete", &file))
        })
        .await
    }
}

/// Backends that were told to end need a moment.
async fn rename(admin: &tokio_postgres::Client, from: &str, to: &str) -> Result<(), Failure> {
    let sql = format!("ALTER DATABASE {} RENAME TO {}", identifier(from), identifier(to));
    for _ in 0..200 {
        match admin.batch_execute(&sql).await {
            Ok(()) => return Ok(()),
            // 55006: object_in_use.
            Err(error) if error.as_db_error().is_some_and(|e| e.code().code() == "55006") => {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            Err(error) => return Err(query_failed(&error)),
        }
    }
    Err(Failure::new(FailureKind::Machine, format!("the database {from} is still in use")))
}

/// Room for what is put behind the name: 63 bytes are the most (NAMEDATALEN, PostgreSQL manual 4.1.1).
fn truncated(database: &str) -> String {
    let mut name = database.to_owned();
    while name.len() > 36 {
        name.pop();
    }
    name
}
