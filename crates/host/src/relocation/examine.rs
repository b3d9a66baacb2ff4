//! Asking a PostgreSQL, wherever it is.

use std::{collections::BTreeSet, time::Duration};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    relocation::{Contents, Login},
};

use crate::{
    Host,
    psql::{self, FIELD, ROW},
};

/// Counting the rows of a large database takes its time.
const LONGEST: Duration = Duration::from_secs(3600);
/// Everything in one snapshot. `\gexec` runs what a row says.
const CONTENTS: &str = r"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT 'version', current_setting('server_version_num');
SELECT 'size', pg_database_size(current_database());
SELECT 'extension', extname FROM pg_extension WHERE extname <> 'plpgsql';
SELECT format('SELECT %L, %L, count(*) FROM ONLY %I.%I', 'table', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
\gexec
SELECT format('SELECT %L, %L, last_value, is_called FROM %I.%I', 'sequence', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
\gexec
SELECT 'large objects', count(*) FROM pg_largeobject_metadata;
COMMIT;
";

/// Which extensions a database can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extensions {
    /// Those that are there.
    Any,
    /// Those that the owner of a database may add.
    OfOwners,
}

impl Host {
    /// Counts what a database holds.
    pub async fn contents(&self, id: &EnvironmentId, login: &Login) -> Result<Contents, Failure> {
        let mut found = Contents::default();
        for row in self.ask(id, login, CONTENTS).await? {
            let fields: Vec<&str> = row.split(FIELD).collect();
            let number = |text: &str| text.parse::<u64>().unwrap_or_default();
            match fields.as_slice() {
                ["version", version] => found.version = version.parse().unwrap_or_default(),
                ["size", size] => found.size = number(size),
                ["extension", name] => drop(found.extensions.insert((*name).to_owned())),
                ["table", name, rows] => drop(found.tables.insert((*name).to_owned(), number(rows))),
                ["sequence", name, at, called] => {
                    let value = if *called == "t" { (*at).to_owned() } else { format!("{at} (not used yet)") };
                    found.sequences.insert((*name).to_owned(), value);
                }
                ["large objects", count] => found.large_objects = number(count),
                _ => {}
            }
        }
        if found.version == 0 {
            return Err(Failure::new(FailureKind::Machine, "PostgreSQL did not say what it holds"));
        }
        Ok(found)
    }

    /// The extensions that a database there can have.
    pub async fn extensions(
        &self,
        id: &EnvironmentId,
        login: &Login,
        which: Extensions,
    ) -> Result<BTreeSet<String>, Failure> {
        let sql = match which {
            Extensions::Any => "SELECT name FROM pg_available_extensions;",
            Extensions::OfOwners => {
                "SELECT DISTINCT name FROM pg_available_extension_versions WHERE trusted OR NOT superuser;"
            }
        };
        Ok(self.ask(id, login, sql).await?.into_iter().collect())
    }

    /// Runs SQL as the environment's user, each statement by itself; the rows that it gives.
    pub(super) async fn ask(&self, id: &EnvironmentId, login: &Login, sql: &str) -> Result<Vec<String>, Failure> {
        let user = if self.home.environment(id).is_dir() { self.user(id)? } else { None };
        let said = psql::ask(login, sql, user, LONGEST).await?;
        Ok(said.split(ROW).map(str::to_owned).filter(|row| !row.is_empty()).collect())
    }
}
