//! Secrets that go out once and come back once: links in mails. The database knows their hashes alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::random;

/// A secret that nobody can guess.
pub fn new() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
