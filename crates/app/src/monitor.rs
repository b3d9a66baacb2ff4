//! Watching what runs: looked at by the daemon every ten seconds, judged by the domain's rules, measured each minute.

mod query;
mod series;

pub use query::{Uptime, UptimeDay};
