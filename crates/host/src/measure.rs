//! What runs, asked and measured: short questions with an end, for whoever watches.

mod http;
mod machine;
mod postgres;
mod processes;
mod redis;

pub use http::Answer;

use std::time::Duration;

/// How long anything may take to answer: a look has to be over before the next.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// An answer within [`PATIENCE`], or why there is none.
pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}
