//! What is told to those who run Kaia: log, Sentry, traces.

pub mod apm;
pub mod log;
mod sentry;

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use crate::{config::Config, outbound::client::Client};

/// Where reports and traces go; nowhere, where nothing is set.
pub struct Observe {
    sentry: Option<sentry::Reporter>,
    apm: Option<apm::Exporter>,
}

impl Observe {
    pub fn new(config: &Config, client: &Arc<Client>) -> Self {
        let sentry = config.sentry.as_ref().map(|s| sentry::Reporter::new(s, config, Arc::clone(client)));
        let apm = config.apm.as_ref().map(|a| apm::Exporter::new(a, config, Arc::clone(client)));
        Self { sentry, apm }
    }

    /// A request that failed.
    pub fn report(&self, id: &str, method: &Method, route: &str, status: StatusCode, cause: &str) {
        if let Some(sentry) = &self.sentry {
            sentry.report(id, method, route, status, cause);
        }
    }

    /// Sends what waits; for the end of the process.
    pub async fn finish(&self) {
        if let Some(sentry) = &self.sentry {
            sentry.finish().await;
        }
        if let Some(apm) = &self.apm {
            apm.finish().await;
        }
    }
}
