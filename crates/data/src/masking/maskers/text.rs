//! `text`: words of no meaning in the place of somebody's.

use super::Generate;
use crate::masking::file::Language;
use crate::masking::key::{Draw, Prf};
use crate::masking::mask::MaskError;

pub(super) struct Text {
    pub(super) prf: Prf,
    pub(super) language: Language,
}

impl Generate for Text {
    /// Each word becomes an invented one of as many characters, each number another: length, words, lines and punctuation stay.
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        let (vowels, consonants): (&[u8; 16], &[u8; 32]) = match self.language {
            Language::English => (b"eeeeaaaoooiiiuue", b"tttnnnsssrrrlllddmmhhcgpwfbkvyty"),
            Language::Spanish => (b"eeeeaaaaaooooiiu", b"sssrrrnnnlllddcctttmmpppbgvfjzsr"),
        };
        let mut draw = self.prf.draw(value.as_bytes(), turn);
        let mut bits = Bits { draw: &mut draw, word: 0, left: 0 };
        let mut vowel = false;
        let mut begins = true;
        for c in value.chars() {
            // What is most frequent is known at a glance; the tables of Unicode are for the rest.
            let latin = c.is_ascii_alphabetic()
                || matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}');
            if !latin && (c.is_ascii_digit() || (c.is_numeric() && !c.is_ascii())) {
                let digit = if begins { 1 + bits.take(3) } else { bits.take(3) };
                out.push(char::from(b'0' + digit as u8));
                begins = false;
            } else if latin || c.is_alphabetic() {
                // Words begin one way or the other; then vowels and consonants take turns.
                vowel = if begins { bits.take(2) == 0 } else { !vowel };
                let letter = if vowel { vowels[bits.take(4)] } else { consonants[bits.take(5)] };
                let letter = char::from(letter);
                out.push(if c.is_uppercase() { letter.to_ascii_uppercase() } else { letter });
                begins = false;
            } else {
                out.push(c);
                begins = true;
            }
        }
        Ok(())
    }
}

/// Small numbers of a draw, several from each word.
struct Bits<'a> {
    draw: &'a mut Draw,
    word: u64,
    left: u32,
}

impl Bits<'_> {
    /// A number of so many bits, at most 8.
    fn take(&mut self, bits: u32) -> usize {
        if self.left < bits {
            (self.word, self.left) = (self.draw.next(), 64);
        }
        let value = self.word & ((1 << bits) - 1);
        self.word >>= bits;
        self.left -= bits;
        value as usize
    }
}
