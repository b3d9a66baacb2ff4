//! A database that this room was given, and how it is spoken to.

use std::time::Duration;

use ambit_domain::{Failure, FailureKind};
use tokio_postgres::{Client, Config, NoTls};

/// How a database is reached. The password shows up nowhere.
#[derive(Clone)]
pub struct Database {
    /// Loopback port of its server.
    pub port: u16,
    /// Who connects.
    pub user: String,
    /// The password of that user.
    pub password: String,
    /// Its name.
    pub name: String,
}

impl Database {
    /// Another database of the same server.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// A session whose times are UTC, whose texts are UTF-8, and that no setting of the database or the role bends.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let (client, connection) = Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user(&self.user)
            .password(&self.password)
            .dbname(&self.name)
            .application_name("ambit data")
            .connect_timeout(Duration::from_secs(5))
            .connect(NoTls)
            .await
            .map_err(|e| failed(&e).because(format!("the database {} does not answer", self.name)))?;
        // Ends when the client is dropped.
        tokio::spawn(connection);
        client.batch_execute(SESSION).await.map_err(|e| failed(&e))?;
        Ok(client)
    }

    /// What PostgreSQL's own programs need to reach it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGPASSWORD", self.password.clone()),
            ("PGDATABASE", self.name.clone()),
            ("PGAPPNAME", "ambit data".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
        ]
    }
}

/// As `pg_dump` sets it: values come and go in one form, whatever the server prefers.
const SESSION: &str = "SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO, MDY';
    SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; SET search_path = pg_catalog;
    SET standard_conforming_strings = on; SET synchronize_seqscans = off; SET row_security = off; SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'; SET check_function_bodies = off";

/// Tells what PostgreSQL said, without the values that it quotes: they may be somebody's.
pub(crate) fn failed(error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else { return Failure::from_error(FailureKind::Machine, error) };
    // 22021: character_not_in_repertoire, whose message quotes the bytes.
    if db.code().code() == "22021" {
        return Failure::new(FailureKind::User, "a value is not UTF-8 text")
            .because("the database's encoding is SQL_ASCII or the value is damaged")
            .hint("find it (`ambit psql`, convert_from) and correct it");
    }
    let mut failure = Failure::new(FailureKind::Machine, without_value(db.message()));
    failure.causes.extend(db.where_().and_then(|w| w.lines().next()).map(without_value));
    match db.code().code() {
        // 53100: disk_full.
        "53100" => failure.hint("the disk is full: free some space (df -h) and repeat the command"),
        _ => failure.hint_if(db.hint()),
    }
}

fn without_value(text: &str) -> String {
    text.split_once(": \"").map_or(text, |(before, _)| before).to_owned()
}

/// An identifier as SQL text (PostgreSQL manual, 4.1.1).
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as SQL text, with `standard_conforming_strings`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table's name as SQL text.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}
