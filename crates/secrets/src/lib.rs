//! Secrets at rest. This room encrypts an environment's secrets into `ambit.secrets` and back, keeps the keys that open
//! them, and finds secrets that lie in tracked files as plain text.
//!
//! It never prints, reads no environment variable and looks up no home directory: callers pass paths, texts and keys.
//! What an environment's secrets have to be like (length, uniqueness) is decided above; here they are only kept.

pub mod dotenv;
pub mod file;
pub mod generate;
pub mod keys;
mod name;
mod recipients;
pub mod recipients_edit;
pub mod scan;
mod secret;

pub use file::{SecretsError, SecretsFile};
pub use keys::{Identities, Identity, KeyError};
pub use name::{InvalidSecretName, check_name};
pub use recipients::{RecipientError, Recipients};
pub use secret::Secret;
