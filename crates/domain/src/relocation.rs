//! An environment that changes the place where it lives: what is carried, how far that is, and whether all of it arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{Actor, Commit, Placement, hosted::Stopped, spec::ServiceName};

/// How a server is reached, and by what. It has no text of its own, so that it gets into none.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The database; empty for a Redis.
    pub database: String,
    /// Whether nothing is said to it without TLS.
    pub tls: bool,
}

/// What a database holds, as far as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// `server_version_num`.
    pub version: u32,
    /// In bytes.
    pub size: u64,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Where each sequence stands.
    pub sequences: BTreeMap<String, String>,
    /// Extensions that it uses.
    pub extensions: BTreeSet<String>,
}

/// What a Redis holds, as far as it is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Major and minor version.
    pub version: (u32, u32),
    /// In bytes.
    pub size: u64,
    /// Keys that stay, and keys that have an end, by the number of their database.
    pub databases: BTreeMap<u32, (u64, u64)>,
}

/// Everything that an environment holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// Its PostgreSQL, where it has one.
    pub postgres: Option<Contents>,
    /// Its Redis, where it has one.
    pub redis: Option<Keys>,
}

/// How far a move is. Each is written down before anything of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The target is made ready; the source serves.
    Preparing,
    /// Nothing is written at the source any more.
    Stopping,
    /// Data is carried and compared.
    Carrying,
    /// The target starts.
    Starting,
    /// The target serves, and names lead there: there is no way back from here.
    Switching,
    /// It failed before; the source starts again.
    Undoing,
}

/// A move that is under way, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    /// Where the environment is going.
    pub to: Placement,
    /// The folder that holds `ambit.toml`.
    pub folder: std::path::PathBuf,
    /// Who asked.
    pub actor: Actor,
    /// Where simulated services are asked.
    pub simulator: Option<String>,
    /// When it began, in milliseconds since the Unix epoch.
    pub started: i64,
    /// What runs, there and here.
    pub commit: Commit,
    /// How far it is.
    pub phase: Phase,
    /// Whether anything of the source's data was written to the target.
    pub touched: bool,
    /// Servers at Railway that were not there before.
    pub fresh: BTreeSet<String>,
    /// Whether what the target holds is left of an earlier move, and kept under another name.
    pub left: bool,
    /// Servers at Railway that are reached from outside for the time of the move.
    pub opened: BTreeSet<String>,
    /// What ran at Railway, where it is the source.
    pub stopped: Option<Stopped>,
    /// Deployments of the apps at Railway, where it is the target.
    pub built: BTreeMap<ServiceName, String>,
    /// What was carried.
    pub carried: Holdings,
}

impl Contents {
    /// The major version of its server.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }

    /// What of it is not the same in a copy, for people.
    #[must_use]
    pub fn differences(&self, copy: &Self) -> Vec<String> {
        let tables = differences(&self.tables, &copy.tables, "rows in ");
        tables.into_iter().chain(differences(&self.sequences, &copy.sequences, "the sequence ")).collect()
    }
}

fn differences<T: PartialEq + fmt::Display>(
    all: &BTreeMap<String, T>,
    copy: &BTreeMap<String, T>,
    what: &str,
) -> Vec<String> {
    let names: BTreeSet<&String> = all.keys().chain(copy.keys()).collect();
    let shown = |value: Option<&T>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let of = |name: &&String| (all.get(*name), copy.get(*name));
    let differ = names.into_iter().filter(|name| of(name).0 != of(name).1);
    differ.map(|name| format!("{what}{name}: {} here, {} there", shown(all.get(name)), shown(copy.get(name)))).collect()
}

impl Keys {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.databases.values().map(|(stay, end)| stay + end).sum()
    }

    /// What of it is not the same in a copy, for people. Keys that have an end may have come to it meanwhile.
    #[must_use]
    pub fn differences(&self, copy: &Self) -> Vec<String> {
        let names: BTreeSet<u32> = self.databases.keys().chain(copy.databases.keys()).copied().collect();
        let of = |keys: &Self, name| keys.databases.get(&name).copied().unwrap_or_default();
        let differ = |name: &u32| {
            let ((stay, end), (stay_there, end_there)) = (of(self, *name), of(copy, *name));
            stay != stay_there || end_there > end
        };
        let told = |name| {
            let ((stay, end), (stay_there, end_there)) = (of(self, name), of(copy, name));
            format!(
                "keys of database {name}: {stay} and {end} that expire here, {stay_there} and {end_there} that expire there"
            )
        };
        names.into_iter().filter(differ).map(told).collect()
    }
}

/// Why what one holds cannot be carried into the other; empty where it can. `installable` are the extensions that the target's
/// database can have.
#[must_use]
pub fn obstacles(source: &Holdings, target: &Holdings, installable: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(from), Some(to)) = (&source.postgres, &target.postgres) {
        if to.major() < from.major() {
            found.push(format!(
                "PostgreSQL is {} there and {} here: data goes to the same major version or a later one",
                to.major(),
                from.major()
            ));
        }
        let missing: Vec<&str> = from.extensions.difference(installable).map(String::as_str).collect();
        if !missing.is_empty() {
            found.push(format!("the database uses extensions that one there cannot have: {}", missing.join(", ")));
        }
    }
    if let (Some(from), Some(to)) = (&source.redis, &target.redis)
        && to.version < from.version
    {
        let shown = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        found.push(format!(
            "Redis is {} there and {} here: an earlier one cannot read what a later one wrote",
            shown(to.version),
            shown(from.version)
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(rows: u64, at: &str) -> Contents {
        Contents {
            version: 150_004,
            tables: BTreeMap::from([("public.a".to_owned(), rows)]),
            sequences: BTreeMap::from([("public.a_id_seq".to_owned(), at.to_owned())]),
            ..Contents::default()
        }
    }

    #[test]
    fn a_row_or_a_sequence_that_did_not_arrive_is_told() {
        assert!(contents(3, "3").differences(&contents(3, "3")).is_empty());
        assert_eq!(contents(3, "3").differences(&contents(2, "3")), ["rows in public.a: 3 here, 2 there"]);
        assert_eq!(contents(3, "3").differences(&contents(3, "1")), ["the sequence public.a_id_seq: 3 here, 1 there"]);
        assert_eq!(contents(3, "3").differences(&Contents::default()).len(), 2);
    }

    #[test]
    fn keys_may_expire_on_the_way_and_none_may_be_lost_or_more() {
        let keys = |stay, end| Keys { databases: BTreeMap::from([(0, (stay, end))]), ..Keys::default() };
        assert!(keys(5, 3).differences(&keys(5, 2)).is_empty());
        assert_eq!(keys(5, 3).differences(&keys(4, 3)).len(), 1);
        assert_eq!(keys(5, 3).differences(&keys(5, 4)).len(), 1);
        assert_eq!(keys(5, 0).differences(&Keys::default()).len(), 1);
    }

    #[test]
    fn nothing_goes_to_an_earlier_version_or_without_its_extensions() {
        let with = |version, extensions: &[&str]| Holdings {
            postgres: Some(Contents {
                version,
                extensions: extensions.iter().map(|e| (*e).to_owned()).collect(),
                ..Contents::default()
            }),
            redis: Some(Keys { version: (7, 2), ..Keys::default() }),
        };
        let there = BTreeSet::from(["citext".to_owned()]);
        assert!(obstacles(&with(150_004, &["citext"]), &with(170_001, &[]), &there).is_empty());
        assert_eq!(obstacles(&with(170_001, &[]), &with(150_004, &[]), &there).len(), 1);
        assert_eq!(obstacles(&with(150_004, &["postgis"]), &with(150_004, &[]), &there).len(), 1);
        let old = Holdings { redis: Some(Keys { version: (7, 0), ..Keys::default() }), ..Holdings::default() };
        assert_eq!(obstacles(&with(150_004, &[]), &old, &there).len(), 1);
    }
}
