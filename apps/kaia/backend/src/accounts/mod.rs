//! People: how they come in, who they are, and how long a login holds.

pub mod login;
pub mod password;
pub mod profile;
pub mod register;
pub mod reset;
pub mod secret;
pub mod sessions;
pub mod text;
pub mod tokens;
