//! The key of pseudonyms, and what is drawn with it.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

/// The secret that pseudonyms depend on: 32 random bytes, kept in production's secret store and nowhere else. Whoever has it and
/// a copy can test guesses; without it nothing can be computed back. A new key gives new pseudonyms.
pub struct MaskKey {
    bytes: [u8; 32],
}

impl MaskKey {
    /// A key of these bytes, which have to come from a generator fit for secrets.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { bytes }
    }

    /// A key for one purpose alone: HMAC of the purpose's name (the "extract and label" of RFC 5869, with a key that is
    /// uniform already).
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac = keyed(&self.bytes);
        mac.update(b"ambit masking 1\0");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl Drop for MaskKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(…)")
    }
}

fn keyed(bytes: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    Hmac::new_from_slice(bytes).expect("a key of 32 bytes")
}

/// A pseudo-random function: HMAC-SHA-256 with its key already absorbed.
#[derive(Clone)]
pub(super) struct Prf {
    state: Hmac<Sha256>,
}

impl Prf {
    pub(super) fn new(key: &MaskKey, purpose: &str) -> Self {
        let mut derived = key.derive(purpose);
        let state = keyed(&derived);
        derived.zeroize();
        Self { state }
    }

    /// What a value draws. `turn` is another draw for the same value, where the first was no use.
    pub(super) fn draw(&self, value: &[u8], turn: u32) -> Draw {
        self.draw_parts(&[value], turn)
    }

    /// The same for a value in several pieces, which are taken together as they stand.
    pub(super) fn draw_parts(&self, parts: &[&[u8]], turn: u32) -> Draw {
        let mut mac = self.state.clone();
        for part in parts {
            mac.update(part);
        }
        if turn > 0 {
            mac.update(&[0xff]);
            mac.update(&turn.to_le_bytes());
        }
        Draw::new(mac.finalize().into_bytes().into())
    }
}

/// Numbers that a value drew: at first the 256 bits of the HMAC, then a generator seeded by them (xoshiro256**, Blackman and Vigna
/// 2018). The generator is public and need not be strong: what it says about its seed is what the HMAC would say itself.
pub(super) struct Draw {
    seed: [u64; 4],
    state: [u64; 4],
}

impl Draw {
    fn new(bytes: [u8; 32]) -> Self {
        let mut seed = [0; 4];
        for (word, chunk) in seed.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        }
        Self { seed, state: seed }
    }

    /// The first 128 bits of the HMAC itself: for pseudonyms that have to be unique.
    pub(super) fn bits(&self) -> u128 {
        u128::from(self.seed[0]) | u128::from(self.seed[1]) << 64
    }

    pub(super) fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `n` (at least 1), by Lemire's multiplication; its bias is at most n / 2⁶⁴.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// The same for a large range.
    pub(super) fn below_wide(&mut self, n: u128) -> u128 {
        let wide = u128::from(self.next()) << 64 | u128::from(self.next());
        if n == 0 { 0 } else { wide % n }
    }

    /// One of these.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Letters and digits of a pseudonym: Crockford's base 32 without the letters that are read as others, in lower case.
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Appends `length` (at most 25) symbols of 5 bits each.
pub(super) fn push_symbols(mut bits: u128, length: usize, out: &mut String) {
    for _ in 0..length {
        out.push(char::from(SYMBOLS[(bits & 31) as usize]));
        bits >>= 5;
    }
}
