//! Test servers of the services that `ambit-cloud` speaks to. Each checks what it is sent as the real one would, by the
//! published contract where there is one, and can be told to fail: busy, broken, silent, gone. And what a build service makes:
//! [`apk`]. Only tests use this room, and `ambit simulate`.

#![allow(clippy::unwrap_used)] // What a test server does not expect ends the test.

pub mod apk;
mod cloudflare;
mod everything;
mod expo;
mod faults;
mod gateway;
pub mod github;
mod graphql;
mod http;
mod openapi;
pub mod railway;
mod sentry;
mod slack;
mod smtp;
mod uptimerobot;
mod webhook;

pub use cloudflare::{Cloudflare, CloudflareService, Zone};
pub use everything::Everything;
pub use expo::{Expo, ExpoService};
pub use faults::Fault;
pub use gateway::{Gateway, SIMULATED};
pub use github::{Github, GithubService};
pub use graphql::{Field, GraphQl, Refused, Resolver};
pub use http::{Answered, HttpServer, Reply, Request, Service};
pub use openapi::{OpenApi, Route};
pub use railway::{Backup as RailwayBackup, Railway, RailwayAccount, Volume as RailwayVolume, World as RailwayWorld};
pub use sentry::{Sentry, SentryService};
pub use slack::Slack;
pub use smtp::{Mail, Security, Smtp};
pub use uptimerobot::{UptimeRobot, UptimeRobotService};
pub use webhook::Webhook;

use std::path::PathBuf;

/// Where published contracts are looked for: `AMBIT_CONTRACTS` alone where that is set, else beside the repository, else
/// where `script/contracts` puts them.
#[must_use]
pub fn contract_folders() -> Vec<PathBuf> {
    if let Some(set) = std::env::var_os("AMBIT_CONTRACTS").filter(|set| !set.is_empty()) {
        return vec![set.into()];
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/contracts");
    std::iter::once(beside).chain(cache.map(|cache| cache.join("ambit/contracts"))).collect()
}

/// A file of the published contracts; `None`, told on standard error, where they are not there.
#[must_use]
#[allow(clippy::print_stderr)] // A skipped test says so.
pub fn contract(path: &str) -> Option<String> {
    let text = contract_folders().iter().find_map(|folder| std::fs::read_to_string(folder.join(path)).ok());
    if text.is_none() {
        eprintln!("skipped: the contract {path} is not here; script/contracts fetches it");
    }
    text
}
