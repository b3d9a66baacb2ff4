//! One value, closed and opened.

use std::io::{Read, Write};

use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use ambit_spec::EnvironmentName;
use zeroize::Zeroizing;

use super::{LONGEST_VALUE, Sealed, SecretsError};
use crate::{keys::Identities, name::check_name, recipients::Recipients, secret::Secret};

/// The first line of what is encrypted; environment, name and value follow, each on a line of its own.
const PREAMBLE: &str = "ambit-secret 1";

pub(super) fn close(
    environment: &EnvironmentName,
    name: &str,
    value: &Secret,
    recipients: &Recipients,
) -> Result<Sealed, SecretsError> {
    check_name(name)?;
    let value = value.expose();
    let refused = |problem: String| Err(SecretsError::Value { name: name.to_owned(), problem });
    if value.len() > LONGEST_VALUE {
        return refused(format!("is too long: {} bytes, {LONGEST_VALUE} are allowed", value.len()));
    }
    if value.contains('\0') {
        return refused("contains a NUL character, which no environment variable can hold".to_owned());
    }
    let plaintext = Zeroizing::new(format!("{PREAMBLE}\n{environment}\n{name}\n{value}"));
    let ciphertext = encrypt(plaintext.as_bytes(), recipients)
        .map_err(|error| SecretsError::Encryption { name: name.to_owned(), reason: error.to_string() })?;
    Ok(Sealed { recipients: recipients.abbreviated(), ciphertext })
}

fn encrypt(plaintext: &[u8], recipients: &Recipients) -> Result<Vec<u8>, EncryptError> {
    let mut ciphertext = Vec::with_capacity(plaintext.len() + 512);
    let mut writer = Encryptor::with_recipients(recipients.encryption_keys())?.wrap_output(&mut ciphertext)?;
    writer.write_all(plaintext)?;
    writer.finish()?;
    Ok(ciphertext)
}

pub(super) fn open(
    sealed: &Sealed,
    environment: &EnvironmentName,
    name: &str,
    identities: &Identities,
) -> Result<Secret, SecretsError> {
    let damaged = || SecretsError::Damaged { environment: environment.clone(), name: name.to_owned() };
    let plaintext = decrypt(&sealed.ciphertext, identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => SecretsError::NoMatchingKey {
            environment: environment.clone(),
            name: name.to_owned(),
            recipients: sealed.recipients.iter().map(|key| format!("{key}…")).collect(),
            own: identities.public_keys().collect(),
        },
        _ => damaged(),
    })?;
    let mut parts = plaintext.splitn(4, '\n');
    let (Some(PREAMBLE), Some(true_environment), Some(true_name), Some(value)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(damaged());
    };
    if true_environment != environment.as_str() || true_name != name {
        return Err(SecretsError::Moved {
            environment: environment.clone(),
            name: name.to_owned(),
            true_environment: true_environment.chars().filter(|c| !c.is_control()).take(30).collect(),
            true_name: true_name.chars().filter(|c| !c.is_control()).take(128).collect(),
        });
    }
    Ok(Secret::from(value.to_owned()))
}

fn decrypt(ciphertext: &[u8], identities: &Identities) -> Result<Zeroizing<String>, DecryptError> {
    // Reserved in full: a buffer that grows leaves copies of what it held behind.
    let mut plaintext = Zeroizing::new(String::with_capacity(ciphertext.len()));
    let reader = Decryptor::new_buffered(ciphertext)?.decrypt(identities.decryption_keys())?;
    reader.take(ciphertext.len() as u64).read_to_string(&mut plaintext)?;
    Ok(plaintext)
}
