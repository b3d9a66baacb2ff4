//! A Bloom filter that several threads fill at once: what was put in is always known; what was not is taken for known now and then.
//! Its memory is bounded whatever is put in. Each fingerprint has its bits in one block of 512, so that a question
//! costs one access to memory (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).

use std::sync::atomic::{AtomicU64, Ordering};

use super::fingerprint::Fingerprint;

/// At most 64 MiB.
const MOST_BLOCKS: u64 = 1 << 20;
const BITS: u32 = 7;

pub(crate) struct Sensitive {
    blocks: Vec<[AtomicU64; 8]>,
    values: AtomicU64,
}

impl Sensitive {
    /// Made for so many fingerprints: three bytes for each, which errs about once in a hundred thousand.
    pub(crate) fn for_about(fingerprints: u64) -> Self {
        let blocks = (fingerprints.saturating_mul(24) / 512).clamp(1 << 10, MOST_BLOCKS).next_power_of_two();
        let blocks = usize::try_from(blocks).unwrap_or(1 << 10);
        Self { blocks: (0..blocks).map(|_| Default::default()).collect(), values: AtomicU64::new(0) }
    }

    fn place(&self, fingerprint: Fingerprint) -> (&[AtomicU64; 8], u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the length is a power of two")]
        let block = fingerprint as usize & (self.blocks.len() - 1);
        // Another mixture for the bits than for the block (the finaliser of SplitMix64).
        let mut bits = fingerprint ^ (fingerprint >> 30);
        bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits ^= bits >> 27;
        (&self.blocks[block], bits.wrapping_mul(0x94d0_49bb_1331_11eb))
    }

    /// Adds all of them and empties the list. Their blocks are far apart in memory: all are asked for before the first is
    /// waited for.
    pub(crate) fn add_all(&self, fingerprints: &mut Vec<Fingerprint>) {
        let near = |sum: u64, f: &Fingerprint| sum ^ self.place(*f).0[0].load(Ordering::Relaxed);
        std::hint::black_box(fingerprints.iter().fold(0, near));
        for fingerprint in fingerprints.drain(..) {
            self.add(fingerprint);
        }
    }

    fn add(&self, fingerprint: Fingerprint) {
        let (block, mut bits) = self.place(fingerprint);
        for _ in 0..BITS {
            let word = &block[usize::from((bits >> 6) as u8 & 7)];
            let bit = 1 << (bits & 63);
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
            bits >>= 9;
        }
    }

    pub(crate) fn may_contain(&self, fingerprint: Fingerprint) -> bool {
        let (block, mut bits) = self.place(fingerprint);
        for _ in 0..BITS {
            if block[usize::from((bits >> 6) as u8 & 7)].load(Ordering::Relaxed) & (1 << (bits & 63)) == 0 {
                return false;
            }
            bits >>= 9;
        }
        true
    }

    /// Counts values that were looked at.
    pub(crate) fn count(&self, values: u64) {
        self.values.fetch_add(values, Ordering::Relaxed);
    }

    pub(crate) fn values(&self) -> u64 {
        self.values.load(Ordering::Relaxed)
    }
}

/// What was seen a moment ago, so that what repeats costs no access to far memory. Forgets, but never errs.
pub(crate) struct Recent(Vec<u64>);

/// Half a megabyte: it stays in the nearer caches.
const RECENT: usize = 1 << 16;

impl Default for Recent {
    fn default() -> Self {
        Self(vec![0; RECENT])
    }
}

impl Recent {
    /// Whether it was seen.
    pub(crate) fn has(&self, hash: u64) -> bool {
        hash != 0 && self.0[Self::place(hash)] == hash
    }

    /// Whether it was seen; it is now.
    pub(crate) fn saw(&mut self, hash: u64) -> bool {
        std::mem::replace(&mut self.0[Self::place(hash)], hash) == hash && hash != 0
    }

    fn place(hash: u64) -> usize {
        (hash >> 7) as usize & (RECENT - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints that look like hashes.
    fn numbers(from: u64, count: u64) -> impl Iterator<Item = u64> {
        (from..from + count)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(31).wrapping_mul(0xff51_afd7_ed55_8ccd))
    }

    #[test]
    fn what_was_put_in_is_known_and_little_else_is() {
        let filter = Sensitive::for_about(100_000);
        numbers(0, 100_000).for_each(|f| filter.add(f));
        assert!(numbers(0, 100_000).all(|f| filter.may_contain(f)));
        let wrong = numbers(1_000_000, 1_000_000).filter(|f| filter.may_contain(*f)).count();
        assert!(wrong < 1_000, "{wrong} of a million");
    }

    #[test]
    fn its_memory_is_bounded() {
        let filter = Sensitive::for_about(u64::MAX / 64);
        assert_eq!(filter.blocks.len() * 64, 64 << 20);
    }
}
