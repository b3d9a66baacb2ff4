//! One app as it is declared beside one as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compare::{Found, Secrets},
    mark::{OWNER, Owner},
    ops::{Op, Place},
    present::{Host, PresentService},
    settings::Setting,
    wanted::WantedApp,
};
use crate::{
    outside::{Change, Detail, Remark, Said},
    spec::EnvironmentName,
};

/// Variables of Railway's own.
const RAILWAYS: &str = "RAILWAY_";

/// Everything of an app that is declared, by the names that its mark tells.
pub(super) fn names(app: &WantedApp) -> BTreeSet<String> {
    let variables = app.variables.iter().flatten().map(|(name, _)| name.clone());
    let settings = app.settings.keys().map(|setting| setting.key().to_owned());
    variables.chain(settings).chain(app.hosts.iter().cloned()).collect()
}

impl PresentService {
    /// Whether something of that name is said of it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
            || self.hosts.iter().any(|h| h.host == name)
            || self.settings.keys().any(|setting| setting.key() == name)
    }
}

pub(super) fn compare(
    found: &mut Found,
    (of, key, mark): (&EnvironmentName, &str, &str),
    app: &WantedApp,
    there: &PresentService,
    at: &Place,
    secrets: &dyn Secrets,
) {
    let before = there.owner().unwrap_or_else(|| Owner::new(mark));
    // What is managed and not declared stays in the mark until it is gone.
    let stale = before.manages.iter().filter(|name| there.has(name)).cloned();
    let owner = Owner { mark: mark.to_owned(), manages: names(app).into_iter().chain(stale).collect() };
    let one = One { of, key, app, there, at, before: &before, owner: &owner };
    one.variables(found, secrets);
    one.settings(found);
    one.source(found);
    one.hosts(found);
}

struct One<'a> {
    of: &'a EnvironmentName,
    key: &'a str,
    app: &'a WantedApp,
    there: &'a PresentService,
    at: &'a Place,
    before: &'a Owner,
    owner: &'a Owner,
}

impl One<'_> {
    fn step(&self, found: &mut Found, name: &str, old: Option<Said>, new: Option<Said>, op: Op) {
        let detail = vec![Detail::new("", old.clone(), new.clone())];
        let key = format!("{} {name}", self.key);
        let change = match (old, new) {
            (None, _) => Change::create(key, detail),
            (Some(_), Some(_)) => Change::replace(key, detail),
            (Some(_), None) => Change::delete(key, detail),
        };
        found.step(self.of, change, op);
    }

    fn variables(&self, found: &mut Found, secrets: &dyn Secrets) {
        let Some(declared) = &self.app.variables else { return };
        let op = |name: &str, value: Option<&str>, secret| Op::Variable {
            at: self.at.clone(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
            secret,
            owner: self.owner.clone(),
        };
        for (name, value) in &self.there.variables {
            if declared.contains_key(name) || name == OWNER || name.starts_with(RAILWAYS) {
                continue;
            }
            if !self.before.manages.contains(name) {
                found.unmanaged += 1;
                continue;
            }
            // Nobody knows any more whether it was a secret.
            let old = Said::Secret(value.as_deref().map(|v| secrets.digest(v)).unwrap_or_default());
            self.step(found, name, Some(old), None, op(name, None, true));
        }
        for (name, given) in declared {
            let there = self.there.variables.get(name);
            let same = match there {
                None => false,
                Some(Some(value)) => *value == given.value,
                Some(None) => secrets.was_written(&self.at.service, name, &given.value),
            };
            if same {
                found.kept += 1;
                continue;
            }
            let said = |value: &str| match given.secret {
                true => Said::Secret(secrets.digest(value)),
                false => Said::text(value),
            };
            let old = there.map(|value| value.as_deref().map_or(Said::Secret(String::new()), said));
            self.step(found, name, old, Some(said(&given.value)), op(name, Some(&given.value), given.secret));
        }
    }

    fn settings(&self, found: &mut Found) {
        let mut settings = BTreeMap::new();
        let mut details = Vec::new();
        for setting in Setting::ALL {
            let (wanted, there) = (self.app.settings.get(&setting), self.there.settings.get(&setting));
            // What is as usual is declared where the usual is a number that everybody has.
            let ours = wanted.is_some() || setting.usual().is_some() || self.before.manages.contains(setting.key());
            if wanted == there || !ours {
                continue;
            }
            let or_usual = |said: Option<&String>| said.cloned().or(setting.usual().map(str::to_owned));
            let (old, new) = (or_usual(there), or_usual(wanted));
            details.extend(Detail::of_texts(setting.name(), old.as_deref(), new.as_deref()));
            settings.insert(setting, new);
        }
        if details.is_empty() {
            found.kept += 1;
            return;
        }
        let change = Change::replace(format!("{} settings", self.key), details);
        found.step(self.of, change, Op::Settings { at: self.at.clone(), settings, owner: self.owner.clone() });
    }

    fn source(&self, found: &mut Found) {
        // A service that is not told everything would be deployed for nothing.
        let (Some((repository, branch)), Some(_)) = (&self.app.source, &self.app.variables) else { return };
        let deploys = |branch: Option<&str>| match branch {
            Some(branch) => format!("at each push to {branch}"),
            None => "when it is told to".to_owned(),
        };
        let wanted = deploys(self.app.at_each_push.then_some(branch));
        if self.there.repository.as_ref() != Some(repository) {
            let old = self.there.repository.as_deref();
            let details = vec![
                Detail::new("repository", old.map(Said::text), Some(Said::text(repository.as_str()))),
                Detail::new("deploys", None, Some(Said::text(wanted))),
            ];
            let key = format!("{} source", self.key);
            let change = if old.is_none() { Change::create(key, details) } else { Change::replace(key, details) };
            let op = Op::Connect {
                at: self.at.clone(),
                repository: repository.clone(),
                branch: branch.clone(),
                at_each_push: self.app.at_each_push,
            };
            found.step(self.of, change, op);
            return;
        }
        let trigger = self.there.trigger.as_ref();
        let there = deploys(trigger.map(|t| t.branch.as_str()));
        if there == wanted {
            found.kept += 1;
            return;
        }
        let op = match trigger {
            Some(trigger) if !self.app.at_each_push => Op::DeployByHand { trigger: trigger.id.clone() },
            _ => Op::DeployAtPush {
                at: self.at.clone(),
                trigger: trigger.map(|t| t.id.clone()),
                repository: repository.clone(),
                branch: branch.clone(),
            },
        };
        self.step(found, "deploys", Some(Said::text(there)), Some(Said::text(wanted)), op);
    }

    fn hosts(&self, found: &mut Found) {
        for host in self.there.hosts.iter().filter(|h| !self.app.hosts.contains(&h.host)) {
            if self.before.manages.contains(&host.host) {
                let old = Some(Said::text(leads(host.port)));
                self.step(found, &host.host, old, None, Op::DeleteHost { id: host.id.clone() });
            } else {
                found.unmanaged += 1;
            }
        }
        let wanted = Some(Said::text(leads(self.app.port)));
        for host in &self.app.hosts {
            match self.there.hosts.iter().find(|h| h.host == *host) {
                None => {
                    let op = Op::CreateHost {
                        at: self.at.clone(),
                        host: host.clone(),
                        port: self.app.port,
                        owner: self.owner.clone(),
                    };
                    self.step(found, host, None, wanted.clone(), op);
                }
                Some(there) => {
                    waits(found, there);
                    // Where none is declared, Railway finds it out.
                    if self.app.port.is_none() || there.port == self.app.port {
                        found.kept += 1;
                        continue;
                    }
                    let (id, environment) = (there.id.clone(), self.at.environment.clone());
                    let op = Op::MoveHost { id, environment, port: self.app.port };
                    self.step(found, host, Some(Said::text(leads(there.port))), wanted.clone(), op);
                }
            }
        }
    }
}

fn leads(port: Option<u16>) -> String {
    port.map_or("the app".to_owned(), |port| format!("port {port}"))
}

/// What a host still waits for.
fn waits(found: &mut Found, host: &Host) {
    if let Some(trouble) = &host.trouble {
        found.remarks.push(Remark::new(host.host.as_str(), format!("Railway has no certificate for it: {trouble}")));
    } else if !host.verified {
        let target = host.target.as_deref().unwrap_or("what Railway shows");
        let proof = host.proof.as_ref().map_or(String::new(), |(name, text)| format!(" and TXT {name} \"{text}\""));
        let text = format!("Railway waits for its records, and answers 404 until it sees them: CNAME {target}{proof}");
        found.remarks.push(Remark::new(host.host.as_str(), text));
    }
}
