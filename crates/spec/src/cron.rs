//! Cron expressions of five fields (POSIX crontab, with steps).

/// Minute, hour, day of the month, month, day of the week (0 and 7 are Sunday).
const LIMITS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];

pub(crate) fn is_cron(text: &str) -> bool {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    fields.len() == LIMITS.len()
        && fields.iter().zip(LIMITS).all(|(field, limits)| field.split(',').all(|part| is_part(part, limits)))
}

fn is_part(part: &str, (low, high): (u32, u32)) -> bool {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, number(step)),
        None => (part, Some(1)),
    };
    let within = |n: &str| number(n).filter(|n| (low..=high).contains(n));
    step.is_some_and(|s| (1..=high.max(1)).contains(&s))
        && match range.split_once('-') {
            _ if range == "*" => true,
            Some((from, to)) => within(from).zip(within(to)).is_some_and(|(from, to)| from <= to),
            None => within(range).is_some(),
        }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_within_their_bounds_are_a_schedule() {
        for good in ["* * * * *", "*/5 0-6 1,15 12 7", "0 3 * * 1-5", "59 23 31 12 0"] {
            assert!(is_cron(good), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "+5 * * * *", "@daily", ", * * * *"] {
            assert!(!is_cron(bad), "{bad}");
        }
    }
}
