//! The apps of an environment: whether their processes are there, and whether they answer.

use std::net::{Ipv4Addr, SocketAddr};

use ambit_domain::{
    Real, ServiceRecord,
    diagnosis::{Check, Trouble},
    provider::{InstanceHealth, InstanceStatus},
    spec::{App, Form},
};

use super::{Examined, ask};
use crate::ambit::now;

/// An app that ended and was started again within this time, in milliseconds, and does not answer, will end again.
const JUST: i64 = 60_000;
/// Lines among which the last of its own is looked for.
const LINES: usize = 20;

fn has_just_ended(status: &InstanceStatus) -> bool {
    status.restarts > 0 && status.since.is_some_and(|since| now() - since < JUST)
}

impl Examined<'_> {
    pub(super) async fn services(&self) -> Vec<Check> {
        let statuses = self.seen.ambit.provider.instances(self.id);
        let mut checks = Vec::new();
        for service in &self.record.services {
            let Real::App { serving, .. } = &service.real else { continue };
            let name = service.made_from.service.as_str();
            let mut found = Ok(());
            for instance in serving {
                let status = statuses.iter().find(|s| s.service == name && s.number == instance.number);
                found = self.runs(name, status);
                if let (Ok(()), Some(port)) = (&found, instance.port) {
                    found = self.answers(service, port).await;
                    // Between two ends it is there for a moment.
                    if let (Err(_), Some(status)) = (&found, status.filter(|status| has_just_ended(status))) {
                        found = Err(self.does_not_stay(status, "ended"));
                    }
                }
                if found.is_err() {
                    break;
                }
            }
            let what = format!("{name} of {} answers", self.id.environment);
            checks.push(Check::new(self.name(name), what, found).needs(self.app_needs()));
        }
        checks
    }

    /// What an app cannot do without.
    fn app_needs(&self) -> Vec<String> {
        vec![self.name("postgres"), self.name("redis"), "memory".to_owned(), "disk".to_owned()]
    }

    fn runs(&self, name: &str, status: Option<&InstanceStatus>) -> Result<(), Trouble> {
        let environment = &self.id.environment;
        let logs = format!("ambit logs {name} -e {environment}");
        let wrong = format!("{name} of {environment} does not run");
        match status.map(|status| (&status.health, status)) {
            Some((InstanceHealth::Running, _)) => Ok(()),
            Some((InstanceHealth::Restarting { exit }, status)) => Err(self.does_not_stay(status, exit)),
            Some((InstanceHealth::Stopped, _)) => {
                Err(Trouble::new(wrong, "its keeper was told to rest", self.up()).and(logs))
            }
            None => Err(Trouble::new(wrong, "it is recorded as serving, and has no keeper", self.up()).and(logs)),
        }
    }

    fn does_not_stay(&self, status: &InstanceStatus, exit: &str) -> Trouble {
        let environment = &self.id.environment;
        let wrong = format!("{} of {environment} does not stay up", status.service);
        let seen = format!("it {exit}, and was started again {} times; {}", status.restarts, self.last_line(status));
        Trouble::new(wrong, seen, format!("ambit logs {} -e {environment}", status.service))
            .and(format!("ambit rollback {environment}, or mend it and ambit deploy -e {environment}"))
    }

    fn last_line(&self, status: &InstanceStatus) -> String {
        let Ok(service) = status.service.parse() else { return String::new() };
        let id = ambit_domain::InstanceId { environment: self.id.clone(), service, number: status.number };
        let (lines, _) = ambit_keeper::client::tail(&self.seen.ambit.home.keeper(&id), LINES);
        // What its keeper says of it is told already.
        let own = lines.iter().rev().find(|(_, text)| !text.starts_with("[ambit]"));
        own.map_or_else(|| "it printed nothing".to_owned(), |(_, text)| format!("it said: {text}"))
    }

    /// Whether an instance answers as its deployment wanted.
    async fn answers(&self, service: &ServiceRecord, port: u16) -> Result<(), Trouble> {
        let name = service.made_from.service.as_str();
        let environment = &self.id.environment;
        let app = self.app(name);
        let health = app.and_then(|app| app.health.as_ref());
        let path = health.map_or("/", |health| health.path.as_str());
        let host = service.urls.first().map_or("localhost", |url| url.local_host.as_str());
        let answer = ask::ask(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "GET", host, path, &[]).await;
        let logs = format!("ambit logs {name} -e {environment}");
        match (answer, health) {
            (Err(why), _) => {
                Err(Trouble::new(format!("{name} of {environment} hangs or does not listen"), why, self.restart())
                    .and(logs))
            }
            (Ok(answer), Some(health)) if answer.status != health.status => {
                let seen = format!("GET {path} on port {port} answered {} instead of {}", answer.status, health.status);
                Err(Trouble::new(format!("{name} of {environment} says that it is not healthy"), seen, logs)
                    .and(self.restart()))
            }
            (Ok(_), _) => Ok(()),
        }
    }

    /// An app as it is declared.
    pub(super) fn app(&self, name: &str) -> Option<&App> {
        let service = self.declared?.services.values().find(|service| service.name.as_str() == name)?;
        match &service.form {
            Form::App(app) => Some(app),
            Form::Site(_) => None,
        }
    }
}
