//! The audit log: who did what, when, from where. Each entry holds the hash of the one before, so that a changed,
//! removed, moved or inserted entry breaks the chain.
//!
//! # The hash
//!
//! SHA-256 over nine texts in this order, each preceded by its length in bytes as a 64-bit big-endian number, so that no
//! two entries have the same encoding: `ambit audit 1`, the hash of the entry before (64 hex digits; zeros for the first),
//! sequence, time (both decimal), who, from, project, environment (empty where there is none), what. A tenth is
//! `about` as JSON without white space, keys in the order of their bytes.
//!
//! # What it proves
//!
//! A chain that holds together was written in this order and not changed since, up to its newest entry. Whoever may
//! write to it can cut its end or write it anew from any entry on; that shows only against a hash that was kept
//! elsewhere ([`check_kept`]).

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    actor::Actor,
    spec::{EnvironmentName, ProjectName},
};

const VERSION: &str = "ambit audit 1";

/// The hash of an entry, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryHash([u8; 32]);

impl EntryHash {
    /// What the first entry holds in the place of the hash before it.
    pub const NONE: Self = Self([0; 32]);
}

/// A text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 64 lower-case hex digits are expected")]
pub struct InvalidHash;

impl FromStr for EntryHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(InvalidHash),
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(InvalidHash) };
        let bytes: Vec<u8> = pairs.iter().map(|[a, b]| Ok(digit(*a)? << 4 | digit(*b)?)).collect::<Result<_, _>>()?;
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

impl TryFrom<String> for EntryHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<EntryHash> for String {
    fn from(hash: EntryHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryHash({self})")
    }
}

/// A value in what an entry is about. No fractions and no nesting: there is one way to write each as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text; never a secret.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Fact {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        // Counters: the largest stands for everything above it.
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for Fact {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

/// What happened, before it has its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Who did it, and from where.
    pub actor: Actor,
    /// The project; `None` is the machine, with all of them.
    pub project: Option<ProjectName>,
    /// The environment, where it was about one.
    pub environment: Option<EnvironmentName>,
    /// A verb such as `deployment.approved`.
    pub what: String,
    /// The particulars. Never a secret.
    pub about: BTreeMap<String, Fact>,
}

impl Note {
    /// Something done to a project.
    #[must_use]
    pub fn new(actor: &Actor, project: &ProjectName, what: &str) -> Self {
        Self { project: Some(project.clone()), ..Self::of_machine(actor, what) }
    }

    /// Something done to the machine.
    #[must_use]
    pub fn of_machine(actor: &Actor, what: &str) -> Self {
        Self { actor: actor.clone(), project: None, environment: None, what: what.to_owned(), about: BTreeMap::new() }
    }

    /// To one of its environments.
    #[must_use]
    pub fn environment(mut self, name: &EnvironmentName) -> Self {
        self.environment = Some(name.clone());
        self
    }

    /// Adds a particular.
    #[must_use]
    pub fn about(mut self, name: &str, fact: impl Into<Fact>) -> Self {
        self.about.insert(name.to_owned(), fact.into());
        self
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1, without a gap.
    pub sequence: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Who did it.
    pub who: String,
    /// From where: `cli uid 0`, `git`, `github`, `daemon`.
    pub from: String,
    /// The project; empty is the machine.
    pub project: String,
    /// The environment, where it was about one.
    pub environment: Option<String>,
    /// A verb such as `deployment.approved`.
    pub what: String,
    /// The particulars.
    pub about: BTreeMap<String, Fact>,
    /// The hash of the entry before.
    pub previous: EntryHash,
    /// Its own hash, over everything above.
    pub hash: EntryHash,
}

/// A place in the log: a number and the hash of the entry that has it. Kept outside of the log, it proves that the log
/// still holds everything up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number; 0 is the empty log.
    pub sequence: u64,
    /// The hash.
    pub hash: EntryHash,
}

impl Head {
    /// The head of the empty log.
    pub const EMPTY: Self = Self { sequence: 0, hash: EntryHash::NONE };
}

/// Where and how the log is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("entry {sequence}: {why}")]
pub struct Broken {
    /// The number of the first entry that is wrong.
    pub sequence: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Broken {
    /// A log that is broken at an entry.
    pub fn new(sequence: u64, why: impl Into<String>) -> Self {
        Self { sequence, why: why.into() }
    }
}

impl Entry {
    /// The entry that follows `head`.
    #[must_use]
    pub fn after(head: Head, at: i64, note: Note) -> Self {
        let Note { actor, project, environment, what, about } = note;
        let mut entry = Self {
            sequence: head.sequence + 1,
            at,
            who: actor.who,
            from: actor.from,
            project: project.map(String::from).unwrap_or_default(),
            environment: environment.map(String::from),
            what,
            about,
            previous: head.hash,
            hash: EntryHash::NONE,
        };
        entry.hash = entry.computed();
        entry
    }

    /// Its place in the log.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }

    /// `about` in the one way in which it is hashed and kept.
    #[must_use]
    pub fn about_json(&self) -> String {
        serde_json::to_string(&self.about).expect("texts, whole numbers and flags under texts can be written as JSON")
    }

    /// The hash that its contents have.
    fn computed(&self) -> EntryHash {
        let (previous, sequence, at) = (self.previous.to_string(), self.sequence.to_string(), self.at.to_string());
        let about = self.about_json();
        let environment = self.environment.as_deref().unwrap_or_default();
        let texts =
            [VERSION, &previous, &sequence, &at, &self.who, &self.from, &self.project, environment, &self.what, &about];
        let mut hash = Sha256::new();
        for text in texts {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        EntryHash(hash.finalize().into())
    }
}

/// Checks a whole log, from its first entry on, and tells its head.
pub fn verify(entries: &[Entry]) -> Result<Head, Broken> {
    let mut head = Head::EMPTY;
    for entry in entries {
        let expected = head.sequence + 1;
        if entry.sequence != expected {
            return Err(Broken::new(expected, format!("entry {} stands in its place", entry.sequence)));
        }
        if entry.hash != entry.computed() {
            return Err(Broken::new(expected, "its contents do not have its hash: it was changed"));
        }
        if entry.previous != head.hash {
            return Err(Broken::new(expected, "it does not follow the entry before it: that one was replaced"));
        }
        head = entry.head();
    }
    Ok(head)
}

/// Checks a log against places that were kept elsewhere: each has to be in it with the same hash.
pub fn check_kept(entries: &[Entry], kept: &[Head]) -> Result<(), Broken> {
    for head in kept {
        let place = head.sequence.checked_sub(1).and_then(|n| usize::try_from(n).ok());
        match place.and_then(|n| entries.get(n)) {
            Some(entry) if entry.head() == *head => {}
            Some(_) => return Err(Broken::new(head.sequence, "another entry was written in this place")),
            None => return Err(Broken::new(entries.len() as u64 + 1, "the end of the log was cut off")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note() -> impl Strategy<Value = (i64, Note)> {
        let fact = prop_oneof![
            any::<bool>().prop_map(Fact::Flag),
            any::<i64>().prop_map(Fact::Number),
            any::<String>().prop_map(Fact::Text),
            prop::collection::vec(any::<String>(), 0..3).prop_map(Fact::Texts),
        ];
        let about = prop::collection::btree_map(any::<String>(), fact, 0..4);
        let environment = prop::option::of("[a-z]{1,8}").prop_map(|e| e.map(|e| e.parse().unwrap()));
        (any::<i64>(), ".{0,12}", "[a-z ]{0,8}", "[a-z]{1,8}", environment, "[a-z.]{0,12}", about).prop_map(
            |(at, who, from, project, environment, what, about)| {
                let actor = Actor { who, from };
                (at, Note { actor, project: project.parse().ok(), environment, what, about })
            },
        )
    }

    fn chain(notes: Vec<(i64, Note)>) -> Vec<Entry> {
        let mut head = Head::EMPTY;
        let follow = |(at, note)| {
            let entry = Entry::after(head, at, note);
            head = entry.head();
            entry
        };
        notes.into_iter().map(follow).collect()
    }

    fn log() -> impl Strategy<Value = Vec<Entry>> {
        prop::collection::vec(note(), 2..8).prop_map(chain)
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        // Computed from the description above by another program.
        let note = Note::new(&Actor::cli("ana@example.org", 1000), &"kaia".parse().unwrap(), "deployment.approved")
            .environment(&"prod".parse().unwrap())
            .about("deployment", 7_i64)
            .about("reason", "añadido \"ya\"\n")
            .about("gates", vec!["tests".to_owned(), "backup".to_owned()])
            .about("waived", false);
        let entry = Entry::after(Head::EMPTY, 1_700_000_000_123, note);
        assert_eq!(entry.hash.to_string(), "7f03f6d6e74ae0052936fb57fb9747e0e6fcb4231171482cb29508508a1ebf67");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_log_as_it_was_written_holds_together(entries in log()) {
            let head = entries.last().unwrap().head();
            prop_assert_eq!(verify(&entries), Ok(head));
            let kept: Vec<Head> = entries.iter().map(Entry::head).collect();
            prop_assert_eq!(check_kept(&entries, &kept), Ok(()));
        }

        #[test]
        fn it_survives_being_written_as_json(entries in log()) {
            let text = serde_json::to_string(&entries).unwrap();
            let back: Vec<Entry> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &entries);
            prop_assert!(verify(&back).is_ok());
        }

        #[test]
        fn a_changed_entry_is_found(mut entries in log(), at in any::<prop::sample::Index>(), field in 0..9, text in any::<String>()) {
            let at = at.index(entries.len());
            let before = entries[at].clone();
            let entry = &mut entries[at];
            match field {
                0 => entry.at = entry.at.wrapping_add(1),
                1 => entry.who = text,
                2 => entry.from = text,
                3 => entry.project = text,
                // No environment and an empty name are the same to the hash; no environment has an empty name.
                4 => entry.environment = Some(text).filter(|t| !t.is_empty()),
                5 => entry.what = text,
                6 => drop(entry.about.insert(text, Fact::Flag(true))),
                7 => drop(entry.about.pop_first()),
                _ => std::mem::swap(&mut entry.who, &mut entry.from),
            }
            prop_assume!(*entry != before);
            prop_assert_eq!(verify(&entries).map_err(|b| b.sequence), Err(before.sequence));
        }

        #[test]
        fn a_changed_entry_with_a_hash_that_fits_it_is_found_by_the_next(mut entries in log(), at in any::<prop::sample::Index>()) {
            let at = at.index(entries.len() - 1);
            entries[at].who.push('x');
            entries[at].hash = entries[at].computed();
            prop_assert_eq!(verify(&entries).map_err(|b| b.sequence), Err(entries[at + 1].sequence));
        }

        #[test]
        fn a_removed_entry_is_found(mut entries in log(), at in any::<prop::sample::Index>()) {
            let at = at.index(entries.len() - 1);
            let gone = entries.remove(at);
            prop_assert_eq!(verify(&entries).map_err(|b| b.sequence), Err(gone.sequence));
        }

        #[test]
        fn a_removed_entry_is_found_though_the_others_were_numbered_anew(mut entries in log(), at in any::<prop::sample::Index>()) {
            let at = at.index(entries.len() - 1);
            entries.remove(at);
            for (n, entry) in entries.iter_mut().enumerate() {
                entry.sequence = n as u64 + 1;
            }
            prop_assert!(verify(&entries).is_err());
        }

        #[test]
        fn moved_entries_are_found(mut entries in log(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let (a, b) = (a.index(entries.len()), b.index(entries.len()));
            prop_assume!(a != b);
            entries.swap(a, b);
            prop_assert!(verify(&entries).is_err());
        }

        #[test]
        fn an_inserted_entry_is_found(mut entries in log(), at in any::<prop::sample::Index>(), (time, note) in note()) {
            let at = at.index(entries.len());
            let head = at.checked_sub(1).map_or(Head::EMPTY, |before| entries[before].head());
            entries.insert(at, Entry::after(head, time, note));
            prop_assert!(verify(&entries).is_err());
        }

        #[test]
        fn a_cut_or_rewritten_end_is_found_by_what_was_kept_elsewhere(entries in log(), cut in 1usize..4, (time, note) in note()) {
            let kept: Vec<Head> = entries.iter().map(Entry::head).collect();
            let cut = cut.min(entries.len());
            let mut short = entries[..entries.len() - cut].to_vec();
            prop_assert!(verify(&short).is_ok());
            prop_assert_eq!(check_kept(&short, &kept).map_err(|b| b.sequence), Err(short.len() as u64 + 1));
            let head = short.last().map_or(Head::EMPTY, Entry::head);
            short.push(Entry::after(head, time, note));
            prop_assume!(short.last() != entries.get(short.len() - 1));
            prop_assert!(verify(&short).is_ok());
            prop_assert_eq!(check_kept(&short, &kept).map_err(|b| b.sequence), Err(short.len() as u64));
        }
    }
}
