//! `guide`: how far a project is on the way from nothing to three environments that are delivered to, in the seven phases of setting
//! one up. Nothing is ticked by hand: each line says what was looked at.

mod checks;

use ambit_domain::{
    Deployment, EnvironmentId, Failure,
    outside::{Change, Part, Place},
    spec::{Environment, ProjectName},
};
use serde::Serialize;

use crate::{
    ambit::Ambit,
    declaration::Declaration,
    outside::{Of, Tokens},
    status::Status,
};

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is so.
    Done,
    /// It is not.
    Open,
    /// Nobody could look.
    Unknown,
}

/// One thing of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What.
    pub what: String,
    /// How it stands.
    pub standing: Standing,
    /// What was seen.
    pub found: String,
    /// The command that does it, or what a person does.
    pub next: Option<String>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// From 1.
    pub number: usize,
    /// Its name.
    pub title: &'static str,
    /// Its things. Empty where the project declares nothing of it.
    pub items: Vec<Item>,
}

impl Phase {
    /// Whether all of it is so.
    #[must_use]
    pub fn done(&self) -> bool {
        self.items.iter().all(|item| item.standing == Standing::Done)
    }
}

/// What the phases are looked for in.
struct Seen<'a> {
    declaration: &'a Declaration,
    parts: Vec<Part>,
    status: Status,
    deployments: Vec<Deployment>,
    ambit: &'a Ambit,
}

impl Ambit {
    /// How far the project is.
    pub async fn guide(&self, declaration: &Declaration, tokens: &Tokens) -> Result<Vec<Phase>, Failure> {
        let project: &ProjectName = &declaration.project.name;
        let parts = self.plan_outside(declaration, &Of::default(), tokens).await?.parts;
        let status = self.status(project).await?;
        let deployments = self.deployments(project, None, 10_000)?;
        let seen = Seen { declaration, parts, status, deployments, ambit: self };
        let phases = [
            ("infrastructure", seen.infrastructure()),
            ("branches", seen.branches()),
            ("DNS", seen.names()),
            ("backend", seen.backend()),
            ("mobile app", seen.mobile()?),
            ("pipeline", seen.pipeline()?),
            ("the whole way, and the team", seen.whole_way()),
        ];
        let numbered = phases.into_iter().enumerate();
        Ok(numbered.map(|(n, (title, items))| Phase { number: n + 1, title, items }).collect())
    }
}

impl Seen<'_> {
    fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.declaration.project.environments.values()
    }

    fn id(&self, environment: &Environment) -> EnvironmentId {
        EnvironmentId { project: self.declaration.project.name.clone(), environment: environment.name.clone() }
    }

    fn part(&self, place: Place) -> Option<&Part> {
        self.parts.iter().find(|part| part.place == place)
    }

    /// One line for what of a service is as declared; nothing where the project declares nothing of it.
    fn as_declared(&self, place: Place, what: impl Into<String>, of: impl Fn(&Change) -> bool) -> Option<Item> {
        let part = self.part(place)?;
        let what = what.into();
        if part.unread {
            let found = part.remarks.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("; ");
            return Some(Item { what, standing: Standing::Unknown, found, next: None });
        }
        let open: Vec<&str> = part.changes.iter().filter(|c| of(c)).map(|c| c.key.as_str()).collect();
        Some(match open.first() {
            None => Item::done(what, "as declared"),
            Some(first) => {
                let more = if open.len() > 1 { format!(" and {} more", open.len() - 1) } else { String::new() };
                Item::open(what, format!("to do: {first}{more}"), format!("ambit apply --only {place}"))
            }
        })
    }
}

impl Item {
    fn done(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), standing: Standing::Done, found: found.into(), next: None }
    }

    fn open(what: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), standing: Standing::Open, found: found.into(), next: Some(next.into()) }
    }
}
