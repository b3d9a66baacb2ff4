//! Passwords: argon2id, away from the threads that carry requests, few at a time and no long queue before them.

use argon2::{
    Argon2, Block, Params, PasswordHash,
    password_hash::{Output, SaltString, rand_core::OsRng},
};
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// So many may wait; who comes later is told to come again. One hash takes some 20 MB and 30 ms.
const WAITING: usize = 64;

/// What is compared with where there is no account, so that it takes as long. Nothing is known that it is the hash of.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$aKbVhwIFUsw3aW8yUcGQ2A$sWlFZ9fT0mWTPVQbNJm3gPNWYqCT1qTjZQ5FQYyJp8E";

/// Memory for one hash is asked for in pieces of at least so many blocks (of a KB). The C library gives a piece of more than
/// 32 MB back to the system as soon as it is free, and keeps a smaller one in whichever thread had it; what is not written to
/// costs nothing.
const PIECE: usize = 34 * 1024;

pub struct Passwords {
    working: Semaphore,
    admitted: Semaphore,
}

impl Default for Passwords {
    /// Half of the machine's cores hash; the others carry requests.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let working = (cores / 2).max(1);
        Self { working: Semaphore::new(working), admitted: Semaphore::new(working + WAITING) }
    }
}

impl Passwords {
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.work(move || hash(&password)).await?.map_err(Problem::internal)
    }

    /// Whether it is the right one; never where there is none.
    pub async fn matches(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        // A hash that cannot be read, such as one that was masked, is nobody's.
        let verify = move || verify(&password, &stored).unwrap_or(false);
        Ok(self.work(verify).await? && exists)
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _admitted = self.admitted.try_acquire().map_err(|_| Problem::Busy)?;
        let _working = self.working.acquire().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(job).await.map_err(Problem::internal)
    }
}

pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let argon2 = Argon2::default();
    let salt = SaltString::generate(&mut OsRng);
    let output = output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN)?;
    let hash = PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(argon2::Version::V0x13.into()),
        params: argon2.params().try_into()?,
        salt: Some(salt.as_salt()),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool, argon2::password_hash::Error> {
    let missing = argon2::password_hash::Error::PhcStringField;
    let stored = PasswordHash::new(stored)?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else { return Err(missing) };
    let version = stored.version.map_or(Ok(argon2::Version::V0x13), TryInto::try_into)?;
    let argon2 = Argon2::new(stored.algorithm.try_into()?, version, Params::try_from(&stored)?);
    let salt = SaltString::from_b64(salt.as_str())?;
    // Equal in a time that does not tell how much is.
    Ok(output(&argon2, password, &salt, expected.len())? == expected)
}

fn output(
    argon2: &Argon2,
    password: &str,
    salt: &SaltString,
    length: usize,
) -> Result<Output, argon2::password_hash::Error> {
    let mut bytes = [0; 64];
    let salt = salt.as_salt().decode_b64(&mut bytes)?;
    let count = argon2.params().block_count();
    let mut memory = Vec::with_capacity(count.max(PIECE));
    memory.resize(count, Block::default());
    Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory)?)
    })
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        let made = hash("contraseña").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        let read = PasswordHash::new(&made).unwrap();
        assert!(Argon2::default().verify_password("contraseña".as_bytes(), &read).is_ok());
        assert!(verify("contraseña", &made).unwrap());
        assert!(!verify("contraseñas", &made).unwrap());
        assert!(!verify("", NOBODY).unwrap(), "the work is done, and in vain");
        assert!(verify("x", "!").is_err());
    }
}
