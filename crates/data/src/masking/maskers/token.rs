//! `token`: secrets of the same form.

use super::Generate;
use super::ids::Ids;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;

/// From so many letters and digits on (at least 83 bits), drawing them is as good as exchanging them, and quicker.
const DRAWN: usize = 25;

/// The longest beginning that says what a token is for (`sk_live_`, `ghp_`) rather than being secret.
const LONGEST_PREFIX: usize = 10;

pub(super) struct Token {
    pub(super) prf: Prf,
    pub(super) ids: Ids,
}

impl Generate for Token {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let prefix = prefix(value);
        let (kept, secret) = value.split_at(prefix);
        let hex = secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            || secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        let drawn = secret.bytes().filter(u8::is_ascii_alphanumeric).count() >= DRAWN && secret.is_ascii();
        out.push_str(kept);
        if !drawn {
            return self.ids.generate(secret, None, turn, out);
        }
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let upper = hex && secret.bytes().any(|b| b.is_ascii_uppercase());
        let (mut word, mut left) = (0, 0);
        out.extend(secret.bytes().map(|b| {
            let (base, size) = match b {
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if hex => (0, 16),
                b'0'..=b'9' => (b'0', 10),
                b'a'..=b'z' => (b'a', 26),
                b'A'..=b'Z' => (b'A', 26),
                _ => return char::from(b),
            };
            if left == 0 {
                (word, left) = (draw.next(), 6);
            }
            left -= 1;
            let product = u128::from(word) * size;
            word = product as u64;
            let value = (product >> 64) as u8;
            match hex {
                true if upper => char::from(b"0123456789ABCDEF"[usize::from(value & 15)]),
                true => char::from(b"0123456789abcdef"[usize::from(value & 15)]),
                false => char::from(base + value),
            }
        }));
        Ok(())
    }
}

/// How long the beginning is that names a token's kind: words before the last `_` near the front, if a secret follows them.
fn prefix(value: &str) -> usize {
    let front = &value.as_bytes()[..value.len().min(LONGEST_PREFIX)];
    match front.iter().rposition(|b| *b == b'_') {
        Some(end) if value.len() - end > 16 && front[..end].iter().all(|b| b.is_ascii_lowercase() || *b == b'_') => {
            end + 1
        }
        _ => 0,
    }
}
