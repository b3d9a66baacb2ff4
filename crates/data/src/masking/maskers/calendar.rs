//! Days and dates of the proleptic Gregorian calendar, as PostgreSQL counts them (manual, appendix B.6).

/// Days from 1970-01-01. The algorithm is Howard Hinnant's ("chrono-compatible low-level date algorithms", 2013); year 0 is 1 BC.
pub(crate) fn days_of(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of so many days from 1970-01-01.
pub(crate) fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// A date at the beginning of a text, in ISO 8601's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    /// 0 is 1 BC.
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl Date {
    /// Whether there is such a day.
    pub(crate) fn checked(year: i64, month: u8, day: u8) -> Option<Self> {
        let right = (1..=12).contains(&month) && day >= 1 && date_of(days_of(year, month, day)) == (year, month, day);
        right.then_some(Self { year, month, day })
    }

    /// Reads `YYYY-MM-DD`, with more digits of the year where there are; also what follows.
    pub(crate) fn leading(text: &str) -> Option<(Self, &str)> {
        let (year, rest) = text.split_once('-')?;
        if !(4..=7).contains(&year.len()) || !year.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let b = rest.as_bytes();
        let two = |i: usize| match (b.get(i)?, b.get(i + 1)?) {
            (a @ b'0'..=b'9', b @ b'0'..=b'9') => Some((a - b'0') * 10 + b - b'0'),
            _ => None,
        };
        if *b.get(2)? != b'-' || b.get(5).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let date = Self::checked(year.parse().ok()?, two(0)?, two(3)?)?;
        Some((date, rest.get(5..)?))
    }
}
