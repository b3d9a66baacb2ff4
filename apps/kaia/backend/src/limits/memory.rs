//! The same buckets in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::rate::{Rate, Verdict, verdict};

/// More callers than this are not told apart for long: the fullest buckets are kept, the others begin anew.
const MOST: usize = 50_000;

pub(super) struct Memory {
    start: Instant,
    arrivals: Mutex<HashMap<String, u64>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { start: Instant::now(), arrivals: Mutex::default() }
    }
}

impl Memory {
    pub(super) fn take(&self, buckets: &[(Rate, String)]) -> Verdict {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= MOST {
            arrivals.retain(|_, arrival| *arrival > now);
            if arrivals.len() >= MOST {
                arrivals.clear();
            }
        }
        let ahead = |arrivals: &HashMap<String, u64>, key: &String| {
            arrivals.get(key).map_or(0, |arrival| arrival.saturating_sub(now))
        };
        let refused = buckets.iter().find_map(|(rate, key)| {
            let ahead = ahead(&arrivals, key);
            (ahead + rate.step() > rate.depth()).then(|| verdict(*rate, false, ahead))
        });
        if let Some(refused) = refused {
            return refused;
        }
        let mut tightest: Option<Verdict> = None;
        for (rate, key) in buckets {
            let ahead = ahead(&arrivals, key) + rate.step();
            arrivals.insert(key.clone(), now + ahead);
            let this = verdict(*rate, true, ahead);
            if tightest.is_none_or(|t| this.remaining < t.remaining) {
                tightest = Some(this);
            }
        }
        tightest.unwrap_or(verdict(Rate::a_minute(1), true, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_says_when() {
        let memory = Memory::default();
        let bucket = [(Rate::a_minute(3), "a".to_owned())];
        let left: Vec<_> = (0..3).map(|_| memory.take(&bucket)).map(|v| (v.allowed, v.remaining)).collect();
        assert_eq!(left, [(true, 2), (true, 1), (true, 0)]);
        let refused = memory.take(&bucket);
        assert!(!refused.allowed);
        assert!((19..=20).contains(&refused.retry_after()), "{refused:?}");
    }

    #[test]
    fn where_one_bucket_is_empty_nothing_is_taken_from_the_others() {
        let memory = Memory::default();
        let (wide, narrow) = ((Rate::a_minute(5), "wide".to_owned()), (Rate::a_minute(1), "narrow".to_owned()));
        let both = [wide.clone(), narrow];
        assert!(memory.take(&both).allowed);
        assert!((0..9).all(|_| !memory.take(&both).allowed));
        assert_eq!(memory.take(&[wide]).remaining, 3);
    }
}
