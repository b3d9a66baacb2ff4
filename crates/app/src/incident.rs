//! `incident`: what is told to the world of something that is wrong; and the status page that tells it.

use std::sync::PoisonError;

use ambit_domain::{
    Actor, Failure, FailureKind, Wanted,
    audit::Note,
    incident::{self, Incident, Proposal, Update},
    spec::{EnvironmentName, Kind, Language, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    UptimeDay,
    ambit::{Ambit, nearest, now, store_failure},
};

/// How many days the status page tells of.
pub const DAYS: u32 = 90;
const DAY: i64 = 24 * 3600 * 1000;
/// So many of the newest alerts are looked at for proposals, and so many incidents are told.
const MOST: usize = 100;

/// An incident to be opened.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenIncident {
    /// The project.
    pub project: ProjectName,
    /// What is wrong, on one line; that of the alert's proposal where nothing is said.
    pub title: Option<String>,
    /// What is told first.
    pub text: String,
    /// The services that do not work as they should; those of the alert's proposal where none is named.
    pub services: Vec<String>,
    /// The alert that proposes it.
    pub alert: Option<i64>,
    /// Who asks.
    pub actor: Actor,
}

/// Something more to be told of an incident.
#[derive(Clone, Serialize, Deserialize)]
pub struct UpdateIncident {
    /// The project.
    pub project: ProjectName,
    /// The incident's number.
    pub number: i64,
    /// What is told.
    pub text: String,
    /// Whether it is over.
    pub resolve: bool,
    /// Who asks.
    pub actor: Actor,
}

/// The incidents of a project, for its team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incidents {
    /// Those that go on, then the newest of the last ninety days.
    pub incidents: Vec<Incident>,
    /// What monitoring proposes.
    pub proposals: Vec<Proposal>,
}

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
    /// When something was told, and what; the earliest first.
    pub updates: Vec<(i64, String)>,
}

impl StatusPage {
    /// What of it is told to everybody: production alone.
    #[must_use]
    pub fn public(&self) -> Vec<&ServiceUptime> {
        self.services.iter().filter(|service| service.public).collect()
    }
}

impl Ambit {
    /// The incidents of a project, and what alerts propose.
    pub fn incidents(&self, project: &ProjectName) -> Result<Incidents, Failure> {
        let incidents = self.recent_incidents(project)?;
        let mut proposals = Vec::new();
        for (environment, public) in self.reached(project)? {
            let alerts = self.alerts(project, Some(&environment), false, MOST)?;
            proposals.extend(incident::proposals(&alerts, &incidents, &public, now()));
        }
        Ok(Incidents { incidents, proposals })
    }

    fn recent_incidents(&self, project: &ProjectName) -> Result<Vec<Incident>, Failure> {
        let since = now() - i64::from(DAYS) * DAY;
        self.store.incidents(project, since, MOST).map_err(|e| store_failure(&e))
    }

    /// The environments of production that run, and what of each people reach.
    fn reached(&self, project: &ProjectName) -> Result<Vec<(EnvironmentName, Vec<String>)>, Failure> {
        let all = self.store.environments().map_err(|e| store_failure(&e))?;
        let served = all.into_iter().filter(|(id, record)| {
            id.project == *project && record.kind == Kind::Production && record.wanted == Wanted::Running
        });
        let public = served.map(|(id, record)| {
            let reached = record.services.iter().filter(|service| !service.urls.is_empty());
            (id.environment, reached.map(|service| service.made_from.service.to_string()).collect())
        });
        Ok(public.collect())
    }

    /// Opens an incident: it is on the status page at once.
    pub fn open_incident(&self, request: &OpenIncident) -> Result<Incident, Failure> {
        let project = &request.project;
        self.project_folder(project)?;
        let proposal = request.alert.map(|alert| self.proposal(project, alert)).transpose()?;
        let proposed = proposal.as_ref().map(|proposal| proposal.title(Language::English));
        let title = request.title.as_deref().or(proposed.as_deref()).unwrap_or_default();
        let mut services = request.services.clone();
        if services.is_empty() {
            services = proposal.map(|proposal| proposal.services).unwrap_or_default();
        }
        services.sort();
        services.dedup();
        self.are_services(project, &services)?;
        let at = now();
        let text = incident::text(&request.text).map_err(|e| unfit(&e))?;
        let opened = Incident {
            number: 0,
            project: project.clone(),
            title: incident::title(title).map_err(|e| unfit(&e))?,
            services,
            opened: at,
            resolved: None,
            alert: request.alert,
            updates: vec![Update { at, by: request.actor.who.clone(), text }],
        };
        let opened = self.store.add_incident(&opened).map_err(|e| store_failure(&e))?;
        let note = Note::new(&request.actor, project, "incident.opened")
            .about("incident", opened.number)
            .about("title", opened.title.as_str());
        self.note(note)?;
        Ok(opened)
    }

    fn proposal(&self, project: &ProjectName, alert: i64) -> Result<Proposal, Failure> {
        let found = self.incidents(project)?.proposals.into_iter().find(|proposal| proposal.alert == alert);
        found.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("alert {alert} proposes no incident"))
                .hint("ambit incident shows what is proposed; without --alert you name title and services yourself")
        })
    }

    fn are_services(&self, project: &ProjectName, named: &[String]) -> Result<(), Failure> {
        let all = self.store.environments().map_err(|e| store_failure(&e))?;
        let records = all.iter().filter(|(id, _)| id.project == *project).flat_map(|(_, record)| &record.services);
        let mut there: Vec<String> = records.map(|service| service.made_from.service.to_string()).collect();
        there.sort();
        there.dedup();
        if named.is_empty() {
            return Err(
                Failure::new(FailureKind::User, "no service is named").hint(format!("there are: {}", there.join(", ")))
            );
        }
        match named.iter().find(|name| !there.contains(name)) {
            None => Ok(()),
            Some(unknown) => {
                let near = nearest(unknown, there.iter().map(String::as_str));
                Err(Failure::new(FailureKind::User, format!("there is no service `{}`", unknown.escape_debug()))
                    .hint_if(near.map(|near| format!("did you mean `{near}`?")))
                    .hint(format!("there are: {}", there.join(", "))))
            }
        }
    }

    /// Tells something more of an incident, or that it is over.
    pub fn update_incident(&self, request: &UpdateIncident) -> Result<Incident, Failure> {
        let text = incident::text(&request.text).map_err(|e| unfit(&e))?;
        let _one_at_a_time = self.alerting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.store.incident(request.number).map_err(|e| store_failure(&e))?;
        let mut incident = found.filter(|incident| incident.project == request.project).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} has no incident {}", request.project, request.number))
                .hint("ambit incident")
        })?;
        if !incident.is_open() {
            return Err(Failure::new(FailureKind::User, format!("incident {} is over already", incident.number))
                .hint("open another: ambit incident open"));
        }
        let at = now();
        incident.updates.push(Update { at, by: request.actor.who.clone(), text });
        if request.resolve {
            incident.resolved = Some(at);
        }
        self.store.set_incident(&incident).map_err(|e| store_failure(&e))?;
        let what = if request.resolve { "incident.resolved" } else { "incident.updated" };
        self.note(Note::new(&request.actor, &request.project, what).about("incident", incident.number))?;
        Ok(incident)
    }

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
        updates: incident.updates.into_iter().map(|update| (update.at, update.text)).collect(),
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

fn unfit(why: &incident::Unfit) -> Failure {
    Failure::from_error(FailureKind::User, why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ambit_domain::{
        EnvironmentId, EnvironmentRecord, Real, ServiceRecord,
        monitoring::{Alert, Check, What},
        plan::Component,
        spec::Url,
    };

    use super::*;

    /// A project whose production has an alert that is open for ten minutes.
    fn troubled() -> (tempfile::TempDir, Ambit, ProjectName) {
        let (folder, ambit) = crate::access::opened();
        let project: ProjectName = "shop".parse().unwrap();
        ambit.store.set_project_folder(&project, folder.path()).unwrap();
        let id = EnvironmentId { project: project.clone(), environment: "prod".parse().unwrap() };
        let made_from = Component { service: "app".parse().unwrap(), facts: BTreeMap::new() };
        let app = ServiceRecord {
            made_from,
            real: Real::Server,
            urls: vec![Url { host: "hidden.example".into(), local_host: "hidden.localhost".into(), path: "/".into() }],
            since: 0,
        };
        let record = EnvironmentRecord { services: vec![app], ..EnvironmentRecord::new(Kind::Production) };
        ambit.store.set_environment(&id, &record).unwrap();
        let check = Check::at(What::Http, "app", "http://hidden.example");
        let alert = Alert::new(id, check, "503".into(), now() - 600_000);
        ambit.store.open_alert(&alert).unwrap().unwrap();
        (folder, ambit, project)
    }

    #[tokio::test]
    async fn an_alert_that_lasts_proposes_an_incident_and_a_person_tells_it() {
        let (_folder, ambit, project) = troubled();
        let actor = Actor::cli("lead", 0);
        let proposals = ambit.incidents(&project).unwrap().proposals;
        assert_eq!((proposals.len(), &proposals[0].services), (1, &vec!["app".to_owned()]));
        assert!(ambit.status_page(&project).await.unwrap().incidents.is_empty(), "nothing is told by itself");
        let open = |alert, title: Option<&str>, services: &[&str], text: &str| {
            ambit.open_incident(&OpenIncident {
                project: project.clone(),
                title: title.map(str::to_owned),
                text: text.to_owned(),
                services: services.iter().map(|s| (*s).to_owned()).collect(),
                alert,
                actor: actor.clone(),
            })
        };
        for (alert, title, services, text) in [
            (Some(99), None, &[][..], "x"),
            (None, Some("t"), &["nothing"], "x"),
            (None, Some("t"), &[], "x"),
            (None, None, &["app"], "x"),
            (Some(proposals[0].alert), None, &[], " "),
        ] {
            assert!(open(alert, title, services, text).is_err(), "{alert:?} {title:?} {services:?}");
        }
        let incident = open(Some(proposals[0].alert), None, &[], "We are looking into it.").unwrap();
        assert_eq!(incident.title, "app does not answer as it should");
        assert!(ambit.incidents(&project).unwrap().proposals.is_empty());
        let told = serde_json::to_string(&ambit.status_page(&project).await.unwrap().incidents).unwrap();
        assert!(told.contains("looking into it") && !told.contains("lead") && !told.contains("hidden"), "{told}");

        let update = |number, resolve| {
            let (project, text, actor) = (project.clone(), "It is the disk.".to_owned(), actor.clone());
            ambit.update_incident(&UpdateIncident { project, number, text, resolve, actor })
        };
        assert_eq!(update(incident.number, false).unwrap().updates.len(), 2);
        assert!(update(incident.number, true).unwrap().resolved.is_some());
        assert!(update(incident.number, false).is_err(), "it is over");
        assert!(update(99, false).is_err());
        assert!(ambit.incidents(&project).unwrap().proposals.is_empty(), "this alert was told");
        let entries = ambit.audit(&crate::AuditFilter::default()).unwrap();
        let what: Vec<&str> = entries.iter().map(|entry| entry.what.as_str()).collect();
        assert_eq!(what, ["incident.opened", "incident.updated", "incident.resolved"]);
    }

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
