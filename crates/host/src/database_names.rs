//! How the databases of an environment are called that lie beside the one that its apps use.
//!
//! A cluster belongs to one environment, so names have to differ only among what is made of its one database. PostgreSQL
//! cuts names at 63 bytes without a word (manual 4.1.1, NAMEDATALEN): the database's own name is shortened instead.

/// The most bytes that PostgreSQL keeps of a name.
const LONGEST: usize = 63;

/// The most bytes that a snapshot's name may have.
pub const LONGEST_SNAPSHOT: usize = 32;

/// Where data is put together that is to take the database's place.
#[must_use]
pub fn copy(database: &str) -> String {
    beside(database, "-copy")
}

/// Where an archive or a restore point is loaded.
#[must_use]
pub fn restoring(database: &str) -> String {
    beside(database, "-restoring")
}

/// Where migrations are rehearsed.
#[must_use]
pub fn rehearsal(database: &str) -> String {
    beside(database, "-rehearsal")
}

/// Where a database waits that was replaced.
#[must_use]
pub fn before(database: &str, what: &str) -> String {
    beside(database, &format!("-before-{what}"))
}

/// Where a snapshot lies.
#[must_use]
pub fn snapshot(database: &str, name: &str) -> String {
    format!("{}{name}", snapshots(database))
}

/// What the names of all snapshots begin with.
#[must_use]
pub fn snapshots(database: &str) -> String {
    const MARK: &str = "-snapshot-";
    format!("{}{MARK}", truncated(database, LONGEST - MARK.len() - LONGEST_SNAPSHOT))
}

fn beside(database: &str, suffix: &str) -> String {
    format!("{}{suffix}", truncated(database, LONGEST.saturating_sub(suffix.len())))
}

/// As many whole characters as fit.
fn truncated(name: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(name.len())).rfind(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_longer_than_postgres_keeps_and_all_differ() {
        for database in ["kaia-dev", "ß".repeat(40).as_str(), "x".repeat(63).as_str()] {
            let longest = "s".repeat(LONGEST_SNAPSHOT);
            let all = [
                copy(database),
                restoring(database),
                rehearsal(database),
                before(database, "migrate-1700000000000"),
                before(database, "reset"),
                snapshot(database, &longest),
                snapshot(database, "reset"),
            ];
            assert!(all.iter().all(|name| name.len() <= LONGEST && name != database), "{all:?}");
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len());
            assert!(snapshot(database, "a").starts_with(&snapshots(database)));
        }
    }
}
