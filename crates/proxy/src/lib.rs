//! The process that carries all traffic of a machine: it finds the route of a request by host name and path prefix and
//! passes it to an app or answers it from a static site, and counts what it does.
//!
//! It knows nothing but its routing table, which lies on disk (`routes.json`), so it starts and serves without the
//! daemon. It never knows *why* a route changed, never decides when an app is healthy, and prints nothing: the face that
//! calls [`run`] sets up `tracing`. Who changes routes stores a new [`table::RoutingTable`] and calls
//! [`client::reload`], which returns once every worker serves by the new table.
//!
//! The way of a request: `worker` accepts (`tls` shakes hands where clients come encrypted), `connection` watches the socket, `serve` finds the route (`routing`),
//! and `forward` (an app) or `site` (files) answers; `tunnel` takes over after an upgrade.

mod answer;
pub mod certificates;
pub mod challenges;
pub mod client;
mod config;
mod connection;
mod control;
mod error;
pub mod figures;
mod folder;
mod forward;
mod handover;
mod headers;
mod listen;
pub mod lock;
mod names;
mod page;
mod process;
mod registry;
mod routing;
mod serve;
mod site;
pub mod table;
mod tls;
mod tunnel;
mod upstream;
mod worker;

pub use config::{Config, Limits};
pub use error::{Error, explain};
pub use process::{Prepared, run};
pub use tls::Served;
