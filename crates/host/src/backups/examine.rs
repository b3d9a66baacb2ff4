//! What a drill looks at in a restored cluster.

use std::{path::PathBuf, time::Duration};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{AppProcess, PostgresServer, Restore, Task},
};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::{
    Host,
    postgres::{connect, installation_of, query_failed},
};

use super::{
    count::{connected, databases_of},
    restore::at,
};

/// Reading every page of a big cluster takes its time.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long the app's own query may take.
const SMOKE_WITHIN: Duration = Duration::from_secs(300);

impl Host {
    pub(crate) async fn examine_restored(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        smoke: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let beside = at(server, restore.port);
        let mut checked = Vec::new();
        let admin =
            connect(&beside, "postgres", &beside.admin_password, "postgres").await.map_err(|e| query_failed(&e))?;
        let checksums: String = admin
            .query_one("SELECT current_setting('data_checksums')", &[])
            .await
            .map_err(|e| query_failed(&e))?
            .get(0);
        let (mut indexes, mut tables, mut without) = (0, 0, false);
        for database in databases_of(&admin).await.map_err(|e| query_failed(&e))? {
            let client = connected(&beside, &database).await.map_err(|e| query_failed(&e))?;
            // A part of Debian's server package; elsewhere it may be a package of its own.
            if client.batch_execute("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA pg_catalog").await.is_err() {
                without = true;
                continue;
            }
            indexes += check_indexes(&client, &database).await?;
            tables += check_tables(&client, &database).await?;
        }
        checked.push(if without {
            "amcheck is not there".to_owned()
        } else {
            format!("{tables} tables and {indexes} indexes sound")
        });
        if let Some(smoke) = smoke {
            answers(&beside, smoke).await?;
            checked.push("the smoke query answers".to_owned());
        }
        drop(admin);
        let place = self.place_beside(id, &restore.name)?;
        self.stop_beside(&place).await?;
        if checksums == "on" {
            self.check_pages(id, &restore.name, place.data()).await?;
            checked.push("checksums of all pages right".to_owned());
        } else {
            checked.push("the cluster has no checksums of its pages".to_owned());
        }
        Ok(checked)
    }

    async fn check_pages(&self, id: &EnvironmentId, name: &str, data: PathBuf) -> Result<(), Failure> {
        let programs = installation_of(&data)?.programs;
        let variables = vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("PROGRAM".to_owned(), programs.join("pg_checksums").display().to_string()),
            ("DATA".to_owned(), data.display().to_string()),
        ];
        let command = "exec nice -n 10 \"$PROGRAM\" --check -D \"$DATA\"".to_owned();
        let process =
            AppProcess { command, directory: "/".into(), variables, memory: None, cpus: None, secrets: Vec::new() };
        let task = format!("restore-{name}");
        let ran = self.task(id, &task, &Task { process, longest: LONGEST }, &|_| {}).await;
        self.end_task(id, &task).await?;
        ran.map_err(|failure| {
            let mut told = Failure::new(FailureKind::Machine, "a page of the restored cluster is damaged");
            told.causes = failure.causes;
            told
        })
    }
}

async fn check_indexes(client: &Client, database: &str) -> Result<usize, Failure> {
    let sql = "SELECT c.oid, c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
               JOIN pg_am a ON a.oid = c.relam
               WHERE a.amname = 'btree' AND i.indisready AND i.indisvalid AND c.relkind = 'i' AND c.relpersistence = 'p'";
    let indexes = client.query(sql, &[]).await.map_err(|e| query_failed(&e))?;
    for index in &indexes {
        let (oid, name): (u32, String) = (index.get(0), index.get(1));
        if let Err(error) = client.execute("SELECT bt_index_check($1::oid::regclass)", &[&oid]).await {
            return Err(damaged(format!("the index {name} of {database} is damaged"), &error));
        }
    }
    Ok(indexes.len())
}

async fn check_tables(client: &Client, database: &str) -> Result<usize, Failure> {
    let sql = "SELECT oid, oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence = 'p'";
    let tables = client.query(sql, &[]).await.map_err(|e| query_failed(&e))?;
    for table in &tables {
        let (oid, name): (u32, String) = (table.get(0), table.get(1));
        let found = client.query("SELECT msg FROM verify_heapam($1::oid::regclass) LIMIT 1", &[&oid]).await;
        match found {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                return Err(Failure::new(FailureKind::Machine, format!("the table {name} of {database} is damaged"))
                    .because(rows[0].get::<_, String>(0)));
            }
            Err(error) => return Err(damaged(format!("the table {name} of {database} cannot be read"), &error)),
        }
    }
    Ok(tables.len())
}

fn damaged(message: String, error: &tokio_postgres::Error) -> Failure {
    let mut failure = Failure::new(FailureKind::Machine, message);
    failure.causes = vec![error.as_db_error().map_or_else(|| error.to_string(), |e| e.message().to_owned())];
    failure
}

/// Asks the app's own question in its own name.
async fn answers(beside: &PostgresServer, smoke: &str) -> Result<(), Failure> {
    let wrong =
        |why: String| Failure::new(FailureKind::App, "the smoke query failed on the restored copy").because(why);
    let client = connect(beside, &beside.role, &beside.role_password, &beside.database)
        .await
        .map_err(|e| wrong(query_failed(&e).causes.join(": ")))?;
    let answer = tokio::time::timeout(SMOKE_WITHIN, client.simple_query(smoke)).await;
    let answer = answer
        .map_err(|_| wrong(format!("it did not answer within {} s", SMOKE_WITHIN.as_secs())))?
        .map_err(|e| wrong(e.as_db_error().map_or_else(|| e.to_string(), |d| d.message().to_owned())))?;
    let first = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.try_get(0).ok().flatten().map(str::to_owned)),
        _ => None,
    });
    match first {
        None => Err(wrong("it answered no row".to_owned())),
        Some(None) => Err(wrong("it answered NULL".to_owned())),
        Some(Some(value)) if value == "f" => Err(wrong("it answered false".to_owned())),
        Some(Some(_)) => Ok(()),
    }
}
