//! Times such as `7d`.

const LONGEST: i64 = 366 * 86_400;

pub(super) fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.then(|| number.parse::<i64>().ok()?.checked_mul(factor))??;
    (1..=LONGEST).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(seconds("7d"), Some(604_800));
        assert_eq!(seconds("24h"), Some(86_400));
        for wrong in ["", "d", "7", "7w", "-7d", "+7d", "0h", "1.5h", "99999999999999999999d", "367d", "7€", "7 d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
