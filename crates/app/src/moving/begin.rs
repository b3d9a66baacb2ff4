//! What a move begins with: a plan of it, or its first word in the state store.

use std::collections::{BTreeMap, BTreeSet};

use ambit_domain::{
    Commit, EnvironmentId, Failure, FailureKind, Placement,
    audit::Note,
    outside::Place,
    relocation::{Holdings, Phase, Relocation},
    spec::{Environment, Kind},
};
use serde::{Deserialize, Serialize};

use super::{Move, at_target, look::told, other, place, word};
use crate::{
    ambit::{Ambit, now},
    declaration::Declaration,
    outside::Of,
    progress::Progress,
};

/// What a move would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovePlan {
    /// Where the environment lives.
    pub from: Placement,
    /// Where it would live.
    pub to: Placement,
    /// The commit that runs.
    pub commit: Commit,
    /// What would be carried; nothing of a server that is not reached yet.
    pub holdings: Holdings,
    /// Servers at Railway that would be reached from outside for the time of the move.
    pub opens: Vec<String>,
    /// What is made or changed at Railway.
    pub changes: Vec<String>,
    /// About how many requests that takes.
    pub calls: u32,
    /// What is done, in order.
    pub steps: Vec<String>,
}

impl Ambit {
    /// What a move would do. Changes nothing.
    pub async fn plan_move(&self, request: &Move) -> Result<MovePlan, Failure> {
        let mut declaration = crate::up::load_checked(&request.folder, &request.keys)?;
        self.remember_keys(&declaration.project.name, &request.keys);
        let names = declaration.select(std::slice::from_ref(&request.environment))?;
        let name = names.into_iter().next().unwrap_or_else(|| unreachable!("one was asked for"));
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let sides = self.look_at_both(&declaration, &id, request.to, &request.tokens).await?;
        let (mut changes, mut calls) = (Vec::new(), 0);
        if request.to == Placement::Railway {
            at_target(&mut declaration, &name, request.to);
            let of = Of { places: vec![Place::Railway], environments: vec![name.clone()] };
            for part in self.plan_outside(&declaration, &of, &request.tokens).await?.parts {
                calls += part.cost.calls;
                changes.extend(part.changes.iter().map(|change| change.key.clone()));
            }
        }
        let environment = &declaration.project.environments[&name];
        Ok(MovePlan {
            from: other(request.to),
            to: request.to,
            steps: steps(environment, request.to, &declaration),
            commit: sides.commit,
            holdings: sides.holdings,
            opens: sides.opens.into_iter().collect(),
            changes,
            calls,
        })
    }

    /// Checks everything and writes the move down.
    pub(super) async fn begin_move(
        &self,
        declaration: &Declaration,
        id: &EnvironmentId,
        request: &Move,
        progress: &Progress,
    ) -> Result<Relocation, Failure> {
        let name = &id.environment;
        let environment = &declaration.project.environments[name];
        self.check_places(environment, id, request.to)?;
        if environment.kind == Kind::Production && request.confirm.as_deref() != Some(name.as_str()) {
            return Err(Failure::new(FailureKind::User, format!("{name} is production; nothing was changed"))
                .because("while its data is carried it answers nobody")
                .hint(format!("ambit move -e {name} --to {0} --plan shows what would be done", word(request.to)))
                .hint(format!("if that is meant: ambit move -e {name} --to {0} --confirm {name}", word(request.to))));
        }
        let look = async {
            let sides = self.look_at_both(declaration, id, request.to, &request.tokens).await?;
            let told = told(&sides.holdings);
            Ok((sides, told, false))
        };
        let sides = progress.step("check", look).await?;
        let relocation = Relocation {
            to: request.to,
            folder: declaration.folder.clone(),
            actor: request.actor.clone(),
            simulator: request.tokens.simulator.clone(),
            started: now(),
            commit: sides.commit,
            phase: Phase::Preparing,
            touched: false,
            fresh: sides.fresh,
            left: sides.left,
            opened: BTreeSet::new(),
            stopped: None,
            built: BTreeMap::new(),
            carried: Holdings::default(),
        };
        // Before the deed: who asked for it stays known whatever happens in the middle of it.
        let note = Note::new(&request.actor, &id.project, "environment.move").environment(name);
        self.note(note.about("to", word(request.to)))?;
        self.remember(&super::under_way(id), &Some(&relocation))?;
        Ok(relocation)
    }
}

fn steps(environment: &Environment, to: Placement, declaration: &Declaration) -> Vec<String> {
    let (from, there) = (place(other(to)), place(to));
    let mut steps = vec![match to {
        Placement::Railway => {
            "make the services at Railway as they are declared, and deploy the same commit there".to_owned()
        }
        Placement::Host => "start the servers on this machine, test and build the same commit".to_owned(),
    }];
    steps.push(format!("stop the apps at {from}: from here on the environment answers nobody"));
    if environment.postgres.is_some() {
        steps.push("carry the database, compare the rows of each table and each sequence".to_owned());
    }
    if environment.redis.is_some() {
        steps.push(
            "carry the keys of Redis with their times, compare their number (Railway's proxy to it has no TLS)"
                .to_owned(),
        );
    }
    steps.push(format!(
        "start the apps at {there} and wait for their health checks: until here a failure is taken back"
    ));
    steps.push(match declaration.project.providers.cloudflare {
        Some(_) => "change the names of the zone".to_owned(),
        None => "tell which names have to lead elsewhere".to_owned(),
    });
    steps.push(format!("write `on` into ambit.toml; what is at {from} stays there, stopped"));
    steps
}
