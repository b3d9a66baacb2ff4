//! Secrets in plans: digests by a key that lies on this machine alone, so that another value is another plan and nobody can try values.

use ambit_domain::Failure;
use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;

use crate::ambit::Ambit;

const KEY: &str = "outside digests";

/// The key.
#[derive(Clone)]
pub(super) struct Digests(Vec<u8>);

impl Digests {
    pub(super) fn open(ambit: &Ambit) -> Result<Self, Failure> {
        let kept: Option<Vec<u8>> = ambit.remembered(KEY)?;
        if let Some(key) = kept.filter(|key| !key.is_empty()) {
            return Ok(Self(key));
        }
        let mut key = vec![0u8; 32];
        rand::rng().fill(&mut key[..]);
        ambit.remember(KEY, &Some(&key))?;
        // Whoever was faster made it.
        Ok(Self(ambit.remembered::<Option<Vec<u8>>>(KEY)?.unwrap_or(key)))
    }

    /// The first half of an HMAC-SHA256: enough to tell values apart.
    pub(super) fn of(&self, value: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
