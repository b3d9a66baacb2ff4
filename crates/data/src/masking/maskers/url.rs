//! `url`.

use super::Generate;
use crate::masking::key::{Prf, push_symbols};
use crate::masking::mask::MaskError;

const HOST: &str = "example.com/";

/// Symbols of the path: 80 bits.
const PATH: usize = 16;

/// The longest `scheme://` that stays, and the longest `.jpg`.
const LONGEST_SCHEME: usize = 12;
const LONGEST_EXTENSION: usize = 5;

/// The fewest characters that a column of unique URLs has to take.
pub(in crate::masking) const LEAST: usize = LONGEST_SCHEME + HOST.len() + PATH + LONGEST_EXTENSION;

pub(super) struct Url {
    pub(super) prf: Prf,
}

impl Generate for Url {
    /// Scheme and extension stay; the rest is one pseudonym.
    fn generate(&self, value: &str, _: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        if let Some((scheme, _)) = value.split_once("://")
            && scheme.len() + 3 <= LONGEST_SCHEME
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            out.push_str(scheme);
            out.push_str("://");
        }
        out.push_str(HOST);
        push_symbols(self.prf.draw(value.as_bytes(), turn).bits(), PATH, out);
        let path = value.split(['?', '#']).next().unwrap_or_default();
        if let Some((directory, extension)) = path.rsplit_once('.')
            && directory.matches('/').count() > 2
            && (1..LONGEST_EXTENSION).contains(&extension.len())
            && extension.bytes().all(|b| b.is_ascii_lowercase())
        {
            out.push('.');
            out.push_str(extension);
        }
        Ok(())
    }
}
