//! A person of QA said yes: to this release, or to the newest build of the mobile app that was made from it. A no to either
//! closes the gate.

use ambit_domain::{
    Failure,
    mobile::{Standing, standing},
};

use super::{Evidence, Finding, ago};
use crate::ambit::store_failure;

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    let ambit = at.scope.ambit;
    let project = &at.deployment.environment.project;
    let verdicts = ambit.store.qa_verdicts(project, &at.release.id).map_err(|e| store_failure(&e))?;
    let builds = ambit.builds_of_release(at.deployment, &at.release.id)?;
    let said = |note: &str| if note.is_empty() { String::new() } else { format!(": \"{note}\"") };
    let mend = "mend it, and have it tried again";
    Ok(match standing(verdicts.first(), &builds) {
        Standing::Release(verdict) if verdict.yes => Finding::passed(format!(
            "approved by {} in {}{}, {}",
            verdict.actor.who,
            verdict.environment.environment,
            said(&verdict.comment),
            ago(verdict.at)
        )),
        Standing::Release(verdict) => Finding::failed(
            format!("rejected by {}{}, {}", verdict.actor.who, said(&verdict.comment), ago(verdict.at)),
            mend,
        ),
        Standing::Build(build, verdict) => {
            let word = if verdict.yes { "approved" } else { "rejected" };
            let evidence = format!(
                "build {} {word} by {}{}, {}",
                build.id,
                verdict.actor.who,
                said(&verdict.note),
                ago(verdict.at)
            );
            if verdict.yes { Finding::passed(evidence) } else { Finding::failed(evidence, mend) }
        }
        Standing::Silent => {
            let environment = at.ran_in().map_or_else(|| "test".to_owned(), |d| d.environment.environment.to_string());
            Finding::waiting("nobody of QA has spoken", format!("ambit qa approve -e {environment} \"what was tried\""))
        }
    })
}
