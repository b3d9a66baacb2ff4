//! Redis: one connection that all requests share, made when it is first needed and made anew when it broke.
//!
//! Nobody waits long for it. Whoever finds it broken or slow goes on without, and for a moment nobody else tries.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{Client, RedisError, Script, aio::MultiplexedConnection};

use super::rate::{Rate, Verdict, verdict};

/// In one data centre Redis answers in less than a millisecond. A machine that is short of breath takes longer.
const PATIENCE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(500);

pub struct Cache {
    client: Client,
    state: Mutex<State>,
    /// One makes the connection, the others wait for it.
    making: tokio::sync::Mutex<()>,
    script: Script,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    not_before: Option<Instant>,
}

impl Cache {
    pub fn new(client: Client) -> Self {
        let script = Script::new(include_str!("take.lua"));
        Self { client, state: Mutex::default(), making: tokio::sync::Mutex::default(), script }
    }

    /// Asked now, whatever was before.
    pub async fn answers(&self) -> bool {
        let Some(mut connection) = self.connection().await else { return false };
        let command = redis::cmd("PING");
        let ping = command.query_async::<String>(&mut connection);
        self.settle(tokio::time::timeout(PATIENCE * 4, ping).await).is_some()
    }

    pub(super) async fn take(&self, buckets: &[(Rate, String)]) -> Option<Verdict> {
        let mut connection = self.connection().await?;
        let mut call = self.script.prepare_invoke();
        for (rate, key) in buckets {
            call.key(key).arg(rate.step()).arg(rate.depth());
        }
        let answer: Vec<u64> = self.settle(tokio::time::timeout(PATIENCE, call.invoke_async(&mut connection)).await)?;
        let (refused, ahead) = answer.split_first()?;
        if *refused > 0 {
            let (rate, _) = buckets.get(usize::try_from(*refused).ok()?.checked_sub(1)?)?;
            return Some(verdict(*rate, false, *ahead.first()?));
        }
        let each = buckets.iter().zip(ahead).map(|((rate, _), ahead)| verdict(*rate, true, *ahead));
        each.min_by_key(|v| v.remaining)
    }

    async fn connection(&self) -> Option<MultiplexedConnection> {
        if let Some(known) = self.known() {
            return known;
        }
        let _one = self.making.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let made = tokio::time::timeout(PATIENCE * 2, self.client.get_multiplexed_async_connection()).await;
        let made = self.settle(made)?;
        self.lock().connection = Some(made.clone());
        Some(made)
    }

    /// The connection, or that there is none for the moment; `None` where one is to be made.
    fn known(&self) -> Option<Option<MultiplexedConnection>> {
        let state = self.lock();
        if state.not_before.is_some_and(|t| Instant::now() < t) {
            return Some(None);
        }
        state.connection.clone().map(Some)
    }

    fn settle<T>(&self, result: Result<Result<T, RedisError>, tokio::time::error::Elapsed>) -> Option<T> {
        let why = match result {
            Ok(Ok(value)) => {
                return Some(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::debug!(why, "Redis does not answer");
        *self.lock() = State { connection: None, not_before: Some(Instant::now() + PAUSE) };
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
