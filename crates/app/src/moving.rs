//! `move`: an environment leaves this machine for Railway, or comes back, with its data.
//!
//! How far a move is stands in the state store before anything of it is done ([`Relocation`]). Each phase may be done again from its
//! beginning: a daemon that is killed goes on where it was. What fails before the target serves is undone: the source starts again as it
//! was, and what was carried stays aside. After that there is only forward. While a move is under way nobody deploys the environment,
//! and its jobs do not run.

mod begin;
mod data;
mod finish;
mod look;
mod names;
mod source;
mod target;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind, Hosted, Placement,
    audit::Note,
    relocation::{Holdings, Phase, Relocation},
    spec::{Environment, EnvironmentName, Placement as Lives},
};
use serde::{Deserialize, Serialize};

pub use self::begin::MovePlan;
use crate::{
    ambit::{Ambit, store_failure},
    declaration::Declaration,
    outside::Tokens,
    progress::Progress,
};

/// How often it is looked for moves that nobody goes on with.
const EVERY: Duration = Duration::from_secs(5);
/// When one that failed is tried again: twice as long after each time. A free account at Railway has 100 requests an hour.
const AGAIN: Duration = Duration::from_secs(60);
const SELDOM: Duration = Duration::from_secs(1800);

/// A request to move an environment.
#[derive(Clone, Serialize, Deserialize)]
pub struct Move {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The environment.
    pub environment: String,
    /// Where to.
    pub to: Placement,
    /// Its name once more, which production asks for.
    pub confirm: Option<String>,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// Tokens that the project does not have.
    pub tokens: Tokens,
    /// Who asks.
    pub actor: Actor,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The environment.
    pub environment: EnvironmentName,
    /// Where it lives now.
    pub to: Placement,
    /// What was carried.
    pub carried: Holdings,
    /// What people have to do, where Ambit could not.
    pub left_to_do: Vec<String>,
}

/// A move with everything that work on it needs.
struct Moving<'a> {
    ambit: &'a Ambit,
    /// As it is once the environment lives at the target.
    declaration: &'a Declaration,
    environment: &'a Environment,
    id: &'a EnvironmentId,
    tokens: &'a Tokens,
    progress: Progress,
    relocation: Relocation,
    /// The side at Railway, opened once: each look at the project is a request.
    there: OnceLock<Box<dyn Hosted + 'a>>,
}

impl Ambit {
    /// Where an environment was moved to last, by this machine; `None` where it never was.
    pub(crate) fn moved_to(&self, id: &EnvironmentId) -> Result<Option<Placement>, Failure> {
        self.remembered(&lives(id))
    }

    /// The move of an environment that is under way.
    pub(crate) fn relocation(&self, id: &EnvironmentId) -> Result<Option<Relocation>, Failure> {
        self.remembered(&under_way(id))
    }

    /// Nothing of an environment is on this machine any more.
    pub(crate) fn forget_where_it_lives(&self, id: &EnvironmentId) -> Result<(), Failure> {
        if self.moved_to(id)? == Some(Placement::Host) {
            self.remember(&lives(id), &None::<Placement>)?;
        }
        self.remember(&left(id, Placement::Host), &false)
    }

    /// Fails while an environment is being moved.
    pub(crate) fn refuse_while_moving(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let Some(relocation) = self.relocation(id)? else { return Ok(()) };
        let to = place(relocation.to);
        Err(Failure::new(FailureKind::User, format!("{} is being moved to {to}", id.environment))
            .hint("wait until it is over, then repeat the command")
            .hint(format!("where it stands still: ambit move -e {} --to {}", id.environment, word(relocation.to))))
    }

    /// Moves an environment, or goes on with its move.
    pub async fn move_environment(&self, request: &Move, progress: &Progress) -> Result<Moved, Failure> {
        let mut declaration = crate::up::load_checked(&request.folder, &request.keys)?;
        self.remember_keys(&declaration.project.name, &request.keys);
        let names = declaration.select(std::slice::from_ref(&request.environment))?;
        let Some(name) = names.into_iter().next() else {
            return Err(Failure::new(FailureKind::User, "no environment was named"));
        };
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let progress = progress.environment(&name);
        let _alone = self.alone(&id).await;
        let relocation = match self.relocation(&id)? {
            Some(other) if other.to != request.to && other.phase != Phase::Undoing => {
                return Err(Failure::new(FailureKind::User, format!("{name} is being moved to {}", place(other.to)))
                    .hint(format!("let that come to its end first: ambit move -e {name} --to {}", word(other.to))));
            }
            Some(same) => same,
            None => self.begin_move(&declaration, &id, request, &progress).await?,
        };
        at_target(&mut declaration, &name, relocation.to);
        let tokens = Tokens { simulator: relocation.simulator.clone(), ..request.tokens.clone() };
        self.go_on_moving(&declaration, &id, &tokens, relocation, &progress).await
    }

    async fn go_on_moving(
        &self,
        declaration: &Declaration,
        id: &EnvironmentId,
        tokens: &Tokens,
        relocation: Relocation,
        progress: &Progress,
    ) -> Result<Moved, Failure> {
        let environment = declaration.project.environments.get(&id.environment).ok_or_else(|| {
            Failure::new(FailureKind::Declaration, format!("ambit.toml declares {} no more", id.environment))
                .hint("declare it again until its move is over")
        })?;
        let progress = progress.clone();
        let there = OnceLock::new();
        let mut moving = Moving { ambit: self, declaration, environment, id, tokens, progress, relocation, there };
        let to_phase = moving.relocation.phase;
        if to_phase == Phase::Undoing {
            moving.undo().await?;
            return Err(Failure::new(
                FailureKind::Interrupted,
                format!("the move of {} was taken back", id.environment),
            )
            .because("it failed before; what ran before runs again")
            .hint("repeat the command to try it again"));
        }
        if to_phase < Phase::Switching
            && let Err(failure) = moving.until_it_serves().await
        {
            return Err(moving.take_back(failure).await);
        }
        moving.finish().await
    }

    /// Moves that an earlier daemon did not finish go on, and those that stand still are tried again, ever less often, for as long as
    /// it is polled.
    pub async fn go_on_with_moves(self: Arc<Self>) {
        let mut due: HashMap<EnvironmentId, (tokio::time::Instant, Duration)> = HashMap::new();
        loop {
            let all = match self.store.settings_with(UNDER_WAY) {
                Ok(all) => all,
                Err(error) => {
                    tracing::error!("moves cannot be read: {}", store_failure(&error));
                    Vec::new()
                }
            };
            let under_way: Vec<EnvironmentId> = all
                .iter()
                .filter(|(_, text)| text != "null")
                .filter_map(|(name, _)| name.strip_prefix(UNDER_WAY).and_then(id_of))
                .collect();
            due.retain(|id, _| under_way.contains(id));
            for id in under_way {
                let now = tokio::time::Instant::now();
                let (at, pause) = due.get(&id).copied().unwrap_or((now, AGAIN));
                // One that goes on has the environment to itself.
                if at > now || self.left_alone(&id).is_none() {
                    continue;
                }
                due.insert(id.clone(), (now + pause, SELDOM.min(pause * 2)));
                let ambit = Arc::clone(&self);
                tokio::spawn(async move {
                    if let Err(failure) = ambit.resume_move(&id).await {
                        tracing::error!(causes = ?failure.causes, "the move of {id}: {failure}");
                    }
                });
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn resume_move(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let _alone = self.alone(id).await;
        let Some(relocation) = self.relocation(id)? else { return Ok(()) };
        let mut declaration = crate::up::load_checked(&relocation.folder, &self.keys_of(&id.project))?;
        at_target(&mut declaration, &id.environment, relocation.to);
        let tokens = Tokens { simulator: relocation.simulator.clone(), ..Tokens::default() };
        let progress = Progress::unheard().environment(&id.environment);
        self.go_on_moving(&declaration, id, &tokens, relocation, &progress).await.map(drop)
    }
}

impl<'a> Moving<'a> {
    /// The side at Railway; not before its project is there.
    fn hosted(&self) -> Result<&(dyn Hosted + 'a), Failure> {
        if let Some(there) = self.there.get() {
            return Ok(&**there);
        }
        let opened = self.ambit.hosted(self.declaration, self.environment, self.tokens)?;
        Ok(&**self.there.get_or_init(|| opened))
    }

    /// Writes down how far it is, before anything more is done.
    fn enter(&mut self, phase: Phase) -> Result<(), Failure> {
        self.relocation.phase = phase;
        self.save()
    }

    fn save(&self) -> Result<(), Failure> {
        self.ambit.remember(&under_way(self.id), &Some(&self.relocation))
    }

    fn note(&self, what: &'static str) -> Note {
        let note = Note::new(&self.relocation.actor, &self.id.project, what).environment(&self.id.environment);
        note.about("to", word(self.relocation.to))
    }

    fn has_sites(&self) -> bool {
        self.environment.services.values().any(|s| matches!(s.form, ambit_domain::spec::Form::Site(_)))
    }

    /// Everything that can still be taken back.
    async fn until_it_serves(&mut self) -> Result<(), Failure> {
        // Data that was written to the target by what began there is not that of the source: it is carried anew.
        if self.relocation.phase == Phase::Preparing {
            self.make_ready().await?;
            crate::fault::point("the target of a move is ready");
            self.progress.go_on()?;
            self.enter(Phase::Stopping)?;
        }
        // What a daemon that was killed had stopped may have come back with the machine.
        if matches!(self.relocation.phase, Phase::Stopping | Phase::Carrying) {
            self.stop_source().await?;
            crate::fault::point("the source of a move is stopped");
            self.relocation.touched = true;
            self.enter(Phase::Carrying)?;
        }
        if self.relocation.phase == Phase::Carrying {
            self.carry().await?;
            crate::fault::point("data of a move is carried");
            self.enter(Phase::Starting)?;
        }
        self.start_target().await?;
        crate::fault::point("the target of a move serves");
        self.enter(Phase::Switching)
    }
}

/// The declaration as it is once an environment lives there.
fn at_target(declaration: &mut Declaration, name: &EnvironmentName, to: Placement) {
    if let Some(environment) = declaration.project.environments.get_mut(name) {
        environment.on = Some(match to {
            Placement::Host => Lives::Host,
            Placement::Railway => Lives::Railway,
        });
    }
}

/// For people.
fn place(to: Placement) -> &'static str {
    match to {
        Placement::Host => "this machine",
        Placement::Railway => "Railway",
    }
}

/// As it is typed.
fn word(to: Placement) -> &'static str {
    match to {
        Placement::Host => "host",
        Placement::Railway => "railway",
    }
}

/// The place that it comes from.
fn other(to: Placement) -> Placement {
    match to {
        Placement::Host => Placement::Railway,
        Placement::Railway => Placement::Host,
    }
}

const UNDER_WAY: &str = "move under way ";

fn under_way(id: &EnvironmentId) -> String {
    format!("{UNDER_WAY}{id}")
}

fn lives(id: &EnvironmentId) -> String {
    format!("lives {id}")
}

/// Whether what an environment has at a place was left there by a move.
fn left(id: &EnvironmentId, at: Placement) -> String {
    format!("left {} {id}", word(at))
}

fn id_of(text: &str) -> Option<EnvironmentId> {
    let (project, environment) = text.split_once('/')?;
    Some(EnvironmentId { project: project.parse().ok()?, environment: environment.parse().ok()? })
}
