//! What a secret may be called.

/// Why a text cannot be the name of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot be the name of a secret: use 1 to 128 letters, digits and underscores, not beginning with a digit"
)]
pub struct InvalidSecretName {
    /// The refused text.
    pub name: String,
}

/// Accepts what every shell and platform accepts as the name of an environment variable.
pub fn check_name(name: &str) -> Result<(), InvalidSecretName> {
    let valid = (1..=128).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if valid { Ok(()) } else { Err(InvalidSecretName { name: name.to_owned() }) }
}
