//! Monitors at UptimeRobot.
//!
//! What is written there may not be read for some seconds, and it does not mind two monitors that are alike. So what was answered to
//! a write counts more than what a list says while one plan is carried out, a monitor that may have been made is waited for before it
//! is made again, and the list is waited for at the end. Where even that fails, the next plan finds the second one and deletes it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ambit_cloud::{
    Carried,
    uptimerobot::{BASE, UptimeRobot, Written},
};
use ambit_domain::{
    Failure,
    monitors::{self, Alert, Change, Comparison, Contact, Monitor, Present, Wanted},
    outside::{Confirm, Cost, Known, Look, Place, Remark, Step},
};
use async_trait::async_trait;

use super::{
    Tokens,
    side::{Done, Outside},
};
use crate::declaration::Declaration;

/// Deleting more than one in so many of the project's monitors needs its name.
const MANY: usize = 3;
/// Pauses between reads of what was written.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

pub(super) struct Uptimerobot<'a> {
    declaration: &'a Declaration,
    client: UptimeRobot,
    /// What was answered to writes; `None` for what was deleted.
    written: Mutex<BTreeMap<u64, Option<Present>>>,
    /// What may have been made, and nobody knows.
    unsure: Mutex<Option<Monitor>>,
}

/// What to do.
#[derive(Clone)]
pub(super) enum Op {
    /// To a monitor of the project.
    Change(Change),
    /// Makes somebody's monitor the project's.
    Mark(Present, String),
}

struct Account {
    wanted: Wanted,
    there: Vec<Present>,
    contacts: Vec<Contact>,
    /// How many requests it took to read.
    calls: u32,
}

impl<'a> Uptimerobot<'a> {
    pub(super) fn open(declaration: &'a Declaration, tokens: &Tokens) -> Result<Self, Failure> {
        let declared = declaration.project.providers.uptimerobot.as_ref();
        let access = declared.ok_or_else(|| super::undeclared(declaration, Place::Uptimerobot))?;
        let door = declaration.door(("uptimerobot", "UptimeRobot"), access, BASE, tokens)?;
        let client = UptimeRobot::new(&door.base, &door.token)?;
        Ok(Self { declaration, client, written: Mutex::default(), unsure: Mutex::default() })
    }

    /// A free account takes ten requests a minute: only what is needed is read.
    async fn read(&self) -> Result<Account, Failure> {
        let wanted = monitors::wanted(&self.declaration.project);
        let (mut contacts, mut calls) = (Vec::new(), 1);
        if wanted.tells(&[Alert::Email]) {
            contacts.extend(self.client.contacts().await?);
            calls += 1;
        }
        if wanted.tells(&[Alert::Slack, Alert::Webhook]) {
            contacts.extend(self.client.integrations().await?);
            calls += 1;
        }
        let unsure = lock(&self.unsure).take();
        let there = match unsure {
            None => self.client.monitors().await?,
            Some(made) => self.wait_for(|there| there.iter().any(|p| is_that(&made, p))).await?,
        };
        Ok(Account { wanted, there: self.as_written(there), contacts, calls })
    }

    /// Reads until what was written is seen, or has had its time.
    async fn wait_for(&self, seen: impl Fn(&[Present]) -> bool + Send) -> Result<Vec<Present>, Failure> {
        let mut there = self.client.monitors().await?;
        for pause in PAUSES {
            if seen(&there) {
                break;
            }
            tokio::time::sleep(pause).await;
            there = self.client.monitors().await?;
        }
        Ok(there)
    }

    fn as_written(&self, there: Vec<Present>) -> Vec<Present> {
        let written = lock(&self.written);
        let listed = there.into_iter().filter(|p| !written.contains_key(&p.id));
        listed.chain(written.values().flatten().cloned()).collect()
    }

    /// Waits until the list says what was written, so that the next plan finds it so.
    async fn settle(&self) {
        if self.client.quota().left == Some(0) {
            return;
        }
        let written = lock(&self.written).clone();
        let says = |p: &Present, now: &Present| (&p.name, &p.url, p.paused) == (&now.name, &now.url, now.paused);
        let seen = |there: &[Present]| {
            written.iter().all(|(id, now)| match (there.iter().find(|p| p.id == *id), now) {
                (Some(listed), Some(now)) => says(listed, now),
                (listed, now) => listed.is_none() && now.is_none(),
            })
        };
        // Each write was answered already: whether the list says so yet changes nothing of it.
        let _ = self.wait_for(seen).await;
    }

    fn note(&self, written: Written) -> Done {
        match written {
            Written::Done(present) => {
                lock(&self.written).insert(present.id, Some(present));
                Done::These(1)
            }
            Written::Unknown(why) => Done::Unknown(why),
        }
    }

    async fn carry_out_one(&self, op: &Op) -> Result<Done, Failure> {
        Ok(match op {
            Op::Mark(present, tag) => self.note(self.client.mark(present, tag).await?),
            Op::Change(Change::Create { monitor, contacts }) => {
                let done = self.note(self.client.create(monitor, contacts).await?);
                if matches!(done, Done::Unknown(_)) {
                    *lock(&self.unsure) = Some(monitor.clone());
                }
                done
            }
            Op::Change(Change::Change { present, monitor, contacts }) => {
                let done = self.note(self.client.change(present, monitor, contacts).await?);
                match done {
                    Done::These(_) if present.paused => self.note(self.client.start(present.id).await?),
                    done => done,
                }
            }
            Op::Change(Change::Delete { present }) => match self.client.delete(present.id).await? {
                Carried::Done => {
                    lock(&self.written).insert(present.id, None);
                    Done::These(1)
                }
                Carried::Unknown(why) => Done::Unknown(why),
            },
        })
    }
}

#[async_trait]
impl Outside for Uptimerobot<'_> {
    type Op = Op;

    fn place(&self) -> Place {
        Place::Uptimerobot
    }

    async fn look(&self, _: &mut Known) -> Result<Look<Op>, Failure> {
        let Account { wanted, there, contacts, calls } = self.read().await?;
        let found = monitors::compare(&self.declaration.project.name, &wanted, &there, &contacts);
        let mut look = Look {
            title: title(&wanted),
            remarks: remarks(&wanted, &found),
            kept: found.kept,
            unmanaged: found.unmanaged,
            ..Look::default()
        };
        let deleted = found.changes.iter().filter(|c| matches!(c, Change::Delete { .. })).count();
        let ours = there.len() - found.unmanaged;
        if deleted * MANY > ours {
            let name = self.declaration.project.name.to_string();
            let why = format!("{deleted} of the {ours} monitors of {name} would be deleted, with what they recorded");
            look.confirm.push(Confirm { name, why });
        }
        let starts = found.changes.iter().filter(|c| matches!(c, Change::Change { present, .. } if present.paused));
        let writes = found.changes.len() + starts.count();
        let settles = u32::from(writes > 0);
        let calls = calls + u32::try_from(writes).unwrap_or(u32::MAX).saturating_add(settles);
        look.cost = Cost { calls, quota: Some(self.client.quota()) };
        let step = |change: Change| Step { change: change.shown(&contacts), op: Op::Change(change) };
        look.steps = found.changes.into_iter().map(step).collect();
        Ok(look)
    }

    async fn adoptable(&self) -> Result<Look<Op>, Failure> {
        let Account { wanted, there, contacts, .. } = self.read().await?;
        let found = monitors::compare(&self.declaration.project.name, &wanted, &there, &contacts);
        let fits = found.taken.into_iter().filter(|taken| taken.present.http);
        let steps = fits
            .map(|taken| Step { change: monitors::adopted(&taken), op: Op::Mark(taken.present, taken.monitor.tag) });
        Ok(Look { title: title(&wanted), steps: steps.collect(), ..Look::default() })
    }

    async fn carry_out(&self, steps: &[Step<Op>]) -> Result<Done, Failure> {
        let Some(step) = steps.first() else { return Ok(Done::These(0)) };
        let done = self.carry_out_one(&step.op).await?;
        if steps.len() == 1 && matches!(done, Done::These(_)) {
            self.settle().await;
        }
        Ok(done)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_that(monitor: &Monitor, present: &Present) -> bool {
    present.name == monitor.name && present.tags.contains(&monitor.tag)
}

fn title(wanted: &Wanted) -> String {
    let names: Vec<&str> = wanted.environments.iter().map(|name| name.as_str()).collect();
    if names.is_empty() { "no environment with [monitoring] level = \"full\"".to_owned() } else { names.join(", ") }
}

fn remarks(wanted: &Wanted, found: &Comparison) -> Vec<Remark> {
    let unmet = wanted.unmet.iter().map(|(about, why)| Remark::new(about.as_str(), why.as_str()));
    let taken = found.taken.iter().map(|taken| {
        let text = format!(
            "somebody's monitor \"{}\" asks {} already; no second one is made (ambit import makes it the project's, or delete it)",
            taken.present.name, taken.present.url
        );
        Remark::new(taken.monitor.name.as_str(), text)
    });
    let untold = found.untold.iter().map(|alert| {
        let text = match alert {
            Alert::Email => "the account has no confirmed e-mail contact that could be told: UptimeRobot → My account",
            Alert::Slack => "the account has no Slack integration that could be told: UptimeRobot → Integrations & API",
            Alert::Webhook => "the account has no webhook that could be told: UptimeRobot → Integrations & API",
        };
        Remark::new(format!("[monitoring] alert = \"{}\"", alert.name()), text)
    });
    unmet.chain(taken).chain(untold).collect()
}
