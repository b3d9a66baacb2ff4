//! Connections for what is asked all the time. The pool makes sure of each connection that comes back to it, which is another
//! round trip to PostgreSQL for every request; these stay outside while all goes well. One that saw an error, or whose request
//! was given up in the middle, goes back to the pool and is looked at there.

use std::sync::{Mutex, PoisonError};

use sqlx::{PgPool, Postgres, pool::PoolConnection};

/// At most so many stay outside; the others of the pool are for everything else.
const MOST: usize = 5;

pub struct Readers {
    pool: PgPool,
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
}

impl Readers {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, idle: Mutex::default() }
    }

    /// Asks one question.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut PoolConnection<Postgres>) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let idle = self.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        let answer = question(&mut connection).await?;
        let mut idle = self.lock();
        if idle.len() < MOST {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PoolConnection<Postgres>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
