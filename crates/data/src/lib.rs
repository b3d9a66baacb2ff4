//! What is done with an environment's data: it is classified, masked, copied, and looked through for what must not be in it.
//!
//! Speaks to databases that it is given; which environment may be read and which written is decided above.

pub mod column;
pub mod rehearsal;
