//! Services elsewhere, one module each: what is said to them, and what their answers mean. This room decides nothing: who
//! is told what, and when something is tried again, is said above. Credentials are handed in with each call, kept
//! nowhere, and never part of an error.

pub mod acme;
mod api;
pub mod cloudflare;
mod download;
pub mod email;
pub mod expo;
pub mod github;
mod http;
mod outcome;
pub mod railway;
pub mod sentry;
pub mod slack;
pub mod uptimerobot;
pub mod webhook;

pub use api::Carried;
pub use download::download;
pub use http::{Answer, Http, HttpError};
pub use outcome::SendError;
