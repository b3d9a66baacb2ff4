//! How often somebody may ask. Counted in Redis, where all instances count together; in memory while Redis is gone, since
//! an API that answers and counts a little less exactly is better than one that does neither.
//!
//! Each bucket is one number, the *theoretical arrival time* of the generic cell rate algorithm: a bucket of N a minute lets
//! N go at once and one more each N-th of a minute, and has no edge at which a window begins anew.

mod cache;
mod memory;
mod rate;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub use cache::Cache;
use memory::Memory;
pub use rate::{Limits, Rate, Verdict};

pub struct Limiter {
    cache: Arc<Cache>,
    memory: Memory,
    fallen_back: AtomicBool,
}

impl Limiter {
    pub fn new(cache: Arc<Cache>) -> Self {
        Self { cache, memory: Memory::default(), fallen_back: AtomicBool::new(false) }
    }

    /// Takes one from each bucket, or from none where one of them is empty.
    pub async fn take(&self, buckets: &[(Rate, String)]) -> Verdict {
        match self.cache.take(buckets).await {
            Some(verdict) => {
                if self.fallen_back.swap(false, Ordering::Relaxed) {
                    tracing::warn!("Redis is back: limits are counted there again");
                }
                verdict
            }
            None => {
                if !self.fallen_back.swap(true, Ordering::Relaxed) {
                    tracing::error!("Redis is gone: limits are counted in memory, by each instance for itself");
                }
                self.memory.take(buckets)
            }
        }
    }
}
