//! Times in which nothing is deployed: `Fri 16:00 - Mon 08:00`, `2026-12-20 - 2027-01-06`.

use crate::model::{Day, Freeze, WeekTime};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(crate) fn read(text: &str) -> Option<Freeze> {
    let (from, to) = text.split_once(" - ")?;
    let (from, to) = (from.trim(), to.trim());
    if let (Some(from), Some(to)) = (day(from), day(to)) {
        return (from <= to).then_some(Freeze::Dates { from, to });
    }
    let (from, to) = (week_time(from)?, week_time(to)?);
    (from != to).then_some(Freeze::Weekly { from, to })
}

fn week_time(text: &str) -> Option<WeekTime> {
    let (weekday, time) = text.split_once(' ')?;
    let weekday = WEEKDAYS.iter().position(|w| weekday.eq_ignore_ascii_case(w))?;
    let (hour, minute) = time.trim().split_once(':')?;
    let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
    (hour < 24 && minute < 60)
        .then_some(WeekTime { weekday: u8::try_from(weekday).ok()?, minute: hour * 60 + minute })
}

fn day(text: &str) -> Option<Day> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=last).contains(&day) {
        return None;
    }
    Some(Day { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
}

fn digits(text: &str, length: usize) -> Option<u16> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_is_weekly_or_a_span_of_days() {
        assert_eq!(
            read("Fri 16:00 - Mon 08:00"),
            Some(Freeze::Weekly {
                from: WeekTime { weekday: 4, minute: 960 },
                to: WeekTime { weekday: 0, minute: 480 }
            })
        );
        assert_eq!(
            read("2028-02-29 - 2028-03-01"),
            Some(Freeze::Dates {
                from: Day { year: 2028, month: 2, day: 29 },
                to: Day { year: 2028, month: 3, day: 1 }
            })
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            " - ",
            "Fri",
            "Fri 16:00",
            "Fri 24:00 - Mon 08:00",
            "Fri 16:00 - Fri 16:00",
            "Fry 16:00 - Mon 08:00",
            "2027-02-29 - 2027-03-01",
            "2027-03-02 - 2027-03-01",
            "2027-03-01 - Mon 08:00",
            "+027-03-01 - 2027-03-02",
            "Fri +1:00 - Mon 08:00",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
