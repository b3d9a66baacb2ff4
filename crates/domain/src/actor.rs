//! Who does something, and from where.

use serde::{Deserialize, Serialize};

/// A person or a program that asks for a change.
///
/// On the machine itself who somebody is, is what they say: whoever can open the daemon's socket owns the state folder
/// anyway. Over SSH and from GitHub the name is the one that the key or the signature stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// An e-mail address or a handle.
    pub who: String,
    /// Where the request came in: `cli uid 0`, `git`, `ssh`, `github`, `daemon`.
    pub from: String,
}

impl Actor {
    /// The daemon itself.
    #[must_use]
    pub fn daemon() -> Self {
        Self { who: "ambit".to_owned(), from: "daemon".to_owned() }
    }
}
