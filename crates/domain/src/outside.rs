//! The services around: what is declared of them beside what is there, as one list of changes. Pure.
//!
//! Each service has a module of its own that knows its words (`domain::dns`, …) and gives a [`Look`]. A plan shows the changes of all
//! of them, `apply` carries them out, and both come from the same comparison. What a step needs to be carried out (`Op`) stays with
//! its service; what is shown and kept is the [`Change`] alone, which names things by what people call them and never by an id, so that
//! a plan that was kept still fits what it was made from.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::spec::EnvironmentName;

/// A part of the plan, in the order in which parts are applied: what a later one needs is made by an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Environments at Railway.
    Railway,
    /// The zone at Cloudflare.
    Dns,
    /// The repository at GitHub.
    Github,
    /// The files of its workflows, in this folder.
    Workflows,
    /// Variables of the builds at Expo.
    Expo,
    /// Monitors at UptimeRobot.
    Uptimerobot,
}

impl Place {
    /// All, in order.
    pub const ALL: [Self; 6] = [Self::Railway, Self::Dns, Self::Github, Self::Workflows, Self::Expo, Self::Uptimerobot];

    /// Its word in `--only`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Railway => "railway",
            Self::Dns => "dns",
            Self::Github => "github",
            Self::Workflows => "workflows",
            Self::Expo => "expo",
            Self::Uptimerobot => "uptimerobot",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is done to one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is not there.
    Create,
    /// It says something else.
    Change,
    /// Nothing declares it any more.
    Delete,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// As it is.
    Text(String),
    /// Of a secret only a keyed digest, so that another value is another plan; empty where nobody can read it.
    Secret(String),
    /// Known when something else was made: what that is. It fits whatever comes of it.
    Later(String),
}

impl Said {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether what was looked at covers this.
    fn covers(&self, now: &Self) -> bool {
        matches!(self, Self::Later(_)) || self == now
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(_) => f.write_str("(secret)"),
            Self::Later(from) => write!(f, "({from})"),
        }
    }
}

/// One property of a thing, before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Detail {
    /// Its name; empty for a thing that has but one.
    pub name: String,
    /// As it is; `None` where it is not there.
    pub old: Option<Said>,
    /// As it should be; `None` where it goes.
    pub new: Option<Said>,
}

impl Detail {
    /// A property.
    pub fn new(name: impl Into<String>, old: Option<Said>, new: Option<Said>) -> Self {
        Self { name: name.into(), old, new }
    }

    /// The property where both sides are texts and differ; nothing where they agree.
    pub fn of_texts(name: &str, old: Option<&str>, new: Option<&str>) -> Option<Self> {
        (old != new).then(|| Self::new(name, old.map(Said::text), new.map(Said::text)))
    }
}

/// One change to one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// What people call the thing: `kaia-dev/backend-dev variables`, `A api.kaia.ai`, `environment prod`.
    pub key: String,
    /// What is done.
    pub action: Action,
    /// What differs.
    pub details: Vec<Detail>,
    /// The environment that it is of, where it is of one.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
}

impl Change {
    /// Something new.
    pub fn create(key: impl Into<String>, details: Vec<Detail>) -> Self {
        Self { key: key.into(), action: Action::Create, details, environment: None }
    }

    /// Something else.
    pub fn replace(key: impl Into<String>, details: Vec<Detail>) -> Self {
        Self { key: key.into(), action: Action::Change, details, environment: None }
    }

    /// Nothing any more.
    pub fn delete(key: impl Into<String>, details: Vec<Detail>) -> Self {
        Self { key: key.into(), action: Action::Delete, details, environment: None }
    }

    /// The same, of an environment.
    #[must_use]
    pub fn of(self, environment: &EnvironmentName) -> Self {
        Self { environment: Some(environment.clone()), ..self }
    }

    /// Whether it is asked for: all are where no environment is named.
    #[must_use]
    pub fn is_of(&self, environments: &[EnvironmentName]) -> bool {
        environments.is_empty() || self.environment.as_ref().is_some_and(|name| environments.contains(name))
    }

    /// Whether somebody who said yes to this change said it to that one too: the same, or what was to be known later.
    #[must_use]
    pub fn covers(&self, now: &Self) -> bool {
        (&self.key, self.action, self.details.len()) == (&now.key, now.action, now.details.len())
            && self.details.iter().zip(&now.details).all(|(planned, found)| {
                planned.name == found.name
                    && planned.old == found.old
                    && match (&planned.new, &found.new) {
                        (Some(planned), Some(found)) => planned.covers(found),
                        (planned, found) => planned == found,
                    }
            })
    }

    /// Whether it waits for something that is made first.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.details.iter().any(|d| matches!(d.new, Some(Said::Later(_))))
    }
}

/// Changes that somebody said yes to, found by their key.
pub struct Allowed<'a>(BTreeMap<&'a str, Vec<&'a Change>>);

impl<'a> Allowed<'a> {
    /// Of these.
    #[must_use]
    pub fn new(changes: &'a [Change]) -> Self {
        let mut by_key: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            by_key.entry(&change.key).or_default().push(change);
        }
        Self(by_key)
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn covers(&self, change: &Change) -> bool {
        self.0.get(change.key.as_str()).is_some_and(|planned| planned.iter().any(|p| p.covers(change)))
    }
}

/// A change, and what its service needs to carry it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<Op> {
    /// As it is shown.
    pub change: Change,
    /// As it is done.
    pub op: Op,
}

/// Something that a person should know and that the plan does not mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What it is about.
    pub about: String,
    /// What is the matter and what would help.
    pub text: String,
}

impl Remark {
    /// About something.
    pub fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { about: about.into(), text: text.into() }
    }
}

/// How many requests a service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// So many requests …
    pub calls: u32,
    /// … in so many seconds.
    pub seconds: u32,
    /// How many of them are left, where the service says so.
    pub left: Option<u32>,
}

/// What a plan costs at a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests that carrying it out takes, its own reading included.
    pub calls: u32,
    /// What the service takes.
    pub quota: Option<Quota>,
}

impl Cost {
    /// How long the requests take at the least, in seconds, for the quota's sake.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let Some(quota) = self.quota.filter(|q| q.calls > 0) else { return 0 };
        let at_once = quota.left.unwrap_or(quota.calls);
        let later = self.calls.saturating_sub(at_once);
        u64::from(later.div_ceil(quota.calls)) * u64::from(quota.seconds)
    }

    /// Whether it fits in what is left, at once.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.seconds() == 0
    }
}

/// A name that has to be typed before something is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The name.
    pub name: String,
    /// What would be deleted: `postgresql-dev and its volume`.
    pub why: String,
}

/// A service beside what is declared of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look<Op> {
    /// What was looked at: `kaia.ai`, `kaia-dev, kaia-test, kaia`.
    pub title: String,
    /// What would be done, in order.
    pub steps: Vec<Step<Op>>,
    /// What is told beside.
    pub remarks: Vec<Remark>,
    /// How many things are as declared.
    pub kept: usize,
    /// How many things there are nobody's of the project.
    pub unmanaged: usize,
    /// What has to be typed first.
    pub confirm: Vec<Confirm>,
    /// What it costs.
    pub cost: Cost,
}

impl<Op> Default for Look<Op> {
    fn default() -> Self {
        Self {
            title: String::new(),
            steps: Vec::new(),
            remarks: Vec::new(),
            kept: 0,
            unmanaged: 0,
            confirm: Vec::new(),
            cost: Cost::default(),
        }
    }
}

impl<Op> Look<Op> {
    /// As it is shown and kept.
    #[must_use]
    pub fn part(&self, place: Place) -> Part {
        Part {
            place,
            title: self.title.clone(),
            changes: self.steps.iter().map(|s| s.change.clone()).collect(),
            remarks: self.remarks.clone(),
            kept: self.kept,
            unmanaged: self.unmanaged,
            confirm: self.confirm.clone(),
            cost: self.cost,
            unread: false,
        }
    }
}

/// One service in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub place: Place,
    /// What was looked at.
    pub title: String,
    /// What would be done, in order.
    pub changes: Vec<Change>,
    /// What is told beside.
    pub remarks: Vec<Remark>,
    /// How many things are as declared.
    pub kept: usize,
    /// How many things there are nobody's of the project.
    pub unmanaged: usize,
    /// What has to be typed first.
    pub confirm: Vec<Confirm>,
    /// What it costs.
    pub cost: Cost,
    /// Whether it could not be looked at: then nothing is known of it, and nothing is done.
    pub unread: bool,
}

impl Part {
    /// A part of which nothing is known.
    #[must_use]
    pub fn empty(place: Place) -> Self {
        Look::<()>::default().part(place)
    }
}

/// The plan of a project's services around. One that was kept is carried out as it was looked at, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The format: 2.
    pub version: u32,
    /// The project.
    pub project: String,
    /// The environments that it is of; all, and what is of none, where none is named.
    #[serde(default)]
    pub environments: Vec<EnvironmentName>,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

impl Plan {
    /// The format that this program writes and reads.
    pub const VERSION: u32 = 2;

    /// How many changes it has.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.parts.iter().map(|p| p.changes.len()).sum()
    }
}

/// What an earlier part found or made that a later one needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What Railway asks of the name servers for a host; `None` while Railway does not have the host, or was not asked.
    pub railway_hosts: BTreeMap<String, RailwayHost>,
    /// Projects at Railway by the environments that live there; `None` while one is still to be made. Nothing of an environment whose
    /// project is not made, or where Railway was not asked.
    pub railway_projects: BTreeMap<EnvironmentName, Option<String>>,
}

/// The records that Railway asks for: without the second it answers 404 although the first is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RailwayHost {
    /// The name that the host has to be a CNAME for.
    pub target: String,
    /// The name of the TXT record, whole: `_railway-verify.api.kaia.ai`.
    pub proof: String,
    /// What that record says.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_to_what_was_to_be_known_later_covers_what_came_of_it_and_nothing_else() {
        let later = |new| Change::create("CNAME api.kaia.ai", vec![Detail::new("content", None, Some(new))]);
        let planned = [later(Said::Later("what Railway gives".into()))];
        let allowed = Allowed::new(&planned);
        assert!(allowed.covers(&later(Said::text("x.up.railway.app"))));
        assert!(!Allowed::new(&[later(Said::text("y.up.railway.app"))]).covers(&later(Said::text("x.up.railway.app"))));
        assert!(!allowed.covers(&Change::create("CNAME api.kaia.ai", vec![])));
        assert!(!allowed.covers(&Change { action: Action::Delete, ..later(Said::text("x")) }));
    }

    #[test]
    fn what_does_not_fit_in_a_quota_waits_for_the_next() {
        let cost = |calls, left| Cost { calls, quota: Some(Quota { calls: 10, seconds: 60, left }) };
        assert_eq!([cost(10, None), cost(11, None), cost(31, None)].map(|c| c.seconds()), [0, 60, 180]);
        assert_eq!(cost(5, Some(4)).seconds(), 60);
        assert!(Cost { calls: 1000, quota: None }.fits());
    }
}
