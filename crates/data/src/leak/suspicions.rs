//! What was found in a copy and may be a value of production: fingerprints with the columns where they were, and how often.

use std::collections::{HashMap, HashSet};

use super::fingerprint::Fingerprint;

/// So many are gathered at once. Where there are more, they are gone through in rounds.
const MOST: usize = 1 << 18;

/// A part of all fingerprints.
#[derive(Clone, Copy)]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) of: u64,
}

impl Round {
    fn has(self, fingerprint: Fingerprint) -> bool {
        (fingerprint >> 40) % self.of == self.number
    }
}

pub(super) struct Suspicions {
    round: Round,
    /// By fingerprint and column.
    found: HashMap<(Fingerprint, u32), u32>,
    pub(super) texts: u64,
    /// Whether there were too many.
    pub(super) full: bool,
}

impl Suspicions {
    pub(super) fn new(round: Round) -> Self {
        Self { round, found: HashMap::new(), texts: 0, full: false }
    }

    pub(super) fn add(&mut self, fingerprint: Fingerprint, column: u32, times: u32) {
        if !self.round.has(fingerprint) {
            return;
        }
        if let Some(sum) = self.found.get_mut(&(fingerprint, column)) {
            *sum = sum.saturating_add(times);
        } else if self.found.len() < MOST {
            self.found.insert((fingerprint, column), times);
        } else {
            self.full = true;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.texts += other.texts;
        self.full |= other.full;
        for ((fingerprint, column), times) in other.found {
            self.add(fingerprint, column, times);
        }
    }

    pub(super) fn fingerprints(&self) -> HashSet<Fingerprint> {
        self.found.keys().map(|(fingerprint, _)| *fingerprint).collect()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Fingerprint, u32, u32)> {
        self.found.iter().map(|((fingerprint, column), times)| (*fingerprint, *column, *times))
    }
}
