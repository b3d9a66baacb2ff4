//! Digests of what may not be shown: another value is another digest, and nobody finds a value by trying without this machine's key.

use ambit_domain::{Failure, FailureKind};
use hmac::{Hmac, Mac};
use rand::distr::{Alphanumeric, SampleString};
use sha2::Sha256;

use crate::ambit::Ambit;

/// The key's name in the record.
const KEY: &str = "digest key";
const LENGTH: usize = 43;

impl Ambit {
    /// The digest of a value. `about` is what it is for: the same value elsewhere has another digest.
    pub(super) fn digest(&self, about: &str, value: &str) -> Result<String, Failure> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.digest_key()?.as_bytes())
            .map_err(|e| Failure::from_error(FailureKind::Internal, &e))?;
        mac.update(about.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        Ok(mac.finalize().into_bytes().iter().take(16).map(|b| format!("{b:02x}")).collect())
    }

    /// Made once for this machine.
    fn digest_key(&self) -> Result<String, Failure> {
        if let Some(key) = self.remembered::<Option<String>>(KEY)? {
            return Ok(key);
        }
        self.remember(KEY, &Some(Alphanumeric.sample_string(&mut rand::rng(), LENGTH)))?;
        // Whoever was faster made it.
        self.remembered::<Option<String>>(KEY)?
            .ok_or_else(|| Failure::new(FailureKind::Internal, "what was remembered a moment ago is gone"))
    }
}
