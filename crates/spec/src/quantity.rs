//! Times and sizes as people write them.

use std::time::Duration;

/// `30s`, `15m`, `6h`, `7d`, `2w`, `daily`, `weekly`.
pub fn duration(text: &str) -> Option<Duration> {
    match text {
        "hourly" => return Some(Duration::from_secs(3600)),
        "daily" => return Some(Duration::from_secs(86_400)),
        "weekly" => return Some(Duration::from_secs(7 * 86_400)),
        _ => {}
    }
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let number: u64 = digits.parse().ok().filter(|n| *n > 0)?;
    // Ten thousand days: longer is a typing error, and keeps sums far from overflow.
    Some(number.checked_mul(seconds)?).filter(|s| *s <= 10_000 * 86_400).map(Duration::from_secs)
}

/// `512MB`, `1.5GB`, `256MiB`, in bytes; all units are powers of 1024, as PostgreSQL and Redis take them.
pub(crate) fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start() {
        "KB" | "KiB" | "kB" => 10,
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let bytes = number * f64::from(1u32 << shift);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (1.0..1e15).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(duration("6h"), Some(Duration::from_secs(21_600)));
        assert_eq!(duration("weekly"), Some(Duration::from_secs(604_800)));
        for bad in ["", "h", "0h", "-1h", "1.5h", "6 h", "99999999999999999999d", "6é"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("512MB"), Some(512 << 20));
        assert_eq!(size("1.5GiB"), Some(3 << 29));
        for bad in ["", "512", "MB", "-1MB", "1e9GB", "1.2.3MB", "99999999999GB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
