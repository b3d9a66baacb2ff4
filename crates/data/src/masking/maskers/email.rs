//! `email`.

use smallvec::SmallVec;

use super::Generate;
use crate::masking::key::{Draw, Prf, push_symbols};
use crate::masking::mask::MaskError;

/// Reserved domains (RFC 2606): the usual one, and the shortest for columns that have no room for it.
const DOMAIN: &str = "@example.com";
const SHORT_DOMAIN: &str = "@t.test";

/// Symbols of the part before the `@`: 80 bits, so among 10⁹ addresses two are the same with a chance of 1 in 2 million.
const LOCAL: usize = 16;

/// The fewest that can be called unique: 60 bits, 1 in 2 million among 10⁶ addresses.
const LEAST_UNIQUE: usize = 12;

/// The fewest characters that a column of unique addresses has to take.
pub(in crate::masking) const LEAST: usize = LEAST_UNIQUE + SHORT_DOMAIN.len();

pub(super) struct Email {
    prf: Prf,
    local: usize,
    domain: &'static str,
}

impl Email {
    pub(super) fn new(prf: Prf, longest: Option<usize>) -> Self {
        let room = longest.unwrap_or(usize::MAX);
        let domain = if room >= LOCAL + DOMAIN.len() { DOMAIN } else { SHORT_DOMAIN };
        // A column too short for any address gets what fits of a pseudonym.
        let (local, domain) = match room.checked_sub(domain.len()) {
            Some(local @ 1..) => (local.min(LOCAL), domain),
            _ => (room.min(LOCAL), ""),
        };
        Self { prf, local, domain }
    }
}

impl Generate for Email {
    /// Addresses that differ in case alone have pseudonyms that differ in case alone: people type theirs one way and the other, and
    /// apps compare them in lower case.
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let start = out.len();
        let mut lower: SmallVec<[u8; 128]> = SmallVec::from_slice(value.as_bytes());
        lower.make_ascii_lowercase();
        push_symbols(self.prf.draw(&lower, turn).bits(), self.local, out);
        if lower.as_slice() != value.as_bytes() {
            let upper = self.prf.draw(value.as_bytes(), turn);
            raise(out, start, &upper);
        }
        out.push_str(self.domain);
        Ok(())
    }
}

/// Puts letters into upper case, at least one where there is one.
fn raise(out: &mut String, start: usize, draw: &Draw) {
    let mut local: SmallVec<[u8; LOCAL]> = SmallVec::from_slice(&out.as_bytes()[start..]);
    let before = local.clone();
    for (i, b) in local.iter_mut().enumerate() {
        if draw.bits() >> i & 1 == 1 {
            b.make_ascii_uppercase();
        }
    }
    if local == before {
        local.make_ascii_uppercase();
    }
    out.truncate(start);
    out.extend(local.iter().map(|b| char::from(*b)));
}
