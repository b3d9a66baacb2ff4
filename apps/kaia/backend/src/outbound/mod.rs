//! Services elsewhere: mail by SendGrid, SMS by Twilio, places by Google. One HTTP client for all of them, and for Sentry and
//! traces too.

pub mod client;
pub mod google;
mod message;
mod post;
mod sendgrid;
mod twilio;

pub use message::Message;
pub use post::{Post, Postman};
