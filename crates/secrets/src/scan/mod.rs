//! Secrets that lie in tracked files as plain text: what `ambit check` warns of.
//!
//! One pass over each file finds the few places where a secret could begin (fixed texts, all at once); a rule then looks
//! at that place alone, never further than a bounded number of bytes. The cost is that of reading the files.

mod allow;
mod assignment;
mod files;
mod finding;
mod pem;
mod place;
mod plausible;
mod scanner;
mod shapes;
mod url;

pub use finding::Finding;
pub use scanner::{LARGEST_FILE, scan};
