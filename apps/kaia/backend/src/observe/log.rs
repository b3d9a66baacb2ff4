//! The log: lines for people in development, JSON for machines elsewhere.

use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::config::{Config, Kind};

/// Once for each process.
pub fn begin(config: &Config) {
    // What libraries say below a warning is about themselves, and may hold what they carry.
    let levels = Targets::new()
        .with_default(config.log_level.min(tracing::level_filters::LevelFilter::WARN))
        .with_target("kaia_backend", config.log_level);
    let layer = match config.kind {
        Kind::Development => fmt::layer().with_target(false).with_ansi(false).boxed(),
        _ => fmt::layer().json().flatten_event(true).with_target(false).boxed(),
    };
    // A second one in the same process (a test) changes nothing.
    let _ = registry().with(layer.with_filter(levels)).try_init();
}
