//! Incidents: what people tell those who use a project that something is wrong, until it is over. What monitoring found
//! proposes one; only a person publishes it.

use serde::{Deserialize, Serialize};

use crate::{
    monitoring::{Alert, Check, What, headline},
    spec::{EnvironmentName, Language, ProjectName},
};

/// An alert of production that is open for so long proposes an incident, in milliseconds.
pub const LONG: i64 = 5 * 60 * 1000;
/// No title is longer, in characters.
const TITLE: usize = 150;
/// No text of an update is longer, in characters.
const TEXT: usize = 4000;

/// What was told of something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number; the store gives it.
    pub number: i64,
    /// The project.
    pub project: ProjectName,
    /// What is wrong, on one line.
    pub title: String,
    /// The services that do not work as they should.
    pub services: Vec<String>,
    /// When it was opened, in milliseconds since the Unix epoch.
    pub opened: i64,
    /// When it was over.
    pub resolved: Option<i64>,
    /// The alert that proposed it.
    pub alert: Option<i64>,
    /// What was told, the earliest first.
    pub updates: Vec<Update>,
}

/// One thing that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// In whose words; not told to the world.
    pub by: String,
    /// What.
    pub text: String,
}

impl Incident {
    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }
}

/// An incident that somebody could open because of what monitoring found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The alert.
    pub alert: i64,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The check that fails.
    pub check: Check,
    /// The services that users miss.
    pub services: Vec<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: i64,
}

impl Proposal {
    /// A title for the incident. Of what fails it names the service alone: no host, no address.
    #[must_use]
    pub fn title(&self, language: Language) -> String {
        headline(&Check::of(self.check.what, self.check.service.as_str()), language)
    }
}

/// What alerts of production propose: those that are open for long, that users notice, and that no incident speaks of. `public` are
/// the services that users reach.
#[must_use]
pub fn proposals(alerts: &[Alert], incidents: &[Incident], public: &[String], now: i64) -> Vec<Proposal> {
    let noticed = |what: What| {
        use What as W;
        matches!(what, W::Proxy | W::Http | W::Tcp | W::Process | W::Postgres | W::Redis | W::Latency)
    };
    let told = |alert: &Alert, services: &[String]| {
        incidents.iter().any(|incident| {
            incident.alert == Some(alert.id)
                || (incident.is_open() && services.iter().any(|service| incident.services.contains(service)))
        })
    };
    let long = alerts.iter().filter(|alert| alert.is_open() && now - alert.opened >= LONG && noticed(alert.check.what));
    long.filter_map(|alert| {
        let own = public.iter().filter(|service| **service == alert.check.service).cloned().collect::<Vec<_>>();
        // What stands behind all of them takes all of them along.
        let services = if own.is_empty() { public.to_vec() } else { own };
        (!services.is_empty() && !told(alert, &services)).then(|| Proposal {
            alert: alert.id,
            environment: alert.environment.environment.clone(),
            check: alert.check.clone(),
            services,
            since: alert.opened,
        })
    })
    .collect()
}

/// Why a text cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It is too long.
    #[error("{what} is longer than {most} characters")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// The most.
        most: usize,
    },
}

/// A title as it is kept: one line without control characters.
pub fn title(text: &str) -> Result<String, Unfit> {
    fit("the title", &text.replace(['\r', '\n', '\t'], " "), TITLE)
}

/// A text as it is kept: lines without other control characters.
pub fn text(text: &str) -> Result<String, Unfit> {
    fit("the text", &text.replace("\r\n", "\n"), TEXT)
}

fn fit(what: &'static str, text: &str, most: usize) -> Result<String, Unfit> {
    let kept: String = text.trim().chars().filter(|c| !c.is_control() || *c == '\n').collect();
    match kept.chars().count() {
        0 => Err(Unfit::Missing(what)),
        count if count > most => Err(Unfit::TooLong { what, most }),
        _ => Ok(kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnvironmentId;

    fn alert(id: i64, what: What, service: &str, opened: i64) -> Alert {
        let prod = EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() };
        Alert { id, ..Alert::new(prod, Check::at(what, service, "https://internal.kaia.ai"), "503".into(), opened) }
    }

    fn incident(services: &[&str], alert: Option<i64>, resolved: Option<i64>) -> Incident {
        Incident {
            number: 1,
            project: "kaia".parse().unwrap(),
            title: "t".into(),
            services: services.iter().map(|s| (*s).to_owned()).collect(),
            opened: 0,
            resolved,
            alert,
            updates: Vec::new(),
        }
    }

    #[test]
    fn what_users_notice_for_long_proposes_an_incident_once() {
        let public = ["backend".to_owned(), "web".to_owned()];
        let alerts = [
            alert(1, What::Http, "backend", 0),
            alert(2, What::Http, "web", LONG),
            alert(3, What::Postgres, "postgres", 0),
            alert(4, What::Backup, "postgres", 0),
            Alert { resolved: Some(5), ..alert(5, What::Http, "web", 0) },
        ];
        let of = |incidents: &[Incident], now| {
            proposals(&alerts, incidents, &public, now).iter().map(|p| p.alert).collect::<Vec<_>>()
        };
        assert_eq!(of(&[], LONG - 1), [0; 0]);
        assert_eq!(of(&[], LONG), [1, 3]);
        assert_eq!(of(&[incident(&["backend"], None, None)], LONG), [0; 0], "one that is open speaks of it");
        assert_eq!(of(&[incident(&["backend"], None, Some(1))], LONG), [1, 3], "one that is over does not");
        assert_eq!(of(&[incident(&["backend"], Some(1), Some(1))], LONG), [3], "but each alert has one alone");
        let all = proposals(&alerts, &[], &public, LONG);
        assert_eq!(all[1].services, public, "a database takes along what users reach");
        assert_eq!(all[0].title(Language::English), "backend does not answer as it should");
        assert!(proposals(&alerts, &[], &[], LONG).is_empty(), "nobody reaches anything");
    }

    #[test]
    fn texts_are_lines_that_a_screen_bears() {
        assert_eq!(title(" a\nb\u{1b}[31m ").unwrap(), "a b[31m");
        assert_eq!(text("a\r\nb\u{7}").unwrap(), "a\nb");
        assert_eq!(title(" \u{7} "), Err(Unfit::Missing("the title")));
        assert!(title(&"x".repeat(TITLE + 1)).is_err() && text(&"é".repeat(TEXT)).is_ok());
    }
}
