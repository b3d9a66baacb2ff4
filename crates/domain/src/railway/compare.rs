//! What is declared beside what is there.

use std::collections::BTreeSet;

use super::{
    app, archive,
    mark::{Owner, marked},
    ops::{Database, Edits, Op, Place},
    present::{Listed, Present, PresentService},
    redis,
    settings::Setting,
    wanted::{Wanted, WantedService, What},
};
use crate::{
    Failure, FailureKind,
    outside::{Change, Confirm, Detail, Remark, Said, Step},
    spec::{EnvironmentName, Persistence},
};

/// What of a value is compared and shown in place of one that nobody may see.
pub trait Secrets {
    /// A digest by a key that nobody else has.
    fn digest(&self, value: &str) -> String;

    /// Whether this was the last value that was written to a variable that cannot be read.
    fn was_written(&self, service: &str, name: &str, value: &str) -> bool;
}

/// What there is beside what is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
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
}

impl Found {
    pub(super) fn step(&mut self, of: &EnvironmentName, change: Change, op: Op) {
        self.steps.push(Step { change: change.of(of), op });
    }
}

/// Compares one environment with its project; `there` is `None` where there is none that is the team's.
pub fn compare(
    wanted: &Wanted,
    there: Option<&Present>,
    all: &[Listed],
    secrets: &dyn Secrets,
) -> Result<Found, Failure> {
    let mut found = Found { remarks: wanted.remarks.clone(), ..Found::default() };
    let of = &wanted.environment;
    let nobody = Present::default();
    let present = match there {
        Some(present) => {
            rename_project(&mut found, wanted, &present.project);
            present
        }
        None => {
            if let Some(taken) = all.iter().find(|p| p.name == wanted.project) {
                let whose =
                    marked(&taken.description).map_or("somebody else's".to_owned(), |mark| format!("that of {mark}"));
                let text = format!(
                    "a project of that name is there, {whose}; it is not touched, and no second one is made (ambit import makes it the project's, or rename it)"
                );
                found.remarks.push(Remark::new(wanted.project.as_str(), text));
                return Ok(found);
            }
            let details = vec![Detail::new("environment", None, Some(Said::text(of.as_str())))];
            let op = Op::CreateProject {
                name: wanted.project.clone(),
                description: wanted.mark.clone(),
                environment: of.to_string(),
            };
            found.step(of, Change::create(format!("project {}", wanted.project), details), op);
            &nobody
        }
    };
    let mut ours: BTreeSet<&str> = BTreeSet::new();
    for service in &wanted.services {
        let same = same_mark(present, service)?;
        if let Some(same) = same {
            ours.insert(&same.id);
        }
        one_service(&mut found, wanted, present, service, same, secrets);
    }
    left_over(&mut found, wanted, present, &ours);
    Ok(found)
}

fn rename_project(found: &mut Found, wanted: &Wanted, project: &Listed) {
    match Detail::of_texts("name", Some(&project.name), Some(&wanted.project)) {
        None => found.kept += 1,
        Some(detail) => {
            let change = Change::replace(format!("project {}", wanted.project), vec![detail]);
            let name = Some(wanted.project.clone());
            found.step(
                &wanted.environment,
                change,
                Op::ChangeProject { id: project.id.clone(), name, description: None },
            );
        }
    }
}

/// The service that is this one by its mark. Who copies a service copies its mark too: then its name decides.
fn same_mark<'a>(present: &'a Present, wanted: &WantedService) -> Result<Option<&'a PresentService>, Failure> {
    let is = |s: &&PresentService| s.owner().is_some_and(|owner| owner.mark == wanted.mark);
    let all: Vec<&PresentService> = present.services.iter().filter(is).collect();
    match all.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => match several.iter().filter(|s| s.name == wanted.name).collect::<Vec<_>>().as_slice() {
            [named] => Ok(Some(named)),
            _ => {
                let names: Vec<&str> = several.iter().map(|s| s.name.as_str()).collect();
                let what = format!(
                    "{} services of {} carry the mark {}: {}",
                    several.len(),
                    present.project.name,
                    wanted.mark,
                    names.join(", ")
                );
                Err(Failure::new(FailureKind::User, what)
                    .hint("nothing was changed; delete the variable AMBIT_OWNER of those that are not meant"))
            }
        },
    }
}

fn one_service(
    found: &mut Found,
    wanted: &Wanted,
    present: &Present,
    service: &WantedService,
    there: Option<&PresentService>,
    secrets: &dyn Secrets,
) {
    let of = &wanted.environment;
    let key = format!("{}/{}", wanted.project, service.name);
    let nothing = PresentService::default();
    let there = match there {
        Some(there) => {
            match Detail::of_texts("name", Some(&there.name), Some(&service.name)) {
                None => found.kept += 1,
                Some(detail) => {
                    let op = Op::RenameService { service: there.id.clone(), name: service.name.clone() };
                    found.step(of, Change::replace(key.as_str(), vec![detail]), op);
                }
            }
            there
        }
        None => {
            if present.services.iter().any(|s| s.name == service.name) {
                let text = "a service of that name is there, which is somebody else's; it is not touched (ambit import makes it the project's, or rename it)";
                found.remarks.push(Remark::new(key, text));
                return;
            }
            create(found, wanted, present, service, &key);
            &nothing
        }
    };
    let at = Place {
        project: present.project.id.clone(),
        environment: present.environment.clone(),
        service: there.id.clone(),
    };
    match &service.what {
        What::App(app) => app::compare(found, (of, &key, &service.mark), app, there, &at, secrets),
        What::Postgres { version, schedule, archive: wanted, .. } => {
            let image = there.image.as_deref().and_then(major);
            if let (Some(there), Some(declared)) = (image, *version)
                && there != declared
            {
                let text = format!(
                    "its data is of PostgreSQL {there}, and {declared} is declared; Ambit does not change that there"
                );
                found.remarks.push(Remark::new(key.as_str(), text));
            }
            backups(found, of, &key, there, schedule);
            archive::compare(found, of, &key, there, &at, *wanted);
        }
        What::Redis { persist, schedule } => {
            let command = there.settings.get(&Setting::StartCommand).map_or("", String::as_str);
            match redis::persistence(command) {
                Some(says) if says != *persist => {
                    let text = |persist| Some(Said::text(word(persist)));
                    let change = Change::replace(
                        format!("{key} settings"),
                        vec![Detail::new("persist", text(says), text(*persist))],
                    );
                    let settings = [(Setting::StartCommand, redis::command(command, *persist))].into();
                    let owner = there.owner().unwrap_or_default();
                    found.step(of, change, Op::Settings { at, settings, owner });
                }
                Some(_) => found.kept += 1,
                None if there.id.is_empty() => {}
                None => found.remarks.push(Remark::new(
                    key.as_str(),
                    "it is not started by `redis-server`: what survives a restart is not known",
                )),
            }
            backups(found, of, &key, there, schedule);
        }
    }
}

fn create(found: &mut Found, wanted: &Wanted, present: &Present, service: &WantedService, key: &str) {
    let (project, environment) = (present.project.id.clone(), present.environment.clone());
    let (name, owner) = (service.name.clone(), Owner::new(service.mark.as_str()));
    let database = |template, edits| Op::CreateDatabase {
        project: project.clone(),
        environment: environment.clone(),
        name: name.clone(),
        owner: owner.clone(),
        template,
        edits,
    };
    let text = |name: &str, text: String| Detail::new(name, None, Some(Said::text(text)));
    let (details, op) = match &service.what {
        What::App(_) => (Vec::new(), Op::CreateService { project, environment, name, owner }),
        What::Postgres { version, database: called, .. } => {
            let mut details = vec![text("template", "postgres".into()), text("database", called.clone())];
            details.extend(version.map(|version| text("version", version.to_string())));
            let edits = Edits { version: *version, database: Some(called.clone()), persist: None };
            (details, database(Database::Postgres, edits))
        }
        What::Redis { persist, .. } => {
            let details = vec![text("template", "redis".into()), text("persist", word(*persist).into())];
            (details, database(Database::Redis, Edits { persist: Some(*persist), ..Edits::default() }))
        }
    };
    found.step(&wanted.environment, Change::create(key, details), op);
}

/// What the declaration calls it.
fn word(persist: Persistence) -> &'static str {
    match persist {
        Persistence::None => "none",
        Persistence::Snapshot => "snapshot",
        Persistence::AppendOnly => "append-only",
    }
}

/// The major version in an image's tag.
fn major(image: &str) -> Option<u32> {
    let (_, tag) = image.rsplit_once(':')?;
    tag.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn backups(found: &mut Found, of: &EnvironmentName, key: &str, there: &PresentService, kinds: &[&'static str]) {
    if kinds.is_empty() {
        return;
    }
    let volume = there.volumes.first();
    if volume.is_none() && !there.id.is_empty() {
        found.remarks.push(Remark::new(key, "it has no volume: there is nothing to back up"));
        return;
    }
    let mut says: Vec<&str> = volume.into_iter().flat_map(|v| &v.schedule).map(String::as_str).collect();
    says.sort_unstable();
    if says == kinds {
        found.kept += 1;
        return;
    }
    let text = |kinds: &[&str]| Said::text(kinds.join(", ").to_lowercase());
    let old = (!says.is_empty()).then(|| text(&says));
    let details = vec![Detail::new("", old.clone(), Some(text(kinds)))];
    let key = format!("{key} backups");
    let change = if old.is_none() { Change::create(key, details) } else { Change::replace(key, details) };
    let volume = volume.map(|v| v.instance.clone()).unwrap_or_default();
    found.step(of, change, Op::Schedule { volume, kinds: kinds.to_vec() });
}

/// Services that are not declared: the team's own go, those of others stay.
fn left_over(found: &mut Found, wanted: &Wanted, present: &Present, ours: &BTreeSet<&str>) {
    let is_of = |mark: &str| mark.strip_prefix(&wanted.mark).is_some_and(|rest| rest.starts_with('/'));
    for service in present.services.iter().filter(|s| !ours.contains(s.id.as_str())) {
        let owner = service.owner();
        let declared = |mark: &str| wanted.services.iter().any(|w| w.mark == mark);
        match owner {
            Some(owner) if is_of(&owner.mark) && !declared(&owner.mark) => {
                let key = format!("{}/{}", wanted.project, service.name);
                let volumes: Vec<String> = service.volumes.iter().map(|v| v.id.clone()).collect();
                if !volumes.is_empty() {
                    let why = format!("{} of {} and its volume would be deleted", service.name, wanted.project);
                    found.confirm.push(Confirm { name: key.clone(), why });
                }
                let at = Place {
                    project: present.project.id.clone(),
                    environment: present.environment.clone(),
                    service: service.id.clone(),
                };
                found.step(&wanted.environment, Change::delete(key, Vec::new()), Op::DeleteService { at, volumes });
            }
            _ => found.unmanaged += 1,
        }
    }
}
