//! A simulated Railway, with the runtime that it answers on.

use ambit_simulators::{Railway, contract};
use tokio::runtime::{Builder, Runtime};

/// `None` where what Railway publishes is not here.
pub(crate) fn start() -> Option<(Railway, Runtime)> {
    let schema = contract("railway/schema.graphql")?;
    let config = contract("railway/environment-config.schema.json")?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let railway = runtime.block_on(Railway::start(&schema, &config));
    Some((railway, runtime))
}
