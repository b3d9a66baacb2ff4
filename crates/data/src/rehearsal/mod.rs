//! A rehearsal: pending migrations run on a scratch database that holds masked data of production, observed, and judged.
//!
//! Files of SQL run here, one statement after the other in the transaction in which the deployment would run them, as the
//! application's role; after each, the session itself is asked which locks it holds and which tables it wrote anew. What
//! the app's own command does is noted down by event triggers in the scratch database (PostgreSQL manual, chapter 40),
//! and by a second session that looks at locks and running statements all the while.
//!
//! The scratch database is given and thrown away by whoever asks; nothing here knows of any other.

mod command;
mod files;
mod report;
mod scratch;
mod sql;
mod verdict;

use std::future::Future;

use ambit_domain::Failure;

pub use report::{Danger, Failed, Lock, Observed, Report, Size, Sizes};
pub use scratch::Scratch;

use scratch::Tables;
use verdict::Known;

/// What there is to know besides the scratch database.
pub struct Surroundings<'a> {
    /// How large production's tables are; what is large is judged by it.
    pub production: &'a Sizes,
    /// Whether the version that serves names a table or a column.
    pub named: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

/// A migration that is still to run: its name and its SQL.
pub type Pending = (String, String);

/// Rehearses files of SQL, each in a transaction of its own.
///
/// # Errors
///
/// Fails where the scratch database does not answer; a migration that fails is a result and no error.
pub async fn files(scratch: &Scratch, pending: &[Pending], surroundings: &Surroundings<'_>) -> Result<Report, Failure> {
    let before = Tables::analyzed(scratch).await?;
    let (statements, failed) = files::run(scratch, pending, &before).await?;
    Ok(judged(statements, failed, &before, surroundings))
}

/// Rehearses a command of the app's, which `run` runs with the scratch database as its own. Its failure is a result.
///
/// # Errors
///
/// Fails where the scratch database does not answer.
pub async fn command(
    scratch: &Scratch,
    name: &str,
    run: impl Future<Output = Result<(), Failure>>,
    surroundings: &Surroundings<'_>,
) -> Result<Report, Failure> {
    let before = Tables::analyzed(scratch).await?;
    let (statements, failed) = command::run(scratch, name, run, &before).await?;
    Ok(judged(statements, failed, &before, surroundings))
}

/// How large the tables of a database are, as its server estimates. Nothing is written there.
///
/// # Errors
///
/// Fails where it does not answer.
pub async fn sizes(database: &Scratch) -> Result<Sizes, Failure> {
    Ok(Tables::of(&database.as_admin().await?).await?.sizes())
}

fn judged(
    statements: Vec<Observed>,
    failed: Option<Failed>,
    before: &Tables,
    surroundings: &Surroundings<'_>,
) -> Report {
    let known = Known { production: surroundings.production, scratch: &before.sizes(), named: surroundings.named };
    let dangers = verdict::dangers(&statements, &known);
    Report { statements: statements.into_iter().map(shortened).collect(), failed, dangers }
}

/// The most characters of a statement that are kept.
const SHOWN: usize = 600;

fn short(statement: &str) -> String {
    match statement.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", statement.get(..end).unwrap_or_default()),
        None => statement.to_owned(),
    }
}

fn shortened(observed: Observed) -> Observed {
    Observed { statement: short(&observed.statement), ..observed }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
