//! What a deployment into an environment has to satisfy, as the file says it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    model::Kind,
    reader::{Reader, shown},
    syntax::{Item, Node},
};

/// The conditions of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Who may say yes, by e-mail address or handle; empty where no approval is needed.
    pub approvers: Vec<String>,
    /// How long a deployment waits for a yes, and how long a yes holds.
    pub approval_expires: Duration,
    /// Whether somebody who wrote a part of the change may approve it.
    pub author_may_approve: bool,
    /// Times in which nothing is deployed.
    pub freeze: Vec<Freeze>,
    /// Branches that go straight here, by the shorter list of gates: a glob.
    pub hotfix: Option<String>,
    /// What is checked before a deployment.
    pub gates: Vec<Gate>,
    /// What is checked before a hotfix.
    pub hotfix_gates: Vec<Gate>,
    /// How many releases stay for a rollback.
    pub keep_releases: usize,
    /// How long a new release is watched before it counts as good; zero where it is not.
    pub soak: Duration,
    /// Share of failed requests, in percent, that takes a deployment back.
    pub max_error_rate: f64,
    /// 95th percentile of the answer time that takes a deployment back.
    pub max_latency: Option<Duration>,
}

/// An item of the checklist before a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// This very release passed its tests and ran in a staging environment.
    Tests,
    /// QA said yes to it.
    Qa,
    /// No open issue is labelled critical.
    Issues,
    /// Its migrations ran in a staging environment.
    Migrations,
    /// There is a backup younger than its bound.
    Backup,
    /// The changelog has an entry for the version.
    Changelog,
    /// The documentation was touched.
    Docs,
    /// Variables and secrets are complete and strong.
    Variables,
    /// Monitoring is declared and what runs answers.
    Monitoring,
    /// There is a release to go back to, and the migrations allow it.
    Rollback,
}

impl Gate {
    /// Every gate, in the order in which people read them.
    pub const ALL: [Self; 10] = [
        Self::Tests,
        Self::Qa,
        Self::Issues,
        Self::Migrations,
        Self::Backup,
        Self::Changelog,
        Self::Docs,
        Self::Variables,
        Self::Monitoring,
        Self::Rollback,
    ];

    /// Its name in the file and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Qa => "qa",
            Self::Issues => "issues",
            Self::Migrations => "migrations",
            Self::Backup => "backup",
            Self::Changelog => "changelog",
            Self::Docs => "docs",
            Self::Variables => "variables",
            Self::Monitoring => "monitoring",
            Self::Rollback => "rollback",
        }
    }

    /// The gate with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.name() == name)
    }
}

/// A time of the week in which nothing is deployed, in the machine's time zone. May pass over the end of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Minutes since Monday 00:00 at which it begins.
    pub from: u16,
    /// Minutes since Monday 00:00 at which it ends.
    pub until: u16,
}

const WEEK: u16 = 7 * 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Freeze {
    /// Whether a minute of the week, counted from Monday 00:00, is in it.
    #[must_use]
    pub fn contains(self, minute: u16) -> bool {
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// `Fri 16:00 - Mon 08:00`.
    fn read(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let read = Self { from: moment(from)?, until: moment(until)? };
        (read.from != read.until).then_some(read)
    }
}

impl std::fmt::Display for Freeze {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |minute: u16| {
            let day = DAYS[usize::from(minute / 1440) % 7];
            let (first, rest) = day.split_at(1);
            format!("{}{rest} {:02}:{:02}", first.to_uppercase(), minute % 1440 / 60, minute % 60)
        };
        write!(f, "{} - {}", shown(self.from), shown(self.until))
    }
}

fn moment(text: &str) -> Option<u16> {
    let mut words = text.split_ascii_whitespace();
    let day = words.next()?.to_ascii_lowercase();
    let day = DAYS.iter().position(|d| *d == day)?;
    let (hour, minute) = words.next()?.split_once(':')?;
    if words.next().is_some() || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = u16::try_from(day).ok()? * 1440 + hour * 60 + minute;
    (hour < 24 && minute < 60 && at < WEEK).then_some(at)
}

const DAY: Duration = Duration::from_secs(86_400);

/// Reads the conditions of an environment. A production environment has all gates where the file names none, other
/// environments have none.
pub(crate) fn read(reader: &mut Reader, node: &Node, kind: Kind) -> Policy {
    let production = kind == Kind::Production;
    let approvers = node.get("approvers").and_then(|n| reader.texts(n, "approvers")).unwrap_or_default();
    let duration = |reader: &mut Reader, key: &str| node.get(key).and_then(|n| reader.duration(n, key));
    let all: &[Gate] = if production { &Gate::ALL } else { &[] };
    let short: &[Gate] = if production { &[Gate::Tests, Gate::Backup, Gate::Variables, Gate::Rollback] } else { &[] };
    Policy {
        approvers,
        approval_expires: duration(reader, "approval-expires").unwrap_or(DAY),
        author_may_approve: node
            .get("author-may-approve")
            .and_then(|n| reader.bool(n, "author-may-approve"))
            .unwrap_or(false),
        freeze: freezes(reader, node),
        hotfix: node.get("hotfix").and_then(|n| reader.words(n, "hotfix")),
        gates: gates(reader, node, "gates").unwrap_or_else(|| all.to_vec()),
        hotfix_gates: gates(reader, node, "hotfix-gates").unwrap_or_else(|| short.to_vec()),
        keep_releases: node
            .get("keep-releases")
            .and_then(|n| reader.whole(n, "keep-releases", 1..=1000))
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(5),
        soak: duration(reader, "soak").unwrap_or(if production { Duration::from_secs(300) } else { Duration::ZERO }),
        max_error_rate: error_rate(reader, node),
        max_latency: duration(reader, "max-latency"),
    }
}

fn error_rate(reader: &mut Reader, node: &Node) -> f64 {
    let Some(value) = node.get("max-error-rate") else { return 5.0 };
    match reader.number(value, "max-error-rate") {
        Some(rate) if (0.0..=100.0).contains(&rate) => rate,
        Some(_) => {
            reader.error(&value.span, "`max-error-rate` takes a percentage from 0 to 100");
            5.0
        }
        None => 5.0,
    }
}

fn freezes(reader: &mut Reader, node: &Node) -> Vec<Freeze> {
    let Some(value) = node.get("freeze") else { return Vec::new() };
    let Item::List(list) = &value.item else {
        reader.texts(value, "freeze");
        return Vec::new();
    };
    let mut all = Vec::new();
    for one in list {
        let Some(text) = reader.words(one, "freeze") else { continue };
        match Freeze::read(&text) {
            Some(freeze) => all.push(freeze),
            None => reader.tell(
                Diagnostic::error(one.span.clone(), format!("`{}` is not a time of the week", shown(&text)))
                    .help("write: Fri 16:00 - Mon 08:00"),
            ),
        }
    }
    all
}

fn gates(reader: &mut Reader, node: &Node, key: &str) -> Option<Vec<Gate>> {
    let value = node.get(key)?;
    let Item::List(list) = &value.item else {
        reader.texts(value, key);
        return None;
    };
    let known: Vec<&str> = Gate::ALL.iter().map(|g| g.name()).collect();
    let mut all = Vec::new();
    for one in list {
        let Some(text) = reader.words(one, key) else { continue };
        match Gate::named(&text) {
            Some(gate) if all.contains(&gate) => {}
            Some(gate) => all.push(gate),
            None => reader.unknown(&one.span, &format!("unknown gate `{}`", shown(&text)), &text, &known),
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_may_pass_over_the_end_of_the_week() {
        let freeze = Freeze::read("Fri 16:00 - Mon 08:00").unwrap();
        assert_eq!(freeze.to_string(), "Fri 16:00 - Mon 08:00");
        for inside in ["fri 16:00", "sat 00:00", "sun 23:59", "mon 07:59"] {
            assert!(freeze.contains(moment(inside).unwrap()), "{inside}");
        }
        for outside in ["fri 15:59", "mon 08:00", "wed 12:00"] {
            assert!(!freeze.contains(moment(outside).unwrap()), "{outside}");
        }
        for bad in ["", "Fri - Mon", "Fri 24:00 - Mon 08:00", "Xyz 1:00 - Mon 2:00", "Fri 1:0 - Mon 2:00", "Fri 1:00"] {
            assert!(Freeze::read(bad).is_none(), "{bad}");
        }
    }
}
