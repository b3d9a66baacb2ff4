//! `bytes`: `bytea` of the same length, in hex form (manual, 8.4.1).

use super::Generate;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;
use crate::masking::permutation::{Permutation, Symbols};

/// Below so many bytes what is drawn could be the same for two values; they are exchanged.
const DRAWN: usize = 11;

pub(super) struct Bytes {
    pub(super) prf: Prf,
    pub(super) permutation: Permutation,
}

impl Generate for Bytes {
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let Some(hex) = value.strip_prefix("\\x") else {
            return Err(MaskError("not in hex form: set bytea_output to hex"));
        };
        if !hex.len().is_multiple_of(2) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(MaskError("not in hex form: set bytea_output to hex"));
        }
        out.push_str("\\x");
        if hex.len() < 2 * DRAWN {
            let mut symbols = Symbols::default();
            hex.chars().for_each(|c| symbols.push(c.to_digit(16).unwrap_or_default() as u8, 16));
            self.permutation.exchange(&mut symbols, &[]);
            out.extend(symbols.values().iter().filter_map(|v| char::from_digit(u32::from(*v), 16)));
            return Ok(());
        }
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let (mut word, mut left) = (0, 0);
        out.extend(hex.bytes().map(|_| {
            if left == 0 {
                (word, left) = (draw.next(), 16);
            }
            let digit = word & 15;
            word >>= 4;
            left -= 1;
            char::from_digit(digit as u32, 16).unwrap_or('0')
        }));
        Ok(())
    }
}
