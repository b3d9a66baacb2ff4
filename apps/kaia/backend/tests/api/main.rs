//! The backend as others meet it: the real process over HTTP, with a PostgreSQL and a Redis of its own.

mod accounts;
mod admin;
mod events;
mod faults;
mod hardening;
mod observing;
mod support;
mod variables;
