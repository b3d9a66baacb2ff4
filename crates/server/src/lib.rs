//! The daemon's face: an HTTP API on a Unix socket that only its owner can open, and the client for it.
//!
//! It decides nothing: every request becomes one call of the application, and what that says while it works is streamed
//! as one JSON object a line. A client that goes away takes its request back at the next step. Beside it, on loopback ports of
//! their own that the proxy may lead to, it hears what GitHub tells, and serves the dashboard with the HTTP API for everybody
//! who is not on the machine.

mod client;
mod daemon;
mod dashboard;
mod exposition;
mod github;
mod payload;
mod remote;
mod socket;
mod wire;

pub use client::{Client, ClientError};
pub use daemon::{DaemonError, run};
pub use remote::Remote;
pub use wire::{Health, Message};
