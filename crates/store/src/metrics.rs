//! Metrics: numbers over time, by the minute for two days and by ten minutes for ninety. In a database of its own, so that
//! what is lost with it is figures and nothing else.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ambit_domain::EnvironmentId;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::database::StoreError;

/// Of each series a number, so that its name is not repeated with each value. Rows lie in the order in which they are read.
const TABLES: &str = "
    CREATE TABLE series (
        number INTEGER PRIMARY KEY, project TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (project, environment, name)
    ) STRICT;
    CREATE TABLE minute (
        series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ten_minutes (
        series INTEGER NOT NULL, at INTEGER NOT NULL, low REAL NOT NULL, mean REAL NOT NULL, high REAL NOT NULL,
        minutes INTEGER NOT NULL, PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE summed_up (until INTEGER NOT NULL) STRICT;
    INSERT INTO summed_up VALUES (0);
";

const MINUTE: i64 = 60_000;
/// How many minutes each row of the coarse table stands for.
const COARSE: i64 = 10;
/// How long single minutes are kept, in minutes.
const FINE_KEPT: i64 = 2 * 24 * 60;
/// How long the rest is kept, in minutes.
const KEPT: i64 = 90 * 24 * 60;
/// A database that somebody else writes to is waited for this long.
const BUSY: Duration = Duration::from_secs(5);

/// One value over some time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where the time begins, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The least value.
    pub low: f64,
    /// The mean.
    pub mean: f64,
    /// The greatest.
    pub high: f64,
}

/// The open database of metrics.
pub struct Metrics {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Metrics {
    /// Opens the database, or makes it. The file is readable by its owner only.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Sqlite { path: path.to_path_buf(), source };
        if !path.exists() {
            let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
            made.map_err(|e| failed(rusqlite::Error::ToSqlConversionFailure(Box::new(e))))?;
        }
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        crate::database::write_ahead(&connection).map_err(failed)?;
        // A crash of the machine may cost the last minutes, and never the file.
        connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
        connection.pragma_update(None, "cache_size", -512).map_err(failed)?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let version: usize = transaction.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(failed)?;
        match version {
            0 => {
                transaction.execute_batch(TABLES).map_err(failed)?;
                transaction.pragma_update(None, "user_version", 1).map_err(failed)?;
            }
            1 => {}
            found => return Err(StoreError::Newer { path: path.to_path_buf(), found }),
        }
        transaction.commit().map_err(failed)?;
        Ok(Self { path: path.to_path_buf(), connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    /// Writes the values of one minute, in the place of those that it has already; `None` as the environment is the machine.
    /// A value that is no number is left out.
    pub fn write(&self, at: i64, values: &[(Option<EnvironmentId>, String, f64)]) -> Result<(), StoreError> {
        let minute = at.div_euclid(MINUTE);
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO minute VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
                )?;
                for (environment, name, value) in values.iter().filter(|(_, _, value)| value.is_finite()) {
                    let number = number_of(&transaction, &key(environment.as_ref(), name))?;
                    insert.execute(params![number, minute, value])?;
                }
            }
            transaction.commit()
        };
        write(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// Sums whole spans of ten minutes up, and throws away what is kept no longer. To be called now and then.
    pub fn sum_up(&self, now: i64) -> Result<(), StoreError> {
        let minute = now.div_euclid(MINUTE);
        let until = minute.div_euclid(COARSE) * COARSE;
        let mut connection = self.connection();
        let sum = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let from: i64 = transaction.query_row("SELECT until FROM summed_up", [], |r| r.get(0))?;
            if from < until {
                transaction.execute(
                    "INSERT OR REPLACE INTO ten_minutes
                     SELECT series, at / ?3 * ?3, min(value), avg(value), max(value), count(*)
                     FROM minute WHERE at >= ?1 AND at < ?2 GROUP BY series, at / ?3",
                    [from, until, COARSE],
                )?;
            }
            if from != until {
                // Also where the clock was set back.
                transaction.execute("UPDATE summed_up SET until = ?1", [until])?;
            }
            transaction.execute("DELETE FROM minute WHERE at < ?1", [minute - FINE_KEPT])?;
            transaction.execute("DELETE FROM ten_minutes WHERE at < ?1", [minute - KEPT])?;
            transaction.execute(
                "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM minute WHERE series = number)
                 AND NOT EXISTS (SELECT 1 FROM ten_minutes WHERE series = number)",
                [],
            )?;
            transaction.commit()
        };
        sum(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// The names of the series of an environment, or of the machine, in alphabetical order.
    pub fn series(&self, environment: Option<&EnvironmentId>) -> Result<Vec<String>, StoreError> {
        let (project, environment, _) = key(environment, "");
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<_>> {
            connection
                .prepare("SELECT name FROM series WHERE project = ?1 AND environment = ?2 ORDER BY name")?
                .query_map([project, environment], |r| r.get(0))?
                .collect()
        };
        read().map_err(|e| self.sqlite(e))
    }

    /// A series from a moment until another, in at most so many points of the same length. Single minutes where they are kept.
    pub fn read(
        &self,
        environment: Option<&EnvironmentId>,
        name: &str,
        since: i64,
        until: i64,
        points: u32,
    ) -> Result<Vec<Point>, StoreError> {
        let (from, to) = (since.div_euclid(MINUTE), until.div_euclid(MINUTE));
        let connection = self.connection();
        let Some(number) = self.number(&connection, &key(environment, name))? else { return Ok(Vec::new()) };
        let span = (to - from).max(1);
        let wide = (span + i64::from(points.max(1)) - 1) / i64::from(points.max(1));
        let fine = self.is_fine(&connection, from)?;
        let (wide, sql) = if fine {
            (
                wide.max(1),
                "SELECT at / ?4 * ?4, min(value), avg(value), max(value) FROM minute
                 WHERE series = ?1 AND at >= ?2 AND at <= ?3 GROUP BY at / ?4 ORDER BY 1",
            )
        } else {
            (
                (wide + COARSE - 1) / COARSE * COARSE,
                "SELECT at / ?4 * ?4, min(low), sum(mean * minutes) / sum(minutes), max(high) FROM ten_minutes
                 WHERE series = ?1 AND at >= ?2 AND at <= ?3 GROUP BY at / ?4 ORDER BY 1",
            )
        };
        let read = || -> rusqlite::Result<Vec<_>> {
            connection
                .prepare_cached(sql)?
                .query_map([number, from, to, wide], |r| {
                    Ok(Point { at: r.get::<_, i64>(0)? * MINUTE, low: r.get(1)?, mean: r.get(2)?, high: r.get(3)? })
                })?
                .collect()
        };
        read().map_err(|e| self.sqlite(e))
    }

    /// The mean of a series over spans of so many milliseconds, each with how many minutes of it are known; for shares of days.
    pub fn shares(
        &self,
        environment: Option<&EnvironmentId>,
        name: &str,
        since: i64,
        span: i64,
    ) -> Result<Vec<(i64, f64, u32)>, StoreError> {
        let (from, wide) = (since.div_euclid(MINUTE), (span / MINUTE).max(1));
        let connection = self.connection();
        let Some(number) = self.number(&connection, &key(environment, name))? else { return Ok(Vec::new()) };
        let read = || -> rusqlite::Result<Vec<_>> {
            let summed: i64 = connection.query_row("SELECT until FROM summed_up", [], |r| r.get(0))?;
            connection
                .prepare_cached(
                    "SELECT at / ?4 * ?4, sum(total) / sum(minutes), sum(minutes) FROM (
                         SELECT at, mean * minutes AS total, minutes FROM ten_minutes WHERE series = ?1 AND at >= ?2
                         UNION ALL
                         SELECT at, value, 1 FROM minute WHERE series = ?1 AND at >= max(?2, ?3)
                     ) GROUP BY at / ?4 ORDER BY 1",
                )?
                .query_map([number, from, summed, wide], |r| Ok((r.get::<_, i64>(0)? * MINUTE, r.get(1)?, r.get(2)?)))?
                .collect()
        };
        read().map_err(|e| self.sqlite(e))
    }

    /// Whether single minutes reach back as far as that. Where nothing was summed up yet, they are all there is.
    fn is_fine(&self, connection: &Connection, from: i64) -> Result<bool, StoreError> {
        let oldest: Option<i64> =
            connection.query_row("SELECT min(at) FROM ten_minutes", [], |r| r.get(0)).map_err(|e| self.sqlite(e))?;
        let newest: Option<i64> = connection
            .query_row("SELECT until FROM summed_up", [], |r| r.get(0))
            .optional()
            .map_err(|e| self.sqlite(e))?;
        let kept_from = newest.unwrap_or_default() - FINE_KEPT;
        Ok(from >= kept_from || oldest.is_none_or(|oldest| oldest >= kept_from))
    }

    fn number(
        &self,
        connection: &Connection,
        (project, environment, name): &(String, String, String),
    ) -> Result<Option<i64>, StoreError> {
        connection
            .query_row(
                "SELECT number FROM series WHERE project = ?1 AND environment = ?2 AND name = ?3",
                [project, environment, name],
                |r| r.get(0),
            )
            .optional()
            .map_err(|e| self.sqlite(e))
    }
}

fn key(environment: Option<&EnvironmentId>, name: &str) -> (String, String, String) {
    let (project, environment) =
        environment.map(|id| (id.project.to_string(), id.environment.to_string())).unwrap_or_default();
    (project, environment, name.to_owned())
}

fn number_of(
    connection: &Connection,
    (project, environment, name): &(String, String, String),
) -> Result<i64, rusqlite::Error> {
    connection.execute(
        "INSERT OR IGNORE INTO series (project, environment, name) VALUES (?1, ?2, ?3)",
        [project, environment, name],
    )?;
    connection.query_row(
        "SELECT number FROM series WHERE project = ?1 AND environment = ?2 AND name = ?3",
        [project, environment, name],
        |r| r.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prod() -> EnvironmentId {
        EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() }
    }

    struct Kept {
        metrics: Metrics,
        _folder: tempfile::TempDir,
    }

    impl Kept {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { metrics: Metrics::open(&folder.path().join("metrics.db")).unwrap(), _folder: folder }
        }

        fn write(&self, minute: i64, value: f64) {
            self.metrics.write(minute * MINUTE, &[(Some(prod()), "cpu/backend".into(), value)]).unwrap();
        }

        fn read(&self, since: i64, until: i64, points: u32) -> Vec<Point> {
            self.metrics.read(Some(&prod()), "cpu/backend", since * MINUTE, until * MINUTE, points).unwrap()
        }
    }

    #[test]
    fn minutes_come_back_as_they_were_written_and_grouped_where_there_are_more_than_points() {
        let kept = Kept::new();
        (0..10).for_each(|minute| kept.write(minute, minute as f64));
        assert_eq!(kept.read(0, 9, 100).len(), 10);
        let halves = kept.read(0, 9, 2);
        assert_eq!(halves[0], Point { at: 0, low: 0.0, mean: 2.0, high: 4.0 });
        assert_eq!(halves[1], Point { at: 5 * MINUTE, low: 5.0, mean: 7.0, high: 9.0 });
    }

    #[test]
    fn what_is_summed_up_keeps_its_extremes_and_is_thrown_away_after_ninety_days() {
        let kept = Kept::new();
        for minute in 0..20 {
            kept.write(minute, if minute == 3 { 100.0 } else { 1.0 });
        }
        kept.metrics.sum_up(15 * MINUTE).unwrap();
        kept.metrics.sum_up((FINE_KEPT + 25) * MINUTE).unwrap();
        let coarse = kept.read(0, FINE_KEPT + 25, 10_000);
        assert_eq!(coarse.len(), 2);
        assert_eq!((coarse[0].low, coarse[0].high), (1.0, 100.0));
        assert!((coarse[0].mean - 10.9).abs() < 1e-9, "{:?}", coarse[0]);
        kept.metrics.sum_up((KEPT + 30) * MINUTE).unwrap();
        assert!(kept.read(0, KEPT + 30, 10_000).is_empty());
        assert!(kept.metrics.series(Some(&prod())).unwrap().is_empty());
        kept.write(KEPT + 31, 1.0);
        assert_eq!(kept.metrics.series(Some(&prod())).unwrap(), ["cpu/backend"]);
    }

    #[test]
    fn shares_count_what_is_summed_up_and_what_is_not_once() {
        let kept = Kept::new();
        for minute in 0..15 {
            kept.write(minute, f64::from(minute >= 3));
        }
        kept.metrics.sum_up(15 * MINUTE).unwrap();
        let days = kept.metrics.shares(Some(&prod()), "cpu/backend", 0, 24 * 60 * MINUTE).unwrap();
        assert_eq!(days, [(0, 0.8, 15)]);
    }

    #[test]
    fn the_same_minute_written_twice_is_one_minute_and_what_is_no_number_is_none() {
        let kept = Kept::new();
        kept.write(1, 1.0);
        kept.write(1, 2.0);
        kept.write(2, f64::NAN);
        let read: Vec<f64> = kept.read(0, 9, 100).iter().map(|p| p.mean).collect();
        assert_eq!(read, [2.0]);
    }

    #[test]
    fn a_clock_that_was_set_back_loses_nothing_that_comes_after() {
        let kept = Kept::new();
        kept.write(1000, 1.0);
        kept.metrics.sum_up(1020 * MINUTE).unwrap();
        (100..110).for_each(|minute| kept.write(minute, 5.0));
        kept.metrics.sum_up(105 * MINUTE).unwrap();
        kept.metrics.sum_up(112 * MINUTE).unwrap();
        let shares = kept.metrics.shares(Some(&prod()), "cpu/backend", 0, 110 * MINUTE).unwrap();
        assert_eq!(shares[0], (0, 5.0, 10));
    }
}
