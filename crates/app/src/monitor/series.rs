//! What series of metrics are called: `KIND/SERVICE`, those of the machine `machine/KIND`, those of URLs
//! `uptime/SERVICE URL`.

/// Series of the machine.
pub(crate) const MACHINE: &str = "machine/";
/// Whether a URL answers: 1 or 0.
pub(crate) const UPTIME: &str = "uptime/";
