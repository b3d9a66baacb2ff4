//! Whether what should run is what runs: the last deployment, the branch, backups.

use std::path::PathBuf;

use ambit_domain::{
    Commit, Deployment, DeploymentState, Failure,
    backup::Worth,
    diagnosis::{Check, Trouble},
    spec::Code,
};
use ambit_source::git::Repository;

use super::{Examined, Seen};
use crate::ambit::now;

/// A backup that is late by less than this is only being made.
const GRACE: i64 = 15 * 60 * 1000;
/// Characters of a reason; the log has all of it.
const LONGEST: usize = 600;

impl Seen<'_> {
    /// Environments that somebody asked for by name and that were never brought up.
    pub(super) fn missing_environments(&self) -> Vec<Check> {
        let asked = self.patient.asked.iter();
        let missing = asked.filter(|name| !self.environments.iter().any(|(id, _)| id.environment.as_str() == *name));
        let check = |name: &String| {
            let trouble = Trouble::new(
                format!("{name} is not on this machine"),
                "it has no record here",
                format!("ambit up {name}"),
            );
            Check::new(format!("{name}/up"), format!("{name} was brought up"), Err(trouble))
                .needs(["secrets", "programs"])
        };
        missing.map(check).collect()
    }
}

impl Examined<'_> {
    pub(super) fn delivery(&self) -> Result<Vec<Check>, Failure> {
        let environment = &self.id.environment;
        let mut checks = Vec::new();
        let newest = self.seen.ambit.deployments(&self.id.project, Some(self.id), 20)?;
        // What never came to run says nothing of what does.
        let passing = [
            DeploymentState::Superseded,
            DeploymentState::Cancelled,
            DeploymentState::Rejected,
            DeploymentState::Expired,
        ];
        if let Some(last) = newest.iter().find(|d| d.state.is_final() && !passing.contains(&d.state)) {
            let what = format!("the last deployment of {environment} succeeded");
            let needs = [
                self.name("postgres"),
                self.name("redis"),
                "disk".to_owned(),
                "memory".to_owned(),
                "secrets".to_owned(),
            ];
            checks.push(Check::new(self.name("deployment"), what, self.deployed(last)).needs(needs));
        }
        if let Some(declared) = self.declared {
            let what = format!("{environment} runs the branch that is declared");
            checks.push(Check::new(self.name("branch"), what, self.branch(&declared.code)).needs(["programs"]));
        }
        if self.record.backup.is_some() {
            let what = format!("the backups of {environment} are new and restore");
            let needs =
                [self.name("postgres"), self.name("redis"), "disk".to_owned(), "daemon".to_owned(), "clock".to_owned()];
            checks.push(Check::new(self.name("backup"), what, self.backed_up()?).needs(needs));
        }
        Ok(checks)
    }

    fn deployed(&self, last: &Deployment) -> Result<(), Trouble> {
        let environment = &self.id.environment;
        if !matches!(last.state, DeploymentState::Failed | DeploymentState::RolledBack) {
            return Ok(());
        }
        let (number, version) = (last.number, &last.version);
        let wrong = format!(
            "deployment {number} of {version} to {environment} {}",
            if last.state == DeploymentState::Failed { "failed" } else { "was rolled back" }
        );
        let failure = last.failure.as_ref();
        let seen = failure.map(reason).unwrap_or_default();
        let again = match self.declared.map(|declared| &declared.code) {
            Some(Code::WorkingTree) => self.up(),
            _ => format!("ambit deploy -e {environment}"),
        };
        let log = format!("ambit deployment log {number}");
        let mut trouble = Trouble::new(wrong, seen, log);
        trouble.mend.extend(failure.into_iter().flat_map(|failure| failure.hints.clone()));
        Err(trouble.and(format!("{again}   # once it is mended")))
    }

    fn branch(&self, code: &Code) -> Result<(), Trouble> {
        let (Some(folder), Code::Branch(wanted) | Code::Tag { branch: wanted, .. }) = (self.seen.patient.folder, code)
        else {
            return Ok(());
        };
        let environment = &self.id.environment;
        let own = self.seen.ambit.home.repository(&self.id.project);
        let pushed = own.is_dir().then(|| Repository::at(own, PathBuf::new()));
        let here = Repository::find(folder).ok().flatten();
        let repositories: Vec<&Repository> = pushed.iter().chain(&here).collect();
        let having: Vec<&Repository> =
            repositories.into_iter().filter(|repository| repository.branch_head(wanted).is_ok()).collect();
        if having.is_empty() {
            let wrong = format!("{environment} should run the branch `{wanted}`, which cannot be found");
            let seen = format!("neither {} nor what was pushed here has it", folder.display());
            return Err(Trouble::new(wrong, seen, format!("git branch {wanted}"))
                .and(format!("or name another one: branch = \"…\" in [environments.{environment}] of ambit.toml")));
        }
        let Code::Branch(_) = code else { return Ok(()) };
        let mut runs = self.record.services.iter().filter_map(|service| service.real.build()?.1);
        let on_it =
            |commit: &Commit| having.iter().any(|repository| repository.is_on(&commit.id, wanted).unwrap_or(true));
        let Some(other) = runs.find(|commit| commit.from != *wanted && !on_it(commit)) else { return Ok(()) };
        let wrong = format!("{environment} runs `{}`, and the branch `{wanted}` is declared", other.from);
        let seen = format!("commit {} is not on that branch", other.short());
        Err(Trouble::new(wrong, seen, format!("ambit deploy -e {environment}")))
    }

    fn backed_up(&self) -> Result<Result<(), Trouble>, Failure> {
        let environment = &self.id.environment;
        let (Some(declared), Some(status)) =
            (&self.record.backup, self.seen.ambit.backup_status(self.id, self.record)?)
        else {
            return Ok(Ok(()));
        };
        let now_ = now();
        let again = format!("ambit backup now -e {environment}");
        let every = i64::try_from(declared.every.as_millis()).unwrap_or(i64::MAX);
        let late = |since: i64| now_.saturating_sub(since) > every.saturating_add(GRACE.max(every / 2));
        let began = self.record.up_since.unwrap_or(now_);
        Ok(match (&status.trouble, status.at, status.worth) {
            (Some(trouble), _, _) => {
                Err(Trouble::new(format!("a backup of {environment} could not be made"), trouble, again))
            }
            (None, None, _) if late(began) => {
                Err(Trouble::new(format!("{environment} has no backup"), "none is recorded", again))
            }
            (None, Some(at), _) if late(at) => {
                let hours = now_.saturating_sub(at) / 3_600_000;
                let wrong = format!(
                    "the newest backup of {environment} is too old: {hours} h, one is due every {} h",
                    every / 3_600_000
                );
                Err(Trouble::new(wrong, "the backups are listed", again))
            }
            (None, Some(_), Some(Worth::Failed)) => {
                let wrong = format!("the newest backup of {environment} cannot be restored");
                Err(Trouble::new(wrong, "its drill failed", again).and(format!("ambit backup list -e {environment}")))
            }
            _ => Ok(()),
        })
    }
}

/// What a failure says, with the end of each of its causes.
fn reason(failure: &Failure) -> String {
    let causes = failure.causes.iter().filter_map(|cause| cause.lines().rfind(|line| !line.trim().is_empty()));
    let all: Vec<&str> = std::iter::once(failure.message.as_str()).chain(causes.map(str::trim)).collect();
    all.join(": ").chars().take(LONGEST).collect()
}
