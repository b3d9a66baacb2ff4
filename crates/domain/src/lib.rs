//! The words of the design as types, and the rules that need nothing but them.
//!
//! Pure: no I/O, no clock, no randomness. Stores and providers above implement or use what is named here; faces above
//! them turn a [`Failure`] into words on a screen.

pub mod access;
mod actor;
mod announcing;
pub mod audit;
pub mod backup;
pub mod ci;
pub mod cost;
pub mod delivery;
pub mod deployment;
pub mod diagnosis;
pub mod dns;
pub mod dora;
pub mod expo;
mod failure;
pub mod gates;
pub mod github;
pub mod glob;
mod home;
pub mod hosted;
pub mod ids;
pub mod incident;
pub mod intake;
pub mod mobile;
pub mod monitoring;
pub mod monitors;
pub mod notification;
pub mod outside;
pub mod plan;
mod progress;
pub mod provider;
pub mod railway;
mod record;
pub mod release;
pub mod relocation;
pub mod renewal;
pub mod rollout;
pub mod sentry;
pub mod service_unit;

pub use actor::Actor;
pub use ambit_spec as spec;
pub use delivery::{Channel, Delivery, DeliveryState, Outgoing};
pub use deployment::{Deployment, DeploymentState};
pub use failure::{Failure, FailureKind};
pub use home::Home;
pub use hosted::{Hosted, Placement};
pub use ids::{BuildId, DeploymentId, EnvironmentId, InstanceId, ReleaseId};
pub use notification::Announcement;

pub use progress::{Event, Outcome};
pub use provider::Provider;
pub use record::{Commit, EnvironmentRecord, Instance, Real, ServiceRecord, Wanted};
pub use release::Release;
