//! Who does something, and from where.

use serde::{Deserialize, Serialize};

/// Longer names are cut: they end up in one line of a log.
const LONGEST: usize = 200;

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
    /// Somebody who came in by a way. Control characters are dropped and long names cut.
    #[must_use]
    pub fn new(who: &str, from: &str) -> Self {
        let line = |text: &str| text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        Self { who: line(who), from: line(from) }
    }

    /// A person at the command line, with the id of the OS user.
    #[must_use]
    pub fn cli(who: &str, uid: u32) -> Self {
        Self::new(who, &format!("cli uid {uid}"))
    }

    /// The daemon itself.
    #[must_use]
    pub fn daemon() -> Self {
        Self { who: "ambit".to_owned(), from: "daemon".to_owned() }
    }
}
