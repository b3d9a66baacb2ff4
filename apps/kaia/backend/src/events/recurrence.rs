//! Events that recur: a rule of RFC 5545, in the event's own time zone, so that nine o'clock stays nine o'clock when the
//! clocks change.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

/// A rule ends after at most so many occurrences, or never.
const MOST: u32 = 1000;
/// So many dates are looked at in one go before a rule is given up: what a century of days needs.
const STEPS: usize = 40_000;

pub struct Recurrence {
    rule: RRule<Unvalidated>,
    start: DateTime<Tz>,
    length: TimeDelta,
}

impl Recurrence {
    /// Errors say what was expected.
    pub fn parse(text: &str, start: DateTime<Utc>, end: DateTime<Utc>, time_zone: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 500 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("is a rule of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO, of at most 500 characters".into());
        }
        let zone: chrono_tz::Tz = time_zone.parse().map_err(|_| "needs a time zone".to_owned())?;
        let rule: RRule<Unvalidated> = text.parse().map_err(|e| format!("is no rule of RFC 5545: {e}"))?;
        if matches!(rule.get_freq(), Frequency::Hourly | Frequency::Minutely | Frequency::Secondly) {
            return Err("recurs at most daily".into());
        }
        if !(rule.get_by_hour().is_empty() && rule.get_by_minute().is_empty() && rule.get_by_second().is_empty()) {
            return Err("takes its time of day from start_time: BYHOUR, BYMINUTE and BYSECOND are not allowed".into());
        }
        if rule.get_count().is_some_and(|count| count == 0 || count > MOST) {
            return Err(format!("has a COUNT from 1 to {MOST}"));
        }
        let start = start.with_timezone(&Tz::from(zone));
        rule.clone().validate(start).map_err(|e| format!("does not hold: {e}"))?;
        Ok(Self { rule, start, length: end - start.with_timezone(&Utc) })
    }

    /// Whether there is any such date. A calculation where there is none: all of a century is looked at.
    pub fn occurs(&self) -> bool {
        self.dates(self.start).next().is_some()
    }

    /// When its last occurrence ends, where it has one.
    pub fn until(&self) -> Result<Option<DateTime<Utc>>, String> {
        if self.rule.get_count().is_none() && self.rule.get_until().is_none() {
            return Ok(None);
        }
        if let Some(until) = self.rule.get_until() {
            return Ok(Some(until.with_timezone(&Utc) + self.length));
        }
        let last = self.dates(self.start).take(STEPS).last();
        last.map(|last| Some(last + self.length)).ok_or_else(|| "never occurs".to_owned())
    }

    /// The first that begins after a time.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.dates(self.nearer(time)).take(STEPS).find(|begin| *begin > time)
    }

    /// Those that touch a time from `from` until before `to`, in their order while `wanted`, at most so many. Also how many
    /// dates were looked at.
    pub fn between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        most: usize,
        wanted: impl Fn(DateTime<Utc>) -> bool,
    ) -> (Vec<DateTime<Utc>>, usize) {
        let mut looked_at = 0;
        let dates = self.dates(self.nearer(from - self.length));
        let found = dates
            .take(STEPS)
            .inspect(|_| looked_at += 1)
            .take_while(|begin| *begin < to)
            .filter(|begin| (*begin + self.length > from || *begin >= from) && wanted(*begin))
            .take(most)
            .collect();
        (found, looked_at)
    }

    pub fn length(&self) -> TimeDelta {
        self.length
    }

    fn dates(&self, start: DateTime<Tz>) -> impl Iterator<Item = DateTime<Utc>> {
        let rule = self.rule.clone().validate(start).ok();
        let set = rule.map(|rule| RRuleSet::new(start).rrule(rule).limit());
        set.map(|set| (&set).into_iter()).into_iter().flatten().map(|date| date.with_timezone(&Utc))
    }

    /// A date before `time` from which the rule goes on as from its start: whole periods of days and weeks are passed over.
    /// Not where occurrences are counted, and not for months and years, of which a century has few.
    fn nearer(&self, time: DateTime<Utc>) -> DateTime<Tz> {
        let days = match self.rule.get_freq() {
            Frequency::Daily => 1,
            Frequency::Weekly => 7,
            _ => return self.start,
        } * i64::from(self.rule.get_interval());
        if self.rule.get_count().is_some() || days <= 0 {
            return self.start;
        }
        let local = self.start.naive_local();
        let periods = (time.with_timezone(&self.start.timezone()).naive_local() - local).num_days() / days;
        // A day on which the clocks change may not have this time of day, or have it twice: then an earlier one.
        (2..6)
            .map(|back| periods - back)
            .take_while(|periods| *periods > 0)
            .find_map(|periods| {
                let there = local.checked_add_signed(TimeDelta::days(periods * days))?;
                self.start.timezone().from_local_datetime(&there).single()
            })
            .unwrap_or(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn rule(text: &str, start: &str, zone: &str) -> Result<Recurrence, String> {
        Recurrence::parse(text, at(start), at(start) + TimeDelta::hours(1), zone)
    }

    #[test]
    fn nine_o_clock_stays_nine_o_clock() {
        let weekly = rule("FREQ=WEEKLY", "2026-03-23T08:00:00Z", "Europe/Madrid").unwrap();
        let found = weekly.between(at("2026-03-23T00:00:00Z"), at("2026-04-07T00:00:00Z"), 10, |_| true).0;
        assert_eq!(found, [at("2026-03-23T08:00:00Z"), at("2026-03-30T07:00:00Z"), at("2026-04-06T07:00:00Z")]);
    }

    #[test]
    fn passing_over_whole_periods_changes_nothing() {
        let rules = [
            "FREQ=DAILY;INTERVAL=3",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
            "FREQ=DAILY;BYMONTH=2,7",
            "FREQ=WEEKLY;BYDAY=SU;WKST=SU",
        ];
        for text in rules {
            let rule = rule(text, "1996-05-06T01:30:00Z", "Europe/Madrid").unwrap();
            let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-08-20T00:00:00Z"));
            let whole: Vec<_> =
                rule.dates(rule.start).take_while(|d| *d < to).filter(|d| *d + rule.length > from).collect();
            let (found, looked_at) = rule.between(from, to, 1000, |_| true);
            assert_eq!(found, whole, "{text}");
            assert!(looked_at < 250, "{text}: {looked_at}");
        }
    }

    #[test]
    fn the_end_of_a_rule_is_known_where_it_has_one() {
        let start = "2026-01-05T10:00:00Z";
        let until = |text| rule(text, start, "UTC").unwrap().until().unwrap();
        assert_eq!(until("FREQ=DAILY;COUNT=3"), Some(at("2026-01-07T11:00:00Z")));
        assert_eq!(until("FREQ=DAILY;UNTIL=20260107T100000Z"), Some(at("2026-01-07T11:00:00Z")));
        assert_eq!(until("FREQ=YEARLY"), None);
    }

    #[test]
    fn what_is_no_rule_for_a_calendar_is_refused() {
        for wrong in [
            "",
            "weekly",
            "FREQ=SECONDLY",
            "FREQ=HOURLY",
            "FREQ=DAILY;BYSECOND=1,2",
            "FREQ=DAILY;COUNT=100000",
            "FREQ=DAILY;COUNT=0",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY\nX:1",
        ] {
            let fits = rule(wrong, "2026-01-05T10:00:00Z", "UTC").is_ok_and(|rule| rule.occurs());
            assert!(!fits, "{wrong}");
        }
    }
}
