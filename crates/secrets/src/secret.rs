//! A value that must not be seen.

use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};

/// A secret in memory: wiped when dropped, and absent from every `Debug` output.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The value itself. Every call is a place to look at when asking where a secret could leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(SecretString::from(value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
