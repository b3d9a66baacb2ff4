//! `[monitoring]` of one environment: how much is watched, and who is told when something is wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    diagnostic::Diagnostic,
    format::{MONITORING, Takes},
    model::Environment,
    notifications::address,
    project::{key, section},
    reader::{Reader, shown},
    syntax::{Item, Node},
};

/// Monitoring of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// How much is watched.
    pub level: MonitoringLevel,
    /// Where alerts go: `slack`, `email`, `webhook`.
    pub alert: Vec<String>,
    /// Hours in which nobody is told.
    #[serde(default)]
    pub quiet: Option<Quiet>,
    /// Who else is told where nobody acknowledges.
    #[serde(default)]
    pub escalate: Option<Escalate>,
}

/// How much is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitoringLevel {
    /// Nothing.
    #[default]
    None,
    /// Whether it answers.
    Basic,
    /// Everything.
    Full,
}

/// Who else is told of an alert that nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalate {
    /// How long an alert may stay unacknowledged.
    pub after: Duration,
    /// E-mail addresses.
    pub to: Vec<String>,
}

/// Hours of each day, in the machine's time zone. They may pass over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Minutes since midnight at which they begin.
    pub from: u16,
    /// Minutes since midnight at which they end.
    pub until: u16,
}

impl Quiet {
    /// Whether a minute of the day is among them.
    #[must_use]
    pub fn contains(self, minute: u16) -> bool {
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// `22:00 - 07:00`.
    fn read(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let read = Self { from: minute(from.trim())?, until: minute(until.trim())? };
        (read.from != read.until).then_some(read)
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The places that an alert can go to, by their names in [notifications].
const PLACES: [&str; 3] = ["slack", "email", "webhook"];

pub(crate) fn read(reader: &mut Reader, root: &Node, environment: &str) -> Monitoring {
    let Some(node) = root.get("monitoring") else { return Monitoring::default() };
    if !section(reader, node, MONITORING, "[monitoring]") {
        return Monitoring::default();
    }
    let level = reader
        .pick(node, key(MONITORING, "level"), environment)
        .and_then(|(n, _)| reader.one_of(n, "level", &["none", "basic", "full"]));
    Monitoring {
        level: match level {
            Some("basic") => MonitoringLevel::Basic,
            Some("full") => MonitoringLevel::Full,
            _ => MonitoringLevel::None,
        },
        alert: alert(reader, node, environment),
        quiet: quiet(reader, node, environment),
        escalate: escalate(reader, node, environment),
    }
}

fn alert(reader: &mut Reader, node: &Node, environment: &str) -> Vec<String> {
    let Some((list, _)) = reader.pick(node, key(MONITORING, "alert"), environment) else { return Vec::new() };
    let Item::List(entries) = &list.item else {
        reader.texts(list, "alert");
        return Vec::new();
    };
    let mut all = Vec::new();
    for one in entries {
        let Some(text) = reader.words(one, "alert") else { continue };
        if !PLACES.contains(&text.as_str()) {
            reader.unknown(&one.span, &format!("alerts cannot go to `{}`", shown(&text)), &text, &PLACES);
        } else if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

fn quiet(reader: &mut Reader, node: &Node, environment: &str) -> Option<Quiet> {
    let (value, _) = reader.pick(node, key(MONITORING, "quiet"), environment)?;
    let text = reader.words(value, "quiet")?;
    let read = Quiet::read(&text);
    if read.is_none() {
        reader.tell(
            Diagnostic::error(value.span.clone(), format!("`{}` are not hours of the day", shown(&text)))
                .help("write: 22:00 - 07:00"),
        );
    }
    read
}

fn escalate(reader: &mut Reader, node: &Node, environment: &str) -> Option<Escalate> {
    let (value, _) = reader.pick(node, key(MONITORING, "escalate"), environment)?;
    let Takes::Table(keys) = key(MONITORING, "escalate").takes else { return None };
    if !section(reader, value, keys, "`escalate`") {
        return None;
    }
    let (Some(after), Some(to)) = (value.get("after"), value.get("to")) else {
        reader.tell(
            Diagnostic::error(value.span.clone(), "`escalate` says after how long, and to whom")
                .help("escalate = { after = \"15m\", to = [\"lead@example.org\"] }"),
        );
        return None;
    };
    let (after, list) = (reader.duration(after, "after"), reader.texts(to, "to")?);
    if let Item::List(entries) = &to.item {
        for (one, text) in entries.iter().filter_map(|n| Some((n, n.scalar()?))) {
            address(reader, one, &text);
        }
    }
    Some(Escalate { after: after?, to: list })
}

/// What alerts need of `[notifications]`.
pub(crate) fn check(reader: &mut Reader, root: &Node, environment: &Environment) {
    let Some(node) = root.get("monitoring") else { return };
    let name = environment.name.as_str();
    let notifications = &environment.notifications;
    if let Some((list, _)) = reader.pick(node, key(MONITORING, "alert"), name) {
        for place in &environment.monitoring.alert {
            let declared = match place.as_str() {
                "slack" => notifications.slack.is_some(),
                "email" => notifications.email.is_some(),
                _ => notifications.webhook.is_some(),
            };
            if !declared {
                reader.tell(
                    Diagnostic::error(
                        list.span.clone(),
                        format!("alerts of {name} do not get to {place}: [notifications] does not declare it"),
                    )
                    .warning()
                    .help("what is wrong is shown by `ambit alerts` and `ambit status` alone"),
                );
            }
        }
    }
    if environment.monitoring.escalate.is_some()
        && notifications.email.is_none()
        && let Some((table, _)) = reader.pick(node, key(MONITORING, "escalate"), name)
    {
        reader.tell(
            Diagnostic::error(table.span.clone(), format!("`escalate` writes e-mail, which {name} does not declare"))
                .help("declare `email`, `from` and `smtp` in [notifications]"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_may_pass_over_midnight() {
        let night = Quiet::read("22:00 - 07:00").unwrap();
        for (minute, quiet) in [(22 * 60, true), (0, true), (6 * 60 + 59, true), (7 * 60, false), (21 * 60 + 59, false)]
        {
            assert_eq!(night.contains(minute), quiet, "{minute}");
        }
        let noon = Quiet::read("12:00-13:00").unwrap();
        assert!(noon.contains(12 * 60) && !noon.contains(13 * 60) && !noon.contains(0));
        for bad in ["", "22:00", "22 - 7", "24:00 - 07:00", "22:60 - 07:00", "7:00 - 8:00", "07:00 - 07:00", "-"] {
            assert_eq!(Quiet::read(bad), None, "{bad}");
        }
    }
}
