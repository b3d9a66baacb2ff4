//! Rates, and what became of a request that was counted.

/// So many in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub milliseconds: u32,
}

/// The limits of every route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub everybody: Rate,
    pub caller: Rate,
    pub route: Rate,
}

impl Rate {
    pub const fn a_minute(count: u32) -> Self {
        Self { count, milliseconds: 60_000 }
    }

    /// `600/m`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let milliseconds = match unit {
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let digits = count.bytes().all(|b| b.is_ascii_digit());
        let count = digits.then(|| count.parse().ok())??;
        (1..=1_000_000_000).contains(&count).then_some(Self { count, milliseconds })
    }

    /// How much later the arrival time is with each that is taken, in microseconds.
    pub(super) fn step(self) -> u64 {
        (u64::from(self.milliseconds) * 1000 / u64::from(self.count)).max(1)
    }

    /// How far in the future the arrival time may lie, in microseconds.
    pub(super) fn depth(self) -> u64 {
        self.step() * u64::from(self.count)
    }
}

/// What a request may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    /// Of the bucket that has least left.
    pub limit: u32,
    pub remaining: u32,
    /// When it has one again, in microseconds.
    pub(super) retry: u64,
    /// When it is full again, in microseconds.
    pub(super) reset: u64,
}

impl Verdict {
    pub fn retry_after(&self) -> u64 {
        self.retry.div_ceil(1_000_000).max(1)
    }

    pub fn reset_seconds(&self) -> u64 {
        self.reset.div_ceil(1_000_000)
    }
}

/// What a bucket says that is `ahead` microseconds ahead of now, after one was taken or refused.
pub(super) fn verdict(rate: Rate, allowed: bool, ahead: u64) -> Verdict {
    let room = rate.depth().saturating_sub(ahead);
    let retry = if allowed { 0 } else { (ahead + rate.step()).saturating_sub(rate.depth()) };
    let remaining = u32::try_from(room / rate.step()).unwrap_or(rate.count);
    Verdict { allowed, limit: rate.count, remaining, retry, reset: ahead }
}
