//! The declaration. This room turns the text of an `ambit.toml` into a [`model::Project`] in which every environment
//! is complete in itself, or into the list of everything that is wrong with it, each with its place in the file.
//!
//! It does no I/O, knows no provider and prints nothing: faces render [`diagnostic::Diagnostic`]s. Every other room may
//! use it.

mod backup;
mod costs;
mod cross_checks;
pub mod diagnostic;
mod dotenv;
mod format;
pub mod mobile;
mod model;
mod monitoring;
pub mod name;
mod notifications;
mod policy;
mod project;
mod providers;
mod quantity;
mod reader;
mod resolve;
mod schema;
mod strength;
mod syntax;
mod template;
mod text;
mod tls;
mod urls;
mod variables;
mod zone_line;

pub use costs::{Costs, Placement, Price, Prices, Stated};
pub use diagnostic::{Diagnostic, Severity};
pub use dotenv::{Format, write};
pub use model::*;
pub use monitoring::{Escalate, Monitoring, MonitoringLevel, Quiet};
pub use name::{EnvironmentName, ProjectName, ServiceName};
pub use notifications::{Email, Language, Notifications, Occasion, Webhook, WebhookUrl};
pub use policy::{Freeze, Gate, Policy};
pub use project::{Parsed, parse};
pub use providers::{
    Access, Cloudflare, Expo, Github, Providers, RAILWAY_PROJECT_TOKEN, Railway, RailwayAccount, Sentry,
};
pub use quantity::duration;
pub use resolve::{Inputs, Resolved, plain_values, resolve, unset_secrets};
pub use schema::{reference, schema};
pub use strength::{check_secrets, weak_secrets};
pub use template::{InvalidTemplate, Placeholder, Template, TemplatePiece};
pub use tls::Acme;
pub use zone_line::ZoneLine;
