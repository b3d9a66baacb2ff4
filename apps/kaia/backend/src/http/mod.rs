//! What every request passes on its way, and what every answer has in common. Nothing here knows what Kaia is about.

pub mod cors;
pub mod extract;
pub mod headers;
pub mod identity;
pub mod limiting;
pub mod problem;
pub mod request;
