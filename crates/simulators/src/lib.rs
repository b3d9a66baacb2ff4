//! Test servers of the services that `ambit-cloud` speaks to. Each checks what it is sent as the real one would, by the
//! published contract where there is one, and can be told to fail: busy, broken, silent, gone. And what a build service makes:
//! [`apk`]. Only tests use this room.

#![allow(clippy::unwrap_used)] // What a test server does not expect ends the test.

pub mod apk;
mod cloudflare;
mod faults;
mod http;
mod openapi;
mod slack;
mod smtp;
mod webhook;

pub use cloudflare::{Cloudflare, Zone};
pub use faults::Fault;
pub use http::{Answered, HttpServer, Request};
pub use openapi::OpenApi;
pub use slack::Slack;
pub use smtp::{Mail, Security, Smtp};
pub use webhook::Webhook;

use std::path::PathBuf;

/// A file of the published contracts, which lie beside the repository; `None`, told on standard error, where they are
/// not there.
#[must_use]
#[allow(clippy::print_stderr)] // A skipped test says so.
pub fn contract(path: &str) -> Option<String> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/contracts").join(path);
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("skipped: ../shared/contracts/{path} is not here");
    }
    text
}
