//! What would hurt production: rules over what was observed and over what a statement says. Pure.
//!
//! Source of the rules: PostgreSQL manual, ALTER TABLE (notes) and CREATE INDEX (building indexes concurrently), and
//! section 13.3 on explicit locking.

use super::{
    report::{Danger, Observed, Size, Sizes},
    sql::{Action, actions},
};

/// From how many rows on work on a whole table is felt.
const MANY_ROWS: u64 = 100_000;
/// The same in bytes, for few rows that are long.
const MANY_BYTES: u64 = 128 << 20;
/// How long nobody may be kept from reading a table, in milliseconds: what a person takes for a hiccup.
const SHORT: u64 = 500;

/// What is known beside what was observed.
pub(crate) struct Known<'a> {
    /// How large production's tables are; those that a migration makes are not among them.
    pub(crate) production: &'a Sizes,
    /// How large the tables of the scratch database were.
    pub(crate) scratch: &'a Sizes,
    /// Whether the version that serves names something.
    pub(crate) named: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

impl Known<'_> {
    fn size(&self, table: &str) -> Option<Size> {
        self.production.get(table).or_else(|| self.scratch.get(table)).copied()
    }

    fn large(&self, table: &str) -> Option<Size> {
        self.size(table).filter(|size| size.rows >= MANY_ROWS || size.bytes >= MANY_BYTES)
    }

    /// A time on the scratch database as it would be in production, whose tables may be larger.
    fn in_production(&self, table: &str, millis: u64) -> u64 {
        match (self.production.get(table), self.scratch.get(table)) {
            (Some(there), Some(here)) if there.rows > here.rows && here.rows > 0 => {
                let scaled = u128::from(millis) * u128::from(there.rows) / u128::from(here.rows);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
            _ => millis,
        }
    }
}

/// What hurts among what was observed.
pub(crate) fn dangers(statements: &[Observed], known: &Known<'_>) -> Vec<Danger> {
    statements.iter().flat_map(|observed| of_statement(observed, known)).collect()
}

fn of_statement(observed: &Observed, known: &Known<'_>) -> Vec<Danger> {
    let danger = |(_, what, safe_way): (Option<String>, String, String)| Danger {
        migration: observed.migration.clone(),
        statement: observed.statement.clone(),
        what,
        safe_way,
    };
    let actions = actions(&observed.statement);
    // By the table that each speaks of.
    let mut found: Vec<(Option<String>, String, String)> = Vec::new();
    for table in &observed.rewritten {
        let Some(size) = known.size(table).filter(|size| size.rows > 0) else { continue };
        if known.large(table).is_none() && known.in_production(table, observed.millis) < SHORT {
            continue;
        }
        found.push((
            Some(table.clone()),
            format!("writes {table} ({}) anew; nobody can read or write it meanwhile", told(size)),
            rewriting_safely(&actions, table),
        ));
    }
    for action in &actions {
        let told = of_action(action, observed, known);
        found.extend(told.map(|(what, safe_way)| (action.table().map(str::to_owned), what, safe_way)));
    }
    for lock in observed.locks.iter().filter(|lock| lock.mode == "AccessExclusiveLock") {
        let millis = known.in_production(&lock.table, lock.millis);
        let told_already = found.iter().any(|(table, ..)| table.as_ref() == Some(&lock.table));
        let rows = known.size(&lock.table).map_or(0, |size| size.rows);
        if millis >= SHORT && rows > 0 && !told_already {
            found.push((
                Some(lock.table.clone()),
                format!("keeps everybody from reading {} for about {}", lock.table, seconds(millis)),
                format!(
                    "do what takes long in a migration of its own, before or after the one that alters {}, \
                     and set lock_timeout in it",
                    lock.table
                ),
            ));
        }
    }
    found.into_iter().map(danger).collect()
}

fn rewriting_safely(actions: &[Action], table: &str) -> String {
    match actions.iter().find(|action| matches!(action, Action::AlterType { .. })) {
        Some(Action::AlterType { column, .. }) => format!(
            "add a new column to {table}, fill it from {column} in batches, read it in the next version, drop {column} \
             in the one after"
        ),
        _ => format!(
            "add the column to {table} without a default that is computed for each row, fill it in batches, set the \
             default for new rows alone"
        ),
    }
}

fn of_action(action: &Action, observed: &Observed, known: &Known<'_>) -> Option<(String, String)> {
    let scan = |table: &str, what: &str, safe: String| {
        let size = known.large(table)?;
        Some((format!("{what} {table} ({})", told(size)), safe))
    };
    match action {
        Action::CreateIndex { table, concurrently: false } => scan(
            table,
            "builds an index while nobody can write to",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS, outside a transaction and before the deployment; here the same \
             with IF NOT EXISTS, which then finds it"
                .to_owned(),
        ),
        Action::AddUnique { table } => scan(
            table,
            "builds an index while nobody can read or write",
            "CREATE UNIQUE INDEX CONCURRENTLY before the deployment, then ADD CONSTRAINT … UNIQUE USING INDEX"
                .to_owned(),
        ),
        Action::AddForeignKey { table, validated: true } => scan(
            table,
            "checks every row while nobody can write to",
            "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a migration of its own".to_owned(),
        ),
        Action::AddCheck { table, validated: true } => scan(
            table,
            "checks every row while nobody can read or write",
            "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a migration of its own".to_owned(),
        ),
        Action::SetNotNull { table, column } => scan(
            table,
            "checks every row while nobody can read or write",
            format!(
                "ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT in a migration of its own, \
                 then SET NOT NULL, which believes the constraint"
            ),
        ),
        Action::AlterType { table, column } if !observed.rewritten.contains(table) => {
            // PostgreSQL found that no row has to change; indexes on the column may still be made anew.
            let took = known.in_production(table, observed.millis);
            (took >= SHORT).then(|| {
                (
                    format!("changes the type of {table}.{column}, which takes about {}", seconds(took)),
                    format!("add a new column, fill it from {column} in batches, drop {column} two versions later"),
                )
            })
        }
        Action::WritesAnew { command } => Some((
            format!("{command} keeps everybody from its tables while they are written anew"),
            "REINDEX … CONCURRENTLY, or pg_repack, outside a deployment".to_owned(),
        )),
        Action::DropColumn { table, column } => gone(known, table, column, "drops"),
        Action::RenameColumn { table, column } => gone(known, table, column, "renames"),
        Action::DropTable { table } | Action::RenameTable { table } if known.size(table).is_some() => {
            let verb = if matches!(action, Action::DropTable { .. }) { "drops" } else { "renames" };
            (known.named)(table).then(|| {
                (
                    format!("{verb} the table {table}, which the version that serves names"),
                    format!("deploy a version that no longer names {table} first, and this in the one after"),
                )
            })
        }
        _ => None,
    }
}

fn gone(known: &Known<'_>, table: &str, column: &str, verb: &str) -> Option<(String, String)> {
    known.size(table)?;
    (known.named)(column).then(|| {
        (
            format!("{verb} {table}.{column}, which the version that serves names"),
            format!("deploy a version that no longer names {column} first, and this in the one after"),
        )
    })
}

fn told(size: Size) -> String {
    format!("{} rows, {} MB", size.rows, size.bytes.div_ceil(1 << 20))
}

fn seconds(millis: u64) -> String {
    if millis < 10_000 {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    } else {
        format!("{} s", millis / 1000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rehearsal::report::Lock;

    fn observed(statement: &str, millis: u64) -> Observed {
        Observed {
            migration: "2 x".to_owned(),
            statement: statement.to_owned(),
            millis,
            locks: Vec::new(),
            rewritten: Vec::new(),
            rows: 0,
        }
    }

    fn sizes(rows: u64) -> Sizes {
        Sizes::from([("users".to_owned(), Size { rows, bytes: rows * 100 })])
    }

    fn found(observed: Observed, production: u64, scratch: u64) -> Vec<Danger> {
        let (production, scratch) = (sizes(production), sizes(scratch));
        let named = |name: &str| name == "email" || name == "users";
        dangers(&[observed], &Known { production: &production, scratch: &scratch, named: &named })
    }

    #[test]
    fn large_is_what_is_large_in_production() {
        let index = || observed("CREATE INDEX ON users (email)", 3);
        assert!(found(index(), 1_000, 1_000).is_empty());
        assert_eq!(found(index(), 5_000_000, 1_000).len(), 1);
        assert!(found(observed("CREATE INDEX ON made_just_now (email)", 3), 5_000_000, 1).is_empty());
    }

    #[test]
    fn a_lock_counts_for_as_long_as_it_would_be_held_there() {
        let lock = |millis| Observed {
            locks: vec![Lock { table: "users".to_owned(), mode: "AccessExclusiveLock".to_owned(), millis }],
            ..observed("ALTER TABLE users ADD COLUMN n int", 1)
        };
        assert!(found(lock(20), 1_000, 1_000).is_empty());
        assert_eq!(found(lock(20), 100_000, 1_000).len(), 1, "a hundred times as many rows");
        assert_eq!(found(lock(800), 1_000, 1_000).len(), 1);
    }

    #[test]
    fn a_column_may_go_once_nobody_names_it() {
        assert_eq!(found(observed("ALTER TABLE users DROP COLUMN email", 1), 10, 10).len(), 1);
        assert!(found(observed("ALTER TABLE users DROP COLUMN nickname", 1), 10, 10).is_empty());
        assert_eq!(found(observed("DROP TABLE users", 1), 10, 10).len(), 1);
    }

    proptest! {
        /// What is dangerous with few rows is dangerous with more.
        #[test]
        fn more_rows_are_never_less_dangerous(
            rows in 0_u64..10_000_000, more in 0_u64..10_000_000, millis in 0_u64..100_000, which in 0_usize..7,
        ) {
            let statement = [
                "CREATE INDEX ON users (email)", "ALTER TABLE users ALTER email SET NOT NULL", "ALTER TABLE users DROP email",
                "ALTER TABLE users ADD UNIQUE (email)", "ALTER TABLE users ADD COLUMN x int", "ALTER TABLE users ALTER a TYPE text",
                "ALTER TABLE users ADD CHECK (a > 0)",
            ][which];
            let of = |production| found(observed(statement, millis), production, 1_000).len();
            prop_assert!(of(rows.saturating_add(more)) >= of(rows));
        }
    }
}
