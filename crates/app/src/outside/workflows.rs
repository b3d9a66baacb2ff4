//! The workflows' files in the project's own folder. Committing and pushing them is a person's.

use ambit_domain::{
    Failure,
    ci::CiState,
    outside::{Action, Change, Detail, Known, Look, Place, Remark, Said, Step},
    spec::EnvironmentName,
};
use async_trait::async_trait;

use super::side::{Done, Outside};
use crate::{
    ci::{FileState, Workflows, file_states, write_workflows},
    declaration::Declaration,
};

pub(super) struct Files<'a>(&'a Declaration);

impl<'a> Files<'a> {
    pub(super) fn new(declaration: &'a Declaration) -> Self {
        Self(declaration)
    }
}

#[async_trait]
impl Outside for Files<'_> {
    type Op = ();

    fn place(&self) -> Place {
        Place::Workflows
    }

    async fn look(&self, _: &mut Known) -> Result<Look<()>, Failure> {
        let mut look = Look::default();
        for file in file_states(self.0)? {
            match change(&file) {
                None => look.kept += 1,
                Some(_) if file.by_hand => look.remarks.push(Remark::new(
                    file.file.display().to_string(),
                    "it was edited by hand; it is not touched (say it in ambit.toml, or ambit ci github --force)",
                )),
                Some(change) => look.steps.push(Step { change, op: () }),
            }
        }
        Ok(look)
    }

    async fn carry_out(&self, steps: &[Step<()>]) -> Result<Done, Failure> {
        let named: Vec<&EnvironmentName> = steps.iter().filter_map(|s| s.change.environment.as_ref()).collect();
        let all = self.0.project.environments.len() == named.len() || named.is_empty();
        let environments = if all { Vec::new() } else { named.iter().map(|name| name.to_string()).collect() };
        let written = write_workflows(&self.0.folder, &Workflows { environments, target: None }, false)?;
        let changed = written.iter().filter(|file| file.state != CiState::Unchanged).count();
        Ok(if changed == 0 { Done::Again(0) } else { Done::These(steps.len()) })
    }
}

fn change(file: &FileState) -> Option<Change> {
    let key = file.file.display().to_string();
    let lines = |text: &str| Said::text(format!("{} lines", text.lines().count()));
    let (there, wanted) = (file.there.as_deref(), file.wanted.as_deref());
    let detail = Detail::new("", there.map(lines), wanted.map(lines));
    let action = match (there, wanted) {
        (None, Some(_)) => Action::Create,
        (Some(there), Some(wanted)) if there != wanted => Action::Change,
        (Some(_), None) => Action::Delete,
        _ => return None,
    };
    Some(Change { key, action, details: vec![detail], environment: file.environment.clone() })
}
