//! The declarations of a database, carried over by PostgreSQL's own `pg_dump` and `pg_restore`: first what rows need to be
//! loaded, then what is built over them.
//!
//! What would tie the copy to where it comes from is left out: user mappings (they hold passwords of other servers) and
//! subscriptions.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use ambit_domain::{Failure, FailureKind};
use tokio::{io::AsyncReadExt, process::Command};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, failed, identifier, literal};

/// The declarations of a database, in a file that holds no rows.
pub(crate) struct Schema {
    programs: PathBuf,
    archive: PathBuf,
    list: PathBuf,
    /// The same as SQL text.
    pub(crate) text: String,
    /// Statements as text are read for the leak check; a bound keeps memory in hand.
    pub(crate) whole: bool,
}

/// Longest text of declarations that is looked through, in bytes.
const LONGEST: u64 = 32 << 20;

/// Which half.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    Before,
    After,
}

impl Schema {
    /// Reads the declarations as one snapshot sees them.
    pub(crate) async fn dump(
        source: &Database,
        snapshot: &str,
        programs: &Path,
        folder: &Path,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        let archive = folder.join("schema.dump");
        let list = folder.join("schema.list");
        let mut dump = program(programs, "pg_dump", source);
        dump.args(["--format=custom", "--schema-only", "--no-subscriptions", "--compress=0"])
            .arg(format!("--snapshot={snapshot}"))
            .arg(format!("--file={}", archive.display()));
        run(dump, "the declarations cannot be read", cancel).await?;
        let mut contents = program(programs, "pg_restore", source);
        contents.arg("--list").arg(&archive);
        let contents = run(contents, "the declarations cannot be listed", cancel).await?;
        std::fs::write(&list, without_ties(&contents)).map_err(|e| file_failed(&list, &e))?;
        let mut text = program(programs, "pg_restore", source);
        text.arg("--file=-").arg(format!("--use-list={}", list.display())).arg(&archive);
        let text = run(text, "the declarations cannot be read", cancel).await?;
        let whole = text.len() as u64 <= LONGEST;
        Ok(Self { programs: programs.to_owned(), archive, list, text, whole })
    }

    /// Makes one half of it in a database.
    pub(crate) async fn make(
        &self,
        target: &Database,
        section: Section,
        jobs: u32,
        cancel: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut restore = program(&self.programs, "pg_restore", target);
        restore
            .arg(format!("--dbname={}", target.name))
            .arg("--exit-on-error")
            .arg(format!("--use-list={}", self.list.display()))
            .arg(match section {
                Section::Before => "--section=pre-data",
                Section::After => "--section=post-data",
            });
        if jobs > 1 {
            restore.arg(format!("--jobs={jobs}"));
        }
        // Room for sorting, and no process beside those that already build side by side. Synchronous commits are not needed:
        // until it is swapped in, the copy can be thrown away.
        restore.env(
            "PGOPTIONS",
            "-c maintenance_work_mem=256MB -c max_parallel_maintenance_workers=0 -c synchronous_commit=off",
        );
        let what = match section {
            Section::Before => "the tables cannot be made in the copy",
            Section::After => "indexes and constraints cannot be made over the masked rows",
        };
        restore.arg(&self.archive);
        run(restore, what, cancel).await.map(drop)
    }
}

/// Lines of the table of contents begin with numbers; a semicolon makes one a comment (`pg_restore --use-list`).
fn without_ties(contents: &str) -> String {
    contents
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace().skip(3);
            let tied = matches!((words.next(), words.next()), (Some("USER"), Some("MAPPING")));
            if tied { format!(";{line}\n") } else { format!("{line}\n") }
        })
        .collect()
}

fn program(programs: &Path, name: &str, database: &Database) -> Command {
    let mut command = Command::new(programs.join(name));
    command.env_clear().env("PATH", "/usr/bin:/bin").envs(database.variables()).kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn run(mut command: Command, what: &str, cancel: &CancellationToken) -> Result<String, Failure> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| {
            Failure::new(FailureKind::Machine, format!("{name} cannot be started")).because(e.to_string())
        })?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let (mut text, mut said) = (Vec::new(), Vec::new());
        let outs = async {
            if let Some(out) = &mut out {
                let _ = out.take(2 * LONGEST).read_to_end(&mut text).await;
            }
        };
        let errs = async {
            if let Some(err) = &mut err {
                let _ = err.take(1 << 20).read_to_end(&mut said).await;
            }
        };
        tokio::join!(outs, errs);
        (text, said)
    };
    let (text, said) = tokio::select! {
        () = cancel.cancelled() => return Err(interrupted()),
        done = read => done,
    };
    let status = child.wait().await.map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    let said = String::from_utf8_lossy(&said);
    let mut failure = Failure::new(FailureKind::Machine, what.to_owned());
    // The DETAIL lines quote values.
    let lines = said.lines().filter(|l| !l.contains("DETAIL:") && !l.starts_with("Command was:")).take(8);
    failure.causes.push(lines.collect::<Vec<_>>().join("\n"));
    let hint = if said.contains("No space left") {
        Some("the disk is full: free some space (df -h) and repeat the command")
    } else if said.contains("could not create unique index") || said.contains("duplicate key") {
        Some(
            "two values came out of their masker as the same: choose one that keeps them apart (email, id, uuid, token) in masking.toml",
        )
    } else if said.contains("violates") {
        Some("a masker made a value that a constraint refuses: choose another in masking.toml")
    } else {
        None
    };
    Err(failure.hint_if(hint))
}

pub(crate) fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "interrupted; the environment is as it was")
}

pub(crate) fn file_failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Machine, format!("{} cannot be written", path.display())).because(error.to_string())
}

/// Makes an empty database with the encoding and the rules of order of another.
pub(crate) async fn create_like(admin: &Client, source: &Client, name: &str, owner: &str) -> Result<(), Failure> {
    let row = source
        .query_one(
            "SELECT pg_encoding_to_char(d.encoding), d.datcollate::text, d.datctype::text, to_jsonb(d) ->> 'datlocprovider',
                    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
             FROM pg_database d WHERE d.datname = current_database()",
            &[],
        )
        .await
        .map_err(|e| failed(&e))?;
    let (encoding, collate, ctype): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let (provider, locale): (Option<String>, Option<String>) = (row.get(3), row.get(4));
    let more = match (provider.as_deref(), locale) {
        (Some("i"), Some(locale)) => format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(&locale)),
        (Some("b"), Some(locale)) => format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(&locale)),
        _ => String::new(),
    };
    let sql = format!(
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}{more}",
        identifier(name),
        identifier(owner),
        literal(&encoding),
        literal(&collate),
        literal(&ctype),
    );
    admin.batch_execute(&sql).await.map_err(|e| failed(&e))?;
    // Until it is swapped in, only Ambit enters.
    let closed = format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", identifier(name));
    admin.batch_execute(&closed).await.map_err(|e| failed(&e))
}

/// Roles that declarations speak of and that the other server does not know are made there, unable to log in.
pub(crate) async fn make_roles(admin: &Client, source: &Client) -> Result<(), Failure> {
    let rows = source
        .query(
            "SELECT DISTINCT r.rolname::text FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
             WHERE d.refclassid = 'pg_authid'::regclass
               AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
               AND r.rolname NOT LIKE 'pg\\_%'",
            &[],
        )
        .await
        .map_err(|e| failed(&e))?;
    for row in &rows {
        let role: String = row.get(0);
        let known =
            admin.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await.map_err(|e| failed(&e))?;
        if known.is_none() {
            admin.batch_execute(&format!("CREATE ROLE {} NOLOGIN", identifier(&role))).await.map_err(|e| failed(&e))?;
        }
    }
    Ok(())
}

/// Sets sequences where they stand in the source. They stand outside snapshots, so never behind the rows that were read.
pub(crate) async fn set_sequences(source: &Client, target: &Client) -> Result<(), Failure> {
    let rows = source
        .query(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND NOT EXISTS (
               SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')",
            &[],
        )
        .await
        .map_err(|e| failed(&e))?;
    for row in &rows {
        let name = crate::database::qualified(row.get(0), row.get(1));
        let state = source
            .query_one(&format!("SELECT last_value, is_called FROM {name}"), &[])
            .await
            .map_err(|e| failed(&e))?;
        let (last, called): (i64, bool) = (state.get(0), state.get(1));
        let sql = format!("SELECT pg_catalog.setval({}::regclass, {last}, {called})", literal(&name));
        target.batch_execute(&sql).await.map_err(|e| failed(&e))?;
    }
    Ok(())
}

/// Fills the materialized views that are filled in the source, those that others read first.
pub(crate) async fn refresh_views(source: &Client, target: &Client) -> Result<(), Failure> {
    let rows = source
        .query(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid",
            &[],
        )
        .await
        .map_err(|e| failed(&e))?;
    let mut waiting: Vec<String> = rows.iter().map(|r| crate::database::qualified(r.get(0), r.get(1))).collect();
    while !waiting.is_empty() {
        let (mut left, mut last) = (Vec::new(), None);
        let before = waiting.len();
        for name in waiting {
            match target.batch_execute(&format!("REFRESH MATERIALIZED VIEW {name}")).await {
                Ok(()) => {}
                // 55000: it reads one that is not filled yet.
                Err(error) if error.as_db_error().is_some_and(|e| e.code().code() == "55000") => {
                    left.push(name);
                    last = Some(error);
                }
                Err(error) => {
                    return Err(failed(&error).because(format!("the materialized view {name} cannot be filled")));
                }
            }
        }
        if let Some(error) = last.filter(|_| left.len() == before) {
            return Err(failed(&error));
        }
        waiting = left;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_other_servers_stay_behind() {
        let contents = ";\n3; 3079 16384 EXTENSION - postgres_fdw \n9; 0 0 USER MAPPING - USER MAPPING kaia SERVER other postgres\n";
        assert_eq!(
            without_ties(contents),
            ";\n3; 3079 16384 EXTENSION - postgres_fdw \n;9; 0 0 USER MAPPING - USER MAPPING kaia SERVER other postgres\n"
        );
    }
}
