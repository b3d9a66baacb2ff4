//! Who watches a project from outside: the monitors that its environments need, beside those that an account has. Pure.
//!
//! A monitor is the project's own by a tag (`ambit-kaia_prod`): no other one is ever changed or deleted. Ambit makes monitors of HTTP
//! alone; one of another kind that has the tag is somebody's who likes the tag.

mod compare;

pub use compare::{Change, Comparison, Taken, adopted, compare};

use crate::spec::{Environment, EnvironmentName, Form, MonitoringLevel, Project, ProjectName, Service};

/// How often is asked, in seconds: as often as a free account may.
pub const INTERVAL: u32 = 300;

/// A monitor as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// What people call it: `kaia prod: backend`.
    pub name: String,
    /// What is asked.
    pub url: String,
    /// Whose it is.
    pub tag: String,
    /// The environment that is watched.
    pub environment: EnvironmentName,
    /// Who is told.
    pub alerts: Vec<Alert>,
}

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alert {
    /// A channel of Slack.
    Slack,
    /// A mailbox.
    Email,
    /// A URL that is called.
    Webhook,
}

impl Alert {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Email, Self::Webhook];

    /// Its word in `[monitoring]`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

/// Somebody who can be told, as the account has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// By what the service knows it.
    pub id: u64,
    /// What people call it. Never its address, which may be a secret.
    pub name: String,
    /// The way.
    pub kind: Alert,
}

/// A monitor as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// By what the service knows it.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// What is asked.
    pub url: String,
    /// Whether it asks by HTTP and looks at the status alone.
    pub http: bool,
    /// How often, in seconds.
    pub interval: u32,
    /// Whether somebody stopped it.
    pub paused: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// Who is told.
    pub told: Vec<Told>,
}

/// Somebody who is told by a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Who, by number.
    pub contact: u64,
    /// After so many minutes.
    pub after: u32,
    /// Again and again after so many; 0 is once.
    pub every: u32,
}

impl Told {
    /// At once and once, as a free account tells.
    #[must_use]
    pub fn at_once(contact: u64) -> Self {
        Self { contact, after: 0, every: 0 }
    }
}

/// The monitors that a project needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The environments that are watched from outside.
    pub environments: Vec<EnvironmentName>,
    /// In the order of the file.
    pub monitors: Vec<Monitor>,
    /// What cannot be watched: what it is and why.
    pub unmet: Vec<(String, String)>,
}

impl Wanted {
    /// Whether somebody is told in one of these ways.
    #[must_use]
    pub fn tells(&self, by: &[Alert]) -> bool {
        self.monitors.iter().flat_map(|m| &m.alerts).any(|alert| by.contains(alert))
    }
}

/// One monitor for each app and site with a URL, in each environment whose monitoring is `full`. An app is asked for its health where
/// that can be seen from outside.
#[must_use]
pub fn wanted(project: &Project) -> Wanted {
    let mut found = Wanted::default();
    for (name, environment) in &project.environments {
        if environment.monitoring.level != MonitoringLevel::Full {
            continue;
        }
        found.environments.push(name.clone());
        let alerts = alerts(environment);
        for service in environment.services.values() {
            let Some(url) = service.urls.first() else { continue };
            let called = format!("{} {name}: {}", project.name, service.name);
            if url.host.ends_with(".localhost") {
                let why = "nobody outside reaches it: the project has no domain (add to ambit.toml: domain = \"example.org\")";
                found.unmet.push((called, why.to_owned()));
                continue;
            }
            let path = health(service, &url.path).unwrap_or(&url.path);
            found.monitors.push(Monitor {
                name: called,
                url: format!("https://{}{}", url.host, path.trim_end_matches('/')),
                tag: tag(&project.name, name),
                environment: name.clone(),
                alerts: alerts.clone(),
            });
        }
    }
    found
}

/// The path of an app's health, where it lies below its URL and a monitor would take its answer for a good one.
fn health<'a>(service: &'a Service, below: &str) -> Option<&'a str> {
    let Form::App(app) = &service.form else { return None };
    let health = app.health.as_ref().filter(|health| (200..400).contains(&health.status))?;
    let below = below.trim_end_matches('/');
    let rest = health.path.strip_prefix(below)?;
    (below.is_empty() || rest.is_empty() || rest.starts_with('/')).then_some(health.path.as_str())
}

/// Their words are checked where the file is read.
fn alerts(environment: &Environment) -> Vec<Alert> {
    let words = &environment.monitoring.alert;
    let mut read: Vec<Alert> =
        Alert::ALL.into_iter().filter(|alert| words.iter().any(|word| word == alert.name())).collect();
    read.sort_unstable();
    read
}

/// The tag of what is an environment's. Names hold no `_`, so that it is read in one way only; and no capital, which no tag may have.
#[must_use]
pub fn tag(project: &ProjectName, environment: &EnvironmentName) -> String {
    format!("ambit-{project}_{environment}")
}

fn is_owned(project: &ProjectName, tag: &str) -> bool {
    read(tag).is_some_and(|(name, _)| name == project.as_str())
}

/// The project and the environment that a tag names.
fn read(tag: &str) -> Option<(&str, &str)> {
    tag.strip_prefix("ambit-")?.split_once('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAIA: &str = r#"
        project = "kaia"
        domain = "kaia.ai"
        [environments.test]
        [environments.prod]
        [services.backend]
        run = "true"
        health = "/ready"
        url = { test = "api-test.@", prod = "api.@" }
        [services.web]
        static = "web"
        url = { test = "test.@", prod = ["@", "www.@"] }
        [services.docs]
        static = "docs"
        url = { test = "test.@/docs", prod = "docs.@" }
        [services.jobs]
        run = "true"
        kind = "worker"
        [monitoring]
        level = { test = "basic", prod = "full" }
        alert = { prod = ["slack", "email"] }
    "#;

    pub(super) fn kaia() -> Project {
        crate::spec::parse(KAIA).project.unwrap()
    }

    fn urls(text: &str) -> Vec<String> {
        wanted(&crate::spec::parse(text).project.unwrap()).monitors.into_iter().map(|m| m.url).collect()
    }

    #[test]
    fn production_is_watched_one_monitor_a_service_and_nothing_where_monitoring_is_less_than_full() {
        let found = wanted(&kaia());
        let lines: Vec<String> = found.monitors.iter().map(|m| format!("{} {}", m.name, m.url)).collect();
        assert_eq!(
            lines,
            [
                "kaia prod: backend https://api.kaia.ai/ready",
                "kaia prod: web https://kaia.ai",
                "kaia prod: docs https://docs.kaia.ai",
            ]
        );
        assert!(found.monitors.iter().all(|m| m.tag == "ambit-kaia_prod" && m.alerts == [Alert::Slack, Alert::Email]));
        assert_eq!(found.environments.iter().map(EnvironmentName::as_str).collect::<Vec<_>>(), ["prod"]);
        assert!(found.tells(&[Alert::Email, Alert::Webhook]) && !found.tells(&[Alert::Webhook]));
    }

    #[test]
    fn an_app_is_asked_for_its_health_only_where_that_can_be_seen_from_outside() {
        let below = |path: &str| KAIA.replace("prod = \"api.@\"", &format!("prod = \"@{path}\""));
        assert_eq!(urls(&below("/api"))[0], "https://kaia.ai/api");
        assert_eq!(urls(&below("/rea"))[0], "https://kaia.ai/rea");
        assert_eq!(urls(&below("/ready"))[0], "https://kaia.ai/ready");
        let other = KAIA.replace("health = \"/ready\"", "health = { path = \"/ready\", status = 418 }");
        assert_eq!(urls(&other)[0], "https://api.kaia.ai");
    }

    #[test]
    fn what_nobody_outside_reaches_is_told() {
        let text = KAIA.replace("domain = \"kaia.ai\"", "");
        let found = wanted(&crate::spec::parse(&text).project.unwrap());
        assert!(found.monitors.is_empty());
        assert!(found.unmet.iter().any(|(about, _)| about == "kaia prod: backend"), "{:?}", found.unmet);
    }

    #[test]
    fn a_tag_is_of_one_project_and_one_environment_only() {
        let is_kaias = |text: &str| is_owned(&"kaia".parse().unwrap(), text);
        assert!(is_kaias(&tag(&"kaia".parse().unwrap(), &"prod".parse().unwrap())));
        assert!(is_kaias("ambit-kaia_gone"));
        for other in ["ambit-kaia-x_prod", "ambit-kai_prod", "ambit-kaia", "ambit-kaia-prod", "kaia", "kaia_prod"] {
            assert!(!is_kaias(other), "{other}");
        }
    }
}
