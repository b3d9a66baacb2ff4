//! No open issue is labelled critical. A person signs for it: the tracker is somebody else's machine.

use ambit_domain::{Failure, spec::Gate};

use super::{Evidence, Finding, ago};

pub(super) fn look(at: &Evidence<'_>) -> Result<Finding, Failure> {
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
