//! A database from one server to another: loaded beside the present one in one transaction, then put in its place by two renames in
//! one transaction. A crash before leaves a database beside that the next try replaces, a crash after the new one.

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, PostgresServer, Sink, Task},
    relocation::Login,
};

use super::postgres_here;
use crate::{
    Host,
    archives::{self, LONGEST},
    database_names,
    postgres::{identifier, installation_of, literal},
    psql::variables,
};

/// What a database is called that data was carried over.
const BEFORE: &str = "move";
/// The task that carries.
const RUN: &str = "carry";
/// A pipe of two, each of which has to end well.
const CARRY: &str = r#"umask 077; rm -f "$ENDED"
{ PGHOST="$FROM_PGHOST" PGPORT="$FROM_PGPORT" PGUSER="$FROM_PGUSER" PGPASSWORD="$FROM_PGPASSWORD" PGDATABASE="$FROM_PGDATABASE" \
  PGSSLMODE="$FROM_PGSSLMODE" "$DUMP" --format=custom --compress=1 --no-owner --no-acl; echo $? >"$ENDED"; } |
PGHOST="$TO_PGHOST" PGPORT="$TO_PGPORT" PGUSER="$TO_PGUSER" PGPASSWORD="$TO_PGPASSWORD" PGSSLMODE="$TO_PGSSLMODE" \
  "$RESTORE" --exit-on-error --single-transaction --no-owner --no-acl --dbname="$TO_PGDATABASE"
restored=$?
read -r dumped <"$ENDED"; rm -f "$ENDED"
[ "$restored" = 0 ] && exit "$dumped"
exit "$restored""#;

/// Where a database is carried to.
#[derive(Clone, Copy)]
pub enum Into<'a> {
    /// The environment's own server.
    Here(&'a PostgresServer),
    /// One elsewhere, whose user may do everything.
    There(&'a Login),
}

impl Host {
    /// Carries a database beside another one; returns how that is reached. Begun anew where it was interrupted.
    pub async fn carry(
        &self,
        id: &EnvironmentId,
        from: &Login,
        into: Into<'_>,
        output: Sink<'_>,
    ) -> Result<Login, Failure> {
        // One of a killed daemon goes on by itself, into a database that is about to go.
        self.end_task(id, RUN).await?;
        match into {
            Into::Here(server) => {
                let beside = database_names::restoring(&server.database);
                let here = postgres_here(server);
                let load = async |by: &archives::Login<'_>| {
                    let (user, password) = (by.role.to_owned(), by.password.to_owned());
                    let to = Login { user, password, database: beside.clone(), ..here.clone() };
                    self.stream(id, from, &to, output).await
                };
                self.as_a_stranger(server, &beside, load).await?;
                Ok(Login { database: beside.clone(), ..here.clone() })
            }
            Into::There(present) => {
                let beside = Login { database: database_names::restoring(&present.database), ..present.clone() };
                let name = identifier(&beside.database);
                self.ask(
                    id,
                    &maintenance(present),
                    &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE);\nCREATE DATABASE {name};\n"),
                )
                .await?;
                self.stream(id, from, &beside, output).await?;
                Ok(beside)
            }
        }
    }

    /// Puts what was carried in the place of the present database, which is kept under another name where that is wanted.
    pub async fn put_carried(&self, id: &EnvironmentId, present: &Login, keep: bool) -> Result<String, Failure> {
        let kept = database_names::before(&present.database, BEFORE);
        let beside = database_names::restoring(&present.database);
        let [present_name, kept_name, beside_name] = [&present.database, &kept, &beside].map(|name| identifier(name));
        let names = [&present.database, &beside].map(|name| literal(name)).join(", ");
        // Nobody new is let in while the two change places.
        let sql = format!(
            "DROP DATABASE IF EXISTS {kept_name} WITH (FORCE);
             ALTER DATABASE {present_name} WITH ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names}) AND pid <> pg_backend_pid();
             BEGIN;
             ALTER DATABASE {present_name} RENAME TO {kept_name};
             ALTER DATABASE {beside_name} RENAME TO {present_name};
             COMMIT;
             ALTER DATABASE {kept_name} WITH ALLOW_CONNECTIONS true;\n"
        );
        let there = maintenance(present);
        let swapped = self.ask(id, &there, &sql).await;
        if swapped.is_err() {
            let open = format!("ALTER DATABASE {present_name} WITH ALLOW_CONNECTIONS true;\n");
            self.ask(id, &there, &open).await?;
        }
        swapped?;
        if !keep {
            self.ask(id, &there, &format!("DROP DATABASE {kept_name} WITH (FORCE);\n")).await?;
        }
        Ok(kept)
    }

    /// Whether transactions of a database may write. Where they may no more, everybody who is connected is cut off.
    pub async fn let_write(&self, id: &EnvironmentId, login: &Login, may: bool) -> Result<(), Failure> {
        let (name, text) = (identifier(&login.database), literal(&login.database));
        let sql = if may {
            format!("ALTER DATABASE {name} RESET default_transaction_read_only;\n")
        } else {
            format!(
                "ALTER DATABASE {name} SET default_transaction_read_only = on;
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {text} AND pid <> pg_backend_pid();\n"
            )
        };
        self.ask(id, &maintenance(login), &sql).await.map(drop)
    }

    async fn stream(&self, id: &EnvironmentId, from: &Login, to: &Login, output: Sink<'_>) -> Result<(), Failure> {
        let environment = self.home.environment(id);
        let programs = installation_of(&environment.join("postgres/data"))?.programs;
        let with = |prefix: &str, login: &Login| {
            variables(login).map(|(name, value)| (format!("{prefix}{name}"), value)).into_iter().collect::<Vec<_>>()
        };
        let mut all = vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("DUMP".to_owned(), programs.join("pg_dump").display().to_string()),
            ("RESTORE".to_owned(), programs.join("pg_restore").display().to_string()),
            ("ENDED".to_owned(), environment.join("home/carried").display().to_string()),
            ("PGCONNECT_TIMEOUT".to_owned(), "20".to_owned()),
        ];
        all.extend(with("FROM_", from));
        all.extend(with("TO_", to));
        let process = AppProcess {
            command: CARRY.to_owned(),
            directory: "/".into(),
            variables: all,
            memory: None,
            cpus: None,
            secrets: vec![from.password.clone(), to.password.clone()],
        };
        let carried = self.task(id, RUN, &Task { process, longest: LONGEST }, output).await;
        // Its record holds passwords.
        self.end_task(id, RUN).await?;
        carried.map_err(|failure| {
            let what = "the database could not be carried";
            failure.causes.into_iter().fold(Failure::new(FailureKind::Machine, what), Failure::because)
        })
    }
}

/// The same server by a database that nobody renames.
fn maintenance(login: &Login) -> Login {
    let other = if login.database == "postgres" { "template1" } else { "postgres" };
    Login { database: other.to_owned(), ..login.clone() }
}
