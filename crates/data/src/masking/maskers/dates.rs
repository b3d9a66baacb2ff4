//! `date-shift`: dates of one subject move together, so what lies between them stays.

use super::Generate;
use super::calendar::{Date, date_of, days_of};
use super::ids::Ids;
use crate::masking::key::Prf;
use crate::masking::mask::MaskError;

/// Days that PostgreSQL takes: both types begin with Julian day 0 (4714-11-24 BC); `timestamp` ends with 294276, `date` in 5874898
/// (manual, 8.5; `datatype/timestamp.h`).
const FIRST: i64 = -2_440_588;
const LAST_OF_TIMESTAMP: i64 = 106_762_939;
const LAST_OF_DATE: i64 = 2_145_042_905;

pub(super) struct DateShift {
    pub(super) prf: Prf,
    pub(super) days: u32,
    /// For texts that are no dates, where the column is one of texts.
    pub(super) otherwise: Option<Ids>,
}

impl Generate for DateShift {
    fn generate(&self, value: &str, subject: Option<&str>, turn: u32, out: &mut String) -> Result<(), MaskError> {
        if matches!(value, "infinity" | "-infinity") {
            out.push_str(value);
            return Ok(());
        }
        match (shifted(value, |day| self.shift(day, subject.unwrap_or(value)), out), &self.otherwise) {
            (Some(()), _) => Ok(()),
            (None, Some(ids)) => ids.generate(value, None, turn, out),
            (None, None) => Err(MaskError("not a date in ISO form")),
        }
    }
}

impl DateShift {
    /// Never by nothing.
    fn shift(&self, day: i64, subject: &str) -> i64 {
        let draw = self.prf.draw(subject.as_bytes(), 0).below(2 * self.days as usize) as i64;
        let most = i64::from(self.days);
        let by = if draw < most { draw - most } else { draw - most + 1 };
        let last = if day > LAST_OF_TIMESTAMP { LAST_OF_DATE } else { LAST_OF_TIMESTAMP };
        // At the ends of the calendar there is only one way to go.
        if (FIRST..=last).contains(&(day + by)) { day + by } else { day - by }
    }
}

/// Writes the text with its date moved; `None` if it does not begin with one.
fn shifted(value: &str, shift: impl Fn(i64) -> i64, out: &mut String) -> Option<()> {
    use std::fmt::Write;
    if let Some((date, rest)) = Date::leading(value) {
        let (rest, before_christ) = match rest.strip_suffix(" BC") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let year = if before_christ { 1 - date.year } else { date.year };
        let (year, month, day) = date_of(shift(days_of(year, date.month, date.day)));
        let (year, era) = if year <= 0 { (1 - year, " BC") } else { (year, "") };
        write!(out, "{year:04}-{month:02}-{day:02}{rest}{era}").ok()
    } else {
        european(value, shift, out)
    }
}

/// `31/12/1984` and `31-12-1984`: day, month and year.
fn european(value: &str, shift: impl Fn(i64) -> i64, out: &mut String) -> Option<()> {
    use std::fmt::Write;
    let separator = if value.contains('/') { '/' } else { '-' };
    let mut parts = value.split(separator);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some() || !digits(day, 2) || !digits(month, 2) || year.len() != 4 || !digits(year, 4) {
        return None;
    }
    let date = Date::checked(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let (year, month, day) = date_of(shift(days_of(date.year, date.month, date.day)));
    write!(out, "{day:02}{separator}{month:02}{separator}{year:04}").ok()
}
