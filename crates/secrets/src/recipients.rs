//! Whom values are encrypted to.

use age::x25519;

/// Characters of a public key that stand for it in `ambit.secrets`: `age1` and 60 bits of the key.
const ABBREVIATED: usize = 16;

/// The people (and machines) who can read an environment's secrets: at least one, sorted, without repetition.
#[derive(Clone, Debug)]
pub struct Recipients {
    keys: Vec<(String, x25519::Recipient)>,
}

/// Why somebody cannot be encrypted to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// The list is empty.
    #[error("no recipients are declared, so there is nobody to encrypt to")]
    Nobody,
    /// An SSH key.
    #[error("SSH keys are not supported yet as recipients: `{recipient}`")]
    Ssh {
        /// As declared.
        recipient: String,
    },
    /// A secret key in a place where everybody sees it.
    #[error("a recipient is a secret key (AGE-SECRET-KEY-…); declare its public key (age1…) instead")]
    SecretKey,
    /// Something else.
    #[error("`{recipient}` is not an age public key (age1… with 62 characters)")]
    Malformed {
        /// As declared.
        recipient: String,
    },
}

impl RecipientError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Nobody => "make a key with `ambit secret key` and add its public key to `recipients` in ambit.toml",
            Self::Ssh { .. } | Self::Malformed { .. } => "`ambit secret key` prints your age public key (age1…)",
            Self::SecretKey => "whoever saw that key can read the secrets: make a new one and rotate every value",
        }
        .to_owned()
    }
}

impl Recipients {
    /// Reads public keys as an environment declares them.
    pub fn parse<S: AsRef<str>>(declared: &[S]) -> Result<Self, RecipientError> {
        let mut keys = Vec::with_capacity(declared.len());
        for text in declared {
            let text = text.as_ref().trim();
            if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                return Err(RecipientError::SecretKey);
            }
            if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-ssh-") {
                return Err(RecipientError::Ssh { recipient: shortened(text) });
            }
            let key: x25519::Recipient =
                text.parse().map_err(|_| RecipientError::Malformed { recipient: shortened(text) })?;
            keys.push((key.to_string(), key));
        }
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys.dedup_by(|a, b| a.0 == b.0);
        if keys.is_empty() { Err(RecipientError::Nobody) } else { Ok(Self { keys }) }
    }

    /// Their public keys, sorted.
    pub fn public_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(text, _)| text.as_str())
    }

    pub(crate) fn abbreviated(&self) -> Vec<String> {
        self.public_keys().map(abbreviate).collect()
    }

    pub(crate) fn encryption_keys(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.keys.iter().map(|(_, key)| key as &dyn age::Recipient)
    }
}

pub(crate) fn abbreviate(public_key: &str) -> String {
    public_key.chars().take(ABBREVIATED).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 70 { text.to_owned() } else { text.chars().take(40).chain(['…']).collect() }
}
