//! Carrying out at Railway what was planned.
//!
//! Whatever is made carries its mark from the first moment, and is looked up before it is made. A template is the exception: its service
//! is there some time after it was asked for, so that asking is written down first, and one who asks again soon looks again first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ambit_cloud::railway::{Template, Tried};
use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    outside::Step,
    railway::{self, Database, Edits, OWNER, Op, Owner, Place, Present},
    spec::EnvironmentName,
};
use serde_json::{Value, json};

use super::{LOOKS, PAUSE, Pair, Projects, Seen, written};
use crate::{ambit::now, outside::side::Done};

/// How long a template may take to show its service, in milliseconds.
const UNDER_WAY: i64 = 60_000;
/// The longest pause between two questions whether a template is made: each is a request.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often that is asked.
const QUESTIONS: u32 = 20;

impl Projects<'_> {
    pub(super) async fn carry(&self, seen: &mut Seen, steps: &[Step<Op>]) -> Result<Done, Failure> {
        let Some(first) = steps.first().map(|step| &step.op) else { return Ok(Done::These(0)) };
        if !first.is_ready() {
            return Ok(Done::Again(0));
        }
        let ops = steps.iter().map(|step| &step.op);
        if first.makes() {
            return self.make(seen, ops.take_while(|op| op.makes() && op.is_ready()).collect()).await;
        }
        if let Some(at) = first.variable_of() {
            return self.variables(seen, at, ops.take_while(|op| op.variable_of() == Some(at)).collect()).await;
        }
        if let Op::CreateHost { .. } = first {
            return self.hosts(seen, ops.take_while(|op| matches!(op, Op::CreateHost { .. })).collect()).await;
        }
        Ok(match self.one(seen, first).await? {
            Ok(()) => Done::These(1),
            Err(why) => Done::Unknown(why),
        })
    }

    /// Makes all of these, and waits for those that take their time at the end, together.
    async fn make(&self, seen: &mut Seen, ops: Vec<&Op>) -> Result<Done, Failure> {
        let mut done = 0;
        let mut workflows = Vec::new();
        for op in ops {
            let tried = match op {
                Op::CreateProject { name, description, environment } => {
                    let workspace = self.workspace(seen).await?;
                    seen.all = None;
                    let tried = self.client.create_project(&workspace, name, description, environment).await?;
                    tried.map(|()| (description.as_str(), None))
                }
                Op::CreateService { project, environment, name, owner } => {
                    let tried = self.client.create_service(project, environment, name, owner).await?;
                    tried.map(|()| (owner.mark.as_str(), None))
                }
                Op::CreateDatabase { project, environment, name, owner, template, edits } => {
                    if self.appeared(project, &owner.mark).await? {
                        break;
                    }
                    let found = self.template(seen, *template).await?;
                    let config = filled(&found, name, owner, edits)?;
                    self.ambit.remember(&asked_for(&owner.mark), &Some(now()))?;
                    let tried = self.client.deploy_template(project, environment, &found.id, &config).await?;
                    tried.map(|workflow| (owner.mark.as_str(), workflow))
                }
                _ => break,
            };
            match tried {
                Ok((mark, workflow)) => {
                    done += 1;
                    seen.made.insert(mark.to_owned());
                    workflows.extend(workflow);
                }
                Err(why) if done == 0 => return Ok(Done::Unknown(why)),
                // The next look tells.
                Err(_) => break,
            }
        }
        for workflow in workflows {
            self.wait_for(&workflow).await?;
        }
        Ok(Done::Again(done))
    }

    async fn wait_for(&self, workflow: &str) -> Result<(), Failure> {
        let mut pause = PAUSE;
        for _ in 0..QUESTIONS {
            if self.client.is_over(workflow).await? {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Failure::new(FailureKind::Machine, "Railway takes long to make a database")
            .hint("repeat the command in some minutes; nothing is made twice"))
    }

    /// Whether a service that was asked for a moment ago, by this run or one that was killed, is there by now.
    async fn appeared(&self, project: &str, mark: &str) -> Result<bool, Failure> {
        let asked: Option<i64> = self.ambit.remembered(&asked_for(mark))?;
        if asked.is_none_or(|at| now().saturating_sub(at) > UNDER_WAY) {
            return Ok(false);
        }
        let mut pause = PAUSE / 2;
        for look in 1..=LOOKS {
            let project = self.client.project(project).await?;
            let is = |e: &Present| e.services.iter().filter_map(|s| s.owner()).any(|owner| owner.mark == mark);
            if project.environments.values().any(is) {
                return Ok(true);
            }
            if look < LOOKS {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(false)
    }

    /// What is there need not be looked for any more.
    pub(super) fn forget_asking(&self, pairs: &[Pair]) -> Result<(), Failure> {
        let services = pairs.iter().filter_map(|(_, present)| present.as_ref()).flat_map(|p| &p.services);
        for owner in services.filter_map(|s| s.owner()) {
            let asked = asked_for(&owner.mark);
            if self.ambit.remembered::<Option<i64>>(&asked)?.is_some() {
                self.ambit.remember(&asked, &None::<i64>)?;
            }
        }
        Ok(())
    }

    async fn template(&self, seen: &mut Seen, database: Database) -> Result<Template, Failure> {
        if let Some(known) = seen.templates.get(database.code()) {
            return Ok(known.clone());
        }
        let found = self.client.template(database.code()).await?;
        seen.templates.insert(database.code(), found.clone());
        Ok(found)
    }

    /// Those of one service, at once, with its mark.
    async fn variables(&self, seen: &mut Seen, at: &Place, ops: Vec<&Op>) -> Result<Done, Failure> {
        let mut owner = Owner::default();
        let mut all: Vec<(&str, Option<&str>)> = Vec::new();
        let mut secrets: Vec<&str> = Vec::new();
        for op in &ops {
            let Op::Variable { name, value, secret, owner: whole, .. } = op else { continue };
            owner = whole.clone();
            all.push((name, value.as_deref()));
            secrets.extend(value.as_deref().filter(|_| *secret));
        }
        // What goes is not managed any more.
        let gone: BTreeSet<&str> = all.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        owner.manages.retain(|name| !gone.contains(name.as_str()));
        let text = owner.text();
        all.push((OWNER, Some(&text)));
        let tried = if gone.is_empty() {
            let set: Vec<(&str, &str)> = all.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
            self.client.write_variables(at, &set, &secrets).await?
        } else {
            self.client.replace_variables(at, &all, &secrets).await?
        };
        Ok(match tried {
            Ok(()) => {
                self.remember_written(at, &ops)?;
                seen.owners.insert(at.service.clone(), text);
                Done::These(ops.len())
            }
            Err(why) => Done::Unknown(why),
        })
    }

    /// Nobody can read a variable again that somebody sealed.
    fn remember_written(&self, at: &Place, ops: &[&Op]) -> Result<(), Failure> {
        let mut all: BTreeMap<String, String> = self.ambit.remembered(&written(&at.service))?;
        for op in ops {
            match op {
                Op::Variable { name, value: Some(value), secret: true, .. } => {
                    all.insert(name.clone(), self.digests.of(value));
                }
                Op::Variable { name, .. } => drop(all.remove(name)),
                _ => {}
            }
        }
        self.ambit.remember(&written(&at.service), &all)
    }

    /// The mark says what is managed before it is written, so that what is written is never taken for somebody else's.
    async fn own(&self, seen: &mut Seen, at: &Place, owner: &Owner) -> Tried<()> {
        let text = owner.text();
        if owner.mark.is_empty() || seen.owners.get(&at.service) == Some(&text) {
            return Ok(Ok(()));
        }
        let tried = self.client.write_variables(at, &[(OWNER, &text)], &[]).await?;
        if tried.is_ok() {
            seen.owners.insert(at.service.clone(), text);
        }
        Ok(tried)
    }

    /// What they ask of the name servers is read when all are there.
    async fn hosts(&self, seen: &mut Seen, ops: Vec<&Op>) -> Result<Done, Failure> {
        let mut done = 0;
        for op in ops {
            let Op::CreateHost { at, host, port, owner } = op else { break };
            let tried = match self.own(seen, at, owner).await? {
                Ok(()) => self.client.create_host(at, host, *port).await?,
                unknown => unknown,
            };
            match tried {
                Ok(()) => done += 1,
                Err(why) if done == 0 => return Ok(Done::Unknown(why)),
                Err(_) => break,
            }
        }
        Ok(Done::Again(done))
    }

    /// As Railway's own program does it: a template is laid over the service as a change that waits, and that is applied. One that
    /// waits already is ours of a run that was interrupted.
    async fn archive(&self, at: &Place, environment: &EnvironmentName) -> Tried<()> {
        if !self.client.is_staged(at, railway::ARCHIVE).await? {
            let template = self.client.template(railway::ARCHIVE_TEMPLATE).await?;
            let config = template.serialized_config.as_ref().ok_or_else(|| {
                Failure::new(FailureKind::Machine, "Railway's template for archiving is another than Ambit knows")
            })?;
            match self.client.overlay(at, &template.id, config).await? {
                Ok(Some(workflow)) => self.wait_for(&workflow).await?,
                Ok(None) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        let tried = self.client.apply_staged(&at.environment).await?;
        if tried.is_ok() {
            let project = self.declaration.project.name.clone();
            self.ambit.note_archived(&EnvironmentId { project, environment: environment.clone() }, true)?;
        }
        Ok(tried)
    }

    async fn one(&self, seen: &mut Seen, op: &Op) -> Tried<()> {
        let client = &self.client;
        match op {
            Op::ChangeProject { id, name, description } => {
                seen.all = None;
                client.change_project(id, name.as_deref(), description.as_deref()).await
            }
            Op::DeleteProject { id } => {
                seen.all = None;
                client.delete_project(id).await
            }
            Op::RenameService { service, name } => client.rename_service(service, name).await,
            Op::AdoptService { at, owner } => self.own(seen, at, owner).await,
            Op::DeleteService { at, volumes } => {
                for volume in volumes {
                    if let Err(why) = client.delete_volume(volume).await? {
                        return Ok(Err(why));
                    }
                }
                client.delete_service(at).await
            }
            Op::Settings { at, settings, owner } => match self.own(seen, at, owner).await? {
                Ok(()) => client.write_settings(at, settings).await,
                unknown => Ok(unknown),
            },
            Op::Connect { at, repository, branch, at_each_push } => {
                if let Err(why) = client.connect(at, repository, branch).await? {
                    return Ok(Err(why));
                }
                if *at_each_push {
                    return Ok(Ok(()));
                }
                // Being connected means being deployed at each push, until that is taken back.
                for trigger in client.triggers(at).await? {
                    if let Err(why) = client.delete_trigger(&trigger).await? {
                        return Ok(Err(why));
                    }
                }
                Ok(Ok(()))
            }
            Op::DeployAtPush { at, trigger, repository, branch } => match trigger {
                Some(trigger) => client.change_trigger(trigger, repository, branch).await,
                None => client.create_trigger(at, repository, branch).await,
            },
            Op::DeployByHand { trigger } => client.delete_trigger(trigger).await,
            Op::MoveHost { id, environment, port } => client.move_host(id, environment, *port).await,
            Op::DeleteHost { id } => client.delete_host(id).await,
            Op::Archive { at, environment } => self.archive(at, environment).await,
            Op::Schedule { volume, kinds } => client.schedule_backups(volume, kinds).await,
            Op::CreateProject { .. }
            | Op::CreateService { .. }
            | Op::CreateDatabase { .. }
            | Op::CreateHost { .. }
            | Op::Variable { .. } => Err(Failure::new(FailureKind::Internal, "this is carried out with others")),
        }
    }
}

/// Where it is written down when a template was asked for.
fn asked_for(mark: &str) -> String {
    format!("railway asked for {mark}")
}

/// A template's document for one service of ours: with its name, its mark and what is declared otherwise.
fn filled(template: &Template, name: &str, owner: &Owner, edits: &Edits) -> Result<Value, Failure> {
    let other = || Failure::new(FailureKind::Machine, "Railway's template is another than Ambit knows");
    let mut config = template.serialized_config.clone().ok_or_else(other)?;
    let services = config.get_mut("services").and_then(Value::as_object_mut).filter(|all| all.len() == 1);
    let service = services.and_then(|all| all.values_mut().next()).and_then(Value::as_object_mut).ok_or_else(other)?;
    service.insert("name".to_owned(), json!(name));
    let variables = service.entry("variables").or_insert_with(|| json!({})).as_object_mut().ok_or_else(other)?;
    for (name, variable) in variables.iter_mut().filter_map(|(name, v)| Some((name, v.as_object_mut()?))) {
        let database = edits.database.as_deref().filter(|_| name == "POSTGRES_DB");
        let said = |key: &str| variable.get(key).and_then(Value::as_str);
        if let Some(value) = database.or(said("value")).or(said("defaultValue")).map(|value| json!(value)) {
            variable.insert("value".to_owned(), value);
        }
    }
    variables.insert(OWNER.to_owned(), json!({ "value": owner.text() }));
    let mut part = |part: &str, key: &str, change: &dyn Fn(&str) -> Option<String>| {
        let part = service.get_mut(part).and_then(Value::as_object_mut)?;
        let changed = change(part.get(key)?.as_str()?)?;
        part.insert(key.to_owned(), json!(changed))
    };
    if let Some(version) = edits.version {
        let tagged = |image: &str| Some(format!("{}:{version}", image.rsplit_once(':')?.0));
        part("source", "image", &tagged).ok_or_else(other)?;
    }
    if let Some(persist) = edits.persist {
        part("deploy", "startCommand", &|command| railway::command(command, persist)).ok_or_else(other)?;
    }
    Ok(config)
}
