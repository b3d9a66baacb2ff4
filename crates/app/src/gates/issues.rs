//! No open issue is labelled critical: GitHub is asked, where the project declares its repository and a token for it. Else a person signs
//! for it, since the tracker is somebody else's machine.

use ambit_cloud::github::{Github, Issue};
use ambit_domain::{Failure, spec::Gate};

use super::{Evidence, Finding, ago};

/// The label, by convention.
const LABEL: &str = "critical";
/// So many issues are named.
const NAMED: usize = 5;

pub(super) async fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
    if let Some(github) = at.scope.declaration.github_by_secret() {
        return Ok(asked(at, &github).await);
    }
    let signed = at.deployment.signatures.iter().rev().find(|s| s.gate == Gate::Issues);
    Ok(match signed {
        Some(signed) => {
            Finding::passed(format!("signed by {}: \"{}\", {}", signed.actor.who, signed.reason, ago(signed.at)))
        }
        None => Finding::waiting(
            "nobody has said that no critical issue is open",
            format!("ambit gates {} --sign issues \"what was looked at\"", at.deployment.environment.environment),
        ),
    })
}

async fn asked(at: &Evidence<'_>, github: &Github) -> Finding {
    let environment = &at.deployment.environment.environment;
    let waive = format!("ambit gates {environment} --waive issues \"why\"");
    let repository = at.scope.declaration.project.repository().unwrap_or_default();
    match github.issues(LABEL).await {
        Ok(issues) if issues.is_empty() => {
            Finding::passed(format!("no open issue of {repository} is labelled {LABEL}"))
        }
        Ok(issues) => Finding::failed(
            format!("labelled {LABEL} in {repository} and open: {}", named(&issues)),
            format!("close them at https://github.com/{repository}/issues, or {waive}"),
        ),
        Err(failure) => {
            let why: Vec<String> = std::iter::once(failure.message).chain(failure.causes).collect();
            let next =
                failure.hints.into_iter().next().map_or_else(|| waive.clone(), |hint| format!("{hint}; or {waive}"));
            Finding::failed(format!("GitHub could not be asked for issues: {}", why.join(": ")), next)
        }
    }
}

fn named(issues: &[Issue]) -> String {
    let shown = issues.iter().take(NAMED).map(|issue| format!("#{} {}", issue.number, issue.title));
    let more = issues.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    shown.chain(more).collect::<Vec<_>>().join(", ")
}
