//! Variables and secrets are complete and strong. That they can be resolved was found out before the gates; whether the
//! secrets are strong is found out here.

use ambit_domain::spec::Severity;

use super::{Evidence, Finding};

pub(super) fn look(at: &Evidence<'_>) -> Finding {
    let name = &at.scope.environment.name;
    match at.scope.declaration.check_secrets() {
        Ok(findings) => {
            let errors: Vec<&str> =
                findings.iter().filter(|d| d.severity == Severity::Error).map(|d| d.message.as_str()).collect();
            if errors.is_empty() {
                let secrets = at.scope.variables.iter().filter(|v| v.secret).count();
                Finding::passed(format!("{} are set, {secrets} of them secret", at.scope.variables.len()))
            } else {
                Finding::failed(errors.join("; "), format!("ambit secret set NAME -e {name} --generate, and commit"))
            }
        }
        Err(failure) => Finding::failed(failure.message, "ambit check"),
    }
}
