//! Random secrets.

use zeroize::Zeroize;

use crate::secret::Secret;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The operating system had no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system's random number generator failed: {reason}")]
pub struct NoRandomness {
    /// What it said.
    pub reason: String,
}

/// A random text over `[A-Za-z0-9]`, each character with 5.95 bits, from the operating system's generator.
pub fn random_text(length: usize) -> Result<Secret, NoRandomness> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(|error| NoRandomness { reason: error.to_string() })?;
        // Six bits have two values too many; those are drawn again, so that no character is likelier than another.
        let drawn = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        text.extend(drawn.take(length - text.len()).map(|&byte| char::from(byte)));
    }
    bytes.zeroize();
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_text_has_the_length_asked_for_and_only_letters_and_digits() {
        for length in [0, 1, 63, 64, 65, 1000] {
            let secret = random_text(length).unwrap();
            assert_eq!(secret.expose().len(), length);
            assert!(secret.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn every_character_is_about_equally_likely_and_no_two_texts_are_alike() {
        let text = random_text(62_000).unwrap();
        for letter in ALPHABET {
            let count = text.expose().bytes().filter(|b| b == letter).count();
            assert!((800..1200).contains(&count), "{} came {count} times in 62000", char::from(*letter));
        }
        assert_ne!(random_text(32).unwrap().expose(), random_text(32).unwrap().expose());
    }
}
