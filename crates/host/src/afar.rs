//! A PostgreSQL elsewhere that was backed up or restored: how many rows it holds, and whether they make sense.

use std::time::Duration;

use ambit_domain::{
    Failure, FailureKind,
    backup::{TableCount, hosted::Counted},
    relocation::Login,
};

use crate::psql::{self, FIELD, ROW};

/// How often a moment is looked for in which nobody writes, and the pause between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(1800);
/// Two snapshots with a moment and the rows of every table between them. Where both are the same and see nobody at work, the rows are
/// those of that moment.
const COUNT: &str = "SET statement_timeout = 0; SET search_path = pg_catalog;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_current_snapshot();
SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_sleep(0.01);
SELECT format('SELECT %L, count(*) FROM %I.%I', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND (c.relkind = 'r' OR c.relispopulated)
    ORDER BY 1 \\gexec
COMMIT;
SELECT pg_current_snapshot();
";

/// The rows of every table, and a moment at which they were so. Where somebody writes all the time the tables alone are known, with no row
/// that has to come back.
pub async fn count(server: &Login) -> Result<Counted, Failure> {
    let mut last = None;
    for attempt in 1..=TRIES {
        let (counted, quiet) = understood(&ask(server, COUNT).await?, &server.database)?;
        if quiet {
            return Ok(counted);
        }
        last = Some(counted);
        if attempt < TRIES {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let mut counted = last.unwrap_or_default();
    for table in &mut counted.tables {
        (table.rows, table.exact) = (0, false);
    }
    Ok(counted)
}

/// Whether a query answers a row whose first value is neither null nor false.
pub async fn smoke(server: &Login, query: &str) -> Result<(), Failure> {
    let said = ask(server, &format!("{}\n", query.trim_end().trim_end_matches(';').to_owned() + ";")).await?;
    let first = said.split(ROW).next().and_then(|row| row.split(FIELD).next()).unwrap_or_default().trim();
    if first.is_empty() || first == "f" {
        let answer = if said.is_empty() { "no row" } else { "null or false" };
        return Err(Failure::new(FailureKind::Machine, format!("the smoke query answers {answer}")));
    }
    Ok(())
}

fn understood(said: &str, database: &str) -> Result<(Counted, bool), Failure> {
    let rows: Vec<Vec<&str>> = said.trim_end_matches(ROW).split(ROW).map(|row| row.split(FIELD).collect()).collect();
    let wrong = || Failure::new(FailureKind::Machine, "psql answered something that was not asked for");
    let [[first], [at, ..], tables @ .., [last]] = &rows.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        return Err(wrong());
    };
    let quiet = first == last && first.split(':').take(2).collect::<Vec<_>>().windows(2).all(|two| two[0] == two[1]);
    let table = |row: &&[&str]| match row {
        [table, rows] => {
            let (database, table) = (database.to_owned(), (*table).to_owned());
            Some(TableCount { database, table, rows: rows.parse().ok()?, exact: true })
        }
        _ => None,
    };
    let tables = tables.iter().map(table).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
    Ok((Counted { at: at.parse().map_err(|_| wrong())?, tables }, quiet))
}

/// Nobody's files are touched: it runs as whoever asks.
async fn ask(server: &Login, script: &str) -> Result<String, Failure> {
    psql::ask(server, script, None, WITHIN).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(last: &str) -> String {
        format!("7:7:\01795773600000\u{1f}\0public.\"a\nb\"\u{1f}3\0public.t\u{1f}0\0{last}\0")
    }

    #[test]
    fn rows_are_those_of_a_moment_where_nobody_wrote_around_it() {
        let (counted, quiet) = understood(&said("7:7:"), "shop").unwrap();
        assert!(quiet);
        assert_eq!((counted.at, counted.tables.len()), (1_795_773_600_000, 2));
        assert_eq!((counted.tables[0].table.as_str(), counted.tables[0].rows), ("public.\"a\nb\"", 3));
        assert!(!understood(&said("7:8:7"), "shop").unwrap().1, "somebody wrote");
        assert!(understood("no", "shop").is_err());
    }
}
