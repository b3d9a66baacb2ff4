//! One process, held: started, its output kept, restarted with a growing pause when it ends, limited, stopped with
//! everything that it started. One that runs once (a migration, a test, a job) is not restarted: its keeper notes how it
//! ended and ends too.
//!
//! A keeper lives by a *record*, a folder: `spec.json` says what to hold, `state.json` how it stands, `lock` is held while
//! the keeper lives, `output` is the pipe that the process writes to and `log` what came out of it. A keeper that is killed
//! leaves its process alone; the next keeper on the same record finds it again.
//!
//! Knows nothing of what it runs. Small on purpose: no async runtime, since ten of them idle side by side.

pub mod archive;
mod bound;
mod cgroup;
pub mod client;
mod log;
mod memory;
mod process;
mod record;
mod redact;
mod renew;
mod run;
mod tree;

pub use bound::MemoryBound;
pub use memory::give_back;
pub use record::{Exit, FORMAT, Held, Limits, LimitsState, Once, Phase, RecordError, Spec, State, StopSignal, Wanted};
pub use run::{KeeperError, run};
pub use tree::{Use, carrying, descendants, uses};
