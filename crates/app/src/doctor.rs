//! `doctor`: looks at everything between a phone and a row of the database, and at what this machine and the project lack. What is wrong is
//! told with how it was seen and the command that mends it; the first broken link of a path is the cause, what lies behind it only
//! follows. Nothing is changed, and every question is bounded in time.

mod ask;
mod cors;
mod data;
mod delivery;
mod machine;
mod mobile;
mod names;
mod path;
mod processes;
mod project;
mod services;

use std::path::Path;

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure, Home, Wanted,
    diagnosis::{Check, Diagnosis, Trouble},
    spec::Environment,
};
use ambit_proxy::figures::Figures;
use futures_util::future::join_all;

use crate::{
    ambit::{Ambit, Surroundings, store_failure},
    declaration::Declaration,
    facts::Servers,
};

/// What the command found out about the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonSeen {
    /// It answers and is of this program.
    Answers,
    /// It answers and is of another one.
    OfAnotherProgram,
    /// Nothing answers.
    Missing(String),
}

/// What to examine.
pub struct Patient<'a> {
    /// The state folder.
    pub home: Home,
    /// What the process gives.
    pub surroundings: Surroundings,
    /// The folder that holds `ambit.toml`; `None` where there is none, so that the machine alone is looked at.
    pub folder: Option<&'a Path>,
    /// Text of the age identities that open the project's secrets, or why they cannot be had.
    pub keys: Result<String, Failure>,
    /// Environments; those of the project that are on this machine where none is named.
    pub asked: &'a [String],
    /// The daemon.
    pub daemon: DaemonSeen,
}

/// Everything that the checks look at.
struct Seen<'a> {
    ambit: &'a Ambit,
    patient: &'a Patient<'a>,
    declaration: Option<&'a Declaration>,
    environments: Vec<(EnvironmentId, EnvironmentRecord)>,
    figures: Option<Figures>,
}

/// One environment that should run.
struct Examined<'a> {
    seen: &'a Seen<'a>,
    id: &'a EnvironmentId,
    record: &'a EnvironmentRecord,
    /// As it is declared; `None` where that cannot be read.
    declared: Option<&'a Environment>,
    servers: Option<Servers>,
}

/// Looks at everything.
pub async fn diagnose(patient: &Patient<'_>) -> Result<Diagnosis, Failure> {
    let mut checks = machine::look(&patient.home);
    checks.extend(machine::folder(&patient.home));
    let opened = Ambit::open(patient.home.clone(), patient.surroundings.clone());
    let store = opened.as_ref().map(drop).map_err(|failure| told(failure, "it was opened"));
    checks.push(Check::new("state", "the state folder can be used", store).needs(["disk", "folder"]));
    let (declaration, of_project) = project::look(patient)?;
    checks.extend(of_project);
    let Ok(ambit) = &opened else { return Ok(Diagnosis::of(checks)) };

    let environments = chosen(ambit, patient, declaration.as_ref())?;
    let figures = ambit_proxy::client::figures(&patient.home.proxy()).await.ok();
    let seen = Seen { ambit, patient, declaration: declaration.as_ref(), environments, figures };
    checks.extend(seen.programs());
    checks.extend(seen.processes().await?);
    checks.extend(seen.missing_environments());
    checks.extend(mobile::look(&seen));
    let running: Vec<Examined<'_>> = seen
        .environments
        .iter()
        .filter(|(_, record)| record.wanted == Wanted::Running)
        .map(|(id, record)| Examined::new(&seen, id, record))
        .collect::<Result<_, Failure>>()?;
    checks.extend(seen.certificates().await?);
    for of_one in join_all(running.iter().map(Examined::look)).await {
        checks.extend(of_one?);
    }
    Ok(Diagnosis::of(checks))
}

/// The environments of the project that are recorded; of every project where no project is there.
fn chosen(
    ambit: &Ambit,
    patient: &Patient<'_>,
    declaration: Option<&Declaration>,
) -> Result<Vec<(EnvironmentId, EnvironmentRecord)>, Failure> {
    let mut all = ambit.store.environments().map_err(|e| store_failure(&e))?;
    if let Some(declaration) = declaration {
        declaration.select(patient.asked)?;
        all.retain(|(id, _)| id.project == declaration.project.name);
    }
    all.retain(|(id, _)| patient.asked.is_empty() || patient.asked.iter().any(|n| n == id.environment.as_str()));
    Ok(all)
}

impl<'a> Examined<'a> {
    fn new(seen: &'a Seen<'a>, id: &'a EnvironmentId, record: &'a EnvironmentRecord) -> Result<Self, Failure> {
        let declared = seen
            .declaration
            .filter(|declaration| declaration.project.name == id.project)
            .and_then(|declaration| declaration.project.environments.get(&id.environment));
        let servers = declared.map(|declared| seen.ambit.servers(id, declared)).transpose()?;
        Ok(Self { seen, id, record, declared, servers })
    }

    /// The id of a check of this environment.
    fn name(&self, what: &str) -> String {
        format!("{}/{what}", self.id.environment)
    }

    /// What brings it up as it is declared.
    fn up(&self) -> String {
        format!("ambit up {}", self.id.environment)
    }

    async fn look(&self) -> Result<Vec<Check>, Failure> {
        let mut checks = self.data().await?;
        checks.extend(self.services().await);
        checks.extend(self.paths().await?);
        checks.extend(self.cross_origin().await?);
        checks.extend(self.delivery()?);
        Ok(checks)
    }
}

/// A failure as trouble: its hints are what mends it.
fn told(failure: &Failure, seen: &str) -> Trouble {
    let because = failure.causes.first().and_then(|cause| cause.lines().last()).map(str::trim).unwrap_or_default();
    let seen = if because.is_empty() { seen.to_owned() } else { format!("{seen}: {because}") };
    Trouble { wrong: failure.message.clone(), seen, mend: failure.hints.clone() }
}
