//! Format-preserving permutations: texts of a form are exchanged among themselves, so no two become one, and none stays what it is.
//!
//! A text's changeable characters are symbols, each of its own alphabet (digits, letters). The permutation is a Feistel network over
//! the two halves of the symbols, with addition modulo each alphabet's size in the place of XOR: the scheme of Black and Rogaway
//! ("Ciphers with Arbitrary Finite Domains", 2002) and the shape of NIST SP 800-38G, with ten rounds as FF1 has them. Its
//! round function is a CBC-MAC of AES-128 over a length-prefixed header and the other half. **It is not FF1**: FF1 takes one
//! alphabet for all symbols and adds whole halves as numbers; here each symbol may have another alphabet, and no big numbers are
//! needed. As with every cipher on a small domain, somebody who knows most pairs of a domain knows the rest.
//!
//! What is written is P⁻¹(P(x) + 1), where + 1 goes to the next text of the form: a permutation without fixed points.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use smallvec::SmallVec;
use zeroize::Zeroize;

use super::key::MaskKey;

const ROUNDS: u8 = 10;

/// Symbols that are taken from one word of 64 bits: 28 bits of it where symbols are letters, so their bias is below 2⁻³⁶.
const PER_WORD: usize = 6;

/// A text's symbols: each one's value and the size of its alphabet (2 to 255).
#[derive(Default)]
pub(super) struct Symbols {
    values: SmallVec<[u8; 64]>,
    sizes: SmallVec<[u8; 64]>,
}

impl Symbols {
    pub(super) fn push(&mut self, value: u8, size: u8) {
        self.values.push(value);
        self.sizes.push(size);
    }

    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }
}

/// A keyed permutation of all texts of each form.
pub(super) struct Permutation {
    cipher: Aes128,
}

impl Permutation {
    pub(super) fn new(key: &MaskKey, purpose: &str) -> Self {
        let mut derived = key.derive(purpose);
        let (first, _) = derived.split_at(16);
        let cipher = Aes128::new(aes::cipher::generic_array::GenericArray::from_slice(first));
        derived.zeroize();
        Self { cipher }
    }

    /// Exchanges the symbols for others. `tweak` is what stays of the text and takes part: each tweak has a permutation of its own.
    pub(super) fn exchange(&self, symbols: &mut Symbols, tweak: &[u8]) {
        let Symbols { values, sizes } = symbols;
        let header = self.header(sizes, tweak);
        match values.len() {
            0 => {}
            1 => self.exchange_one(&mut values[0], sizes[0], header),
            n => {
                let half = n / 2;
                for round in 0..ROUNDS {
                    self.round(round, false, half, values, sizes, header);
                }
                for (value, size) in values.iter_mut().zip(sizes.iter()) {
                    *value += 1;
                    if *value < *size {
                        break;
                    }
                    *value = 0;
                }
                for round in (0..ROUNDS).rev() {
                    self.round(round, true, half, values, sizes, header);
                }
            }
        }
    }

    /// Two halves are too much for one symbol: its alphabet is shuffled (Fisher and Yates), and the next one taken.
    fn exchange_one(&self, value: &mut u8, size: u8, header: u128) {
        let mut order: SmallVec<[u8; 64]> = (0..size).collect();
        let mut state = header;
        for i in (1..order.len()).rev() {
            state = self.encrypt(state);
            order.swap(i, scaled(state as u64, i + 1));
        }
        if let Some(at) = order.iter().position(|v| v == value) {
            *value = order[(at + 1) % order.len()];
        }
    }

    fn round(&self, round: u8, back: bool, half: usize, values: &mut [u8], sizes: &[u8], header: u128) {
        let (left, right) = values.split_at_mut(half);
        let (left_sizes, right_sizes) = sizes.split_at(half);
        let (from, to, to_sizes) =
            if round.is_multiple_of(2) { (&*right, left, left_sizes) } else { (&*left, right, right_sizes) };
        let mut state = header ^ u128::from(round + 1) << 120;
        for chunk in from.chunks(15) {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            state = self.encrypt(state ^ u128::from_le_bytes(block));
        }
        let mut word = 0;
        for (i, (value, size)) in to.iter_mut().zip(to_sizes).enumerate() {
            if i > 0 && i % (2 * PER_WORD) == 0 {
                state = self.encrypt(state);
            }
            if i % PER_WORD == 0 {
                word = if i % (2 * PER_WORD) == 0 { state as u64 } else { (state >> 64) as u64 };
            }
            let size = usize::from(*size);
            let product = u128::from(word) * size as u128;
            // The high half is below `size`; the low half is what is left for the next symbol.
            word = product as u64;
            let add = (product >> 64) as usize;
            let sum = usize::from(*value) + if back { size - add } else { add };
            *value = (sum % size) as u8;
        }
    }

    /// A block that depends on the form and on what stays of the text.
    fn header(&self, sizes: &[u8], tweak: &[u8]) -> u128 {
        let mut state = self.encrypt((sizes.len() as u128) << 64 | tweak.len() as u128);
        for chunk in sizes.chunks(16).chain(tweak.chunks(16)) {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            state = self.encrypt(state ^ u128::from_le_bytes(block));
        }
        state
    }

    fn encrypt(&self, block: u128) -> u128 {
        let mut bytes = block.to_le_bytes().into();
        self.cipher.encrypt_block(&mut bytes);
        u128::from_le_bytes(bytes.into())
    }
}

/// A number below `n`, by Lemire's multiplication.
fn scaled(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}
