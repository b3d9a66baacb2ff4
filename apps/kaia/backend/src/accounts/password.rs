//! Passwords: argon2id, away from the threads that carry requests, few at a time and no long queue before them.

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{SaltString, rand_core::OsRng},
};
use tokio::sync::Semaphore;

use crate::http::problem::Problem;

/// So many may wait; who comes later is told to come again. One hash takes some 20 MB and 30 ms.
const WAITING: usize = 64;

pub struct Passwords {
    working: Semaphore,
    admitted: Semaphore,
    /// What is compared with where there is no account, so that it takes as long.
    nobody: String,
}

impl Passwords {
    /// Half of the machine's cores hash; the others carry requests.
    pub fn new() -> Result<Self, Problem> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let working = (cores / 2).max(1);
        let nobody = hash("nobody's password")?;
        Ok(Self { working: Semaphore::new(working), admitted: Semaphore::new(working + WAITING), nobody })
    }

    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.work(move || hash(&password)).await?
    }

    /// Whether it is the right one; never where there is none.
    pub async fn matches(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        let verify = move || {
            PasswordHash::new(&stored)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        };
        Ok(self.work(verify).await? && exists)
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _admitted = self.admitted.try_acquire().map_err(|_| Problem::Busy)?;
        let _working = self.working.acquire().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(job).await.map_err(Problem::internal)
    }
}

pub fn hash(password: &str) -> Result<String, Problem> {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default().hash_password(password.as_bytes(), &salt).map(|h| h.to_string()).map_err(Problem::internal)
}
