//! A person of QA said yes to this release.

use ambit_domain::Failure;

use super::{Evidence, Finding, ago};
use crate::ambit::store_failure;

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let project = &at.deployment.environment.project;
    let verdicts = at.scope.ambit.store.qa_verdicts(project, &at.release.id).map_err(|e| store_failure(&e))?;
    Ok(match verdicts.first() {
        Some(verdict) if verdict.yes => Finding::passed(format!(
            "approved by {} in {}: \"{}\", {}",
            verdict.actor.who,
            verdict.environment.environment,
            verdict.comment,
            ago(verdict.at)
        )),
        Some(verdict) => Finding::failed(
            format!("rejected by {}: \"{}\", {}", verdict.actor.who, verdict.comment, ago(verdict.at)),
            "mend it, and have it tried again",
        ),
        None => {
            let environment = at.ran_in().map_or_else(|| "test".to_owned(), |d| d.environment.environment.to_string());
            Finding::waiting("nobody of QA has spoken", format!("ambit qa approve -e {environment} \"what was tried\""))
        }
    })
}
