//! What GitHub's release of a tag says, once production has it.

use ambit_domain::{
    Deployment, Failure,
    github::{Named, Notes, mark},
    spec::{Code, Environment, Kind},
};
use ambit_source::git::Repository;

use crate::{
    ambit::{Ambit, store_failure},
    changelog::{entry, find, version_of},
    code::source_failure,
    declaration::Declaration,
};

/// Among so many newest deployments the one before is looked for.
const LOOKED_AT: usize = 1000;

impl Ambit {
    /// The notes of a deployment that brought a tag to production; `None` of every other, and of a way back.
    pub(crate) fn notes_of(
        &self,
        declaration: &Declaration,
        environment: &Environment,
        deployment: &Deployment,
    ) -> Result<Option<Notes>, Failure> {
        let (Kind::Production, Code::Tag { pattern, .. }) = (environment.kind, &environment.code) else {
            return Ok(None);
        };
        let is_release = |d: &Deployment| {
            let tagged = d.commit.as_ref().is_some_and(|commit| ambit_source::matches(pattern, &commit.from));
            tagged && !d.hotfix && !d.trigger.goes_back()
        };
        let Some(commit) = deployment.commit.as_ref().filter(|_| is_release(deployment)) else { return Ok(None) };
        let id = &deployment.environment;
        let all = self.store.deployments(&id.project, Some(id), LOOKED_AT).map_err(|e| store_failure(&e))?;
        let before = all
            .into_iter()
            .filter(|d| d.number < deployment.number && d.state.serves() && is_release(d))
            .filter_map(|d| d.commit)
            .find(|earlier| earlier.id != commit.id);
        let prefix = self.store.project_prefix(&id.project).map_err(|e| store_failure(&e))?;
        let repository = Repository::at(self.home.repository(&id.project), prefix);
        let commits = match &before {
            Some(before) => repository.changes(Some(&before.id), &commit.id).map_err(|e| source_failure(&e))?,
            None => Vec::new(),
        };
        let changelog = find(&repository, &commit.id)?;
        let section = changelog.as_ref().zip(version_of(&commit.from)).and_then(|((_, text), v)| entry(text, v));
        Ok(Some(Notes {
            mark: mark(&declaration.project.name, environment.name.as_str()),
            changelog: section.into_iter().flatten().map(str::to_owned).collect(),
            since: before.map(|before| before.from),
            commits: commits.into_iter().map(|c| Named { id: c.id, subject: c.subject, author: c.author }).collect(),
        }))
    }
}
