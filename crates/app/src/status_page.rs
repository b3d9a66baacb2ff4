//! The status page: how what people reach does and did, and what the team tells of incidents.

use ambit_domain::{
    Failure, Wanted,
    incident::{Incident, Update},
    spec::{EnvironmentName, Kind, ProjectName},
};
use serde::Serialize;

use crate::{UptimeDay, ambit::Ambit};

/// How many days it tells of.
const DAYS: u32 = 90;

/// What the world is told of a project.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusPage {
    /// The project.
    pub project: ProjectName,
    /// The services that people reach, by environment.
    pub services: Vec<ServiceUptime>,
    /// Incidents: those that go on, then the newest of the last ninety days.
    pub incidents: Vec<PublicIncident>,
}

/// How one service does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceUptime {
    /// Its environment.
    pub environment: EnvironmentName,
    /// Whether the world is told of it.
    pub public: bool,
    /// The service.
    pub service: String,
    /// Whether it works now.
    pub works: bool,
    /// The share of the time looked at that it answered, from 0 to 1; `None` where nobody looked.
    pub share: Option<f64>,
    /// The days, the earliest first, today last.
    pub days: Vec<UptimeDay>,
}

/// An incident as the world is told of it: without who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicIncident {
    /// Its number.
    pub number: i64,
    /// What is wrong.
    pub title: String,
    /// The services that do not work as they should.
    pub services: Vec<String>,
    /// When it was opened, in milliseconds since the Unix epoch.
    pub opened: i64,
    /// When it was over.
    pub resolved: Option<i64>,
    /// What was told, the earliest first.
    pub updates: Vec<PublicUpdate>,
}

/// One thing that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicUpdate {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What.
    pub text: String,
}

impl StatusPage {
    /// What of it is told to everybody: production alone.
    #[must_use]
    pub fn public(&self) -> Vec<&ServiceUptime> {
        self.services.iter().filter(|service| service.public).collect()
    }
}

impl Ambit {
    /// What the status page tells, and, for the team, how the other environments do.
    pub async fn status_page(&self, project: &ProjectName) -> Result<StatusPage, Failure> {
        let status = self.status(project).await?;
        let mut services = Vec::new();
        let up = status.environments.into_iter().filter(|environment| environment.wanted == Wanted::Running);
        for environment in up {
            let uptime = self.uptime(project, &environment.environment, DAYS)?;
            for service in environment.services.iter().filter(|service| !service.urls.is_empty()) {
                let own: Vec<&[UptimeDay]> =
                    uptime.iter().filter(|url| url.service == service.service).map(|url| url.days.as_slice()).collect();
                let days = together(&own);
                services.push(ServiceUptime {
                    environment: environment.environment.clone(),
                    public: environment.kind == Kind::Production,
                    service: service.service.clone(),
                    works: service.healthy,
                    share: share(&days),
                    days,
                });
            }
        }
        let incidents = self.recent_incidents(project)?.into_iter().map(told).collect();
        Ok(StatusPage { project: project.clone(), services, incidents })
    }
}

fn told(incident: Incident) -> PublicIncident {
    PublicIncident {
        number: incident.number,
        title: incident.title,
        services: incident.services,
        opened: incident.opened,
        resolved: incident.resolved,
        updates: incident.updates.into_iter().map(|Update { at, text, .. }| PublicUpdate { at, text }).collect(),
    }
}

/// The days of a service whose addresses are these.
fn together(urls: &[&[UptimeDay]]) -> Vec<UptimeDay> {
    let count = urls.first().map_or(0, |days| days.len());
    let day = |n: usize| {
        let known: Vec<UptimeDay> = urls.iter().filter_map(|days| days.get(n).copied()).collect();
        let at = known.first().map_or(0, |day| day.at);
        UptimeDay { at, share: share(&known), minutes: known.iter().map(|day| day.minutes).max().unwrap_or(0) }
    };
    (0..count).map(day).collect()
}

/// The share of some days, each by how long it was looked at.
fn share(days: &[UptimeDay]) -> Option<f64> {
    let (mut good, mut all) = (0.0, 0.0);
    for day in days {
        let minutes = f64::from(day.minutes);
        if let Some(share) = day.share {
            good += share * minutes;
            all += minutes;
        }
    }
    (all > 0.0).then(|| good / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_with_several_addresses_is_as_well_as_they_are_together() {
        let day = |share, minutes| UptimeDay { at: 7, share, minutes };
        let (one, two) = ([day(Some(1.0), 60), day(None, 0)], [day(Some(0.5), 60), day(None, 0)]);
        assert_eq!(together(&[&one, &two]), [day(Some(0.75), 60), day(None, 0)]);
        assert_eq!(together(&[]), []);
        assert_eq!(share(&[day(Some(1.0), 90), day(Some(0.0), 10), day(None, 0)]), Some(0.9));
        assert_eq!(share(&[day(None, 0)]), None);
    }
}
