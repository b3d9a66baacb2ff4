//! The checklist, looked at in the moment in which it counts.
//!
//! A crash before, within or after changes nothing outside: it is looked at again.

use ambit_domain::{Failure, FailureKind, gates};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct Gates;

#[async_trait]
impl Step for Gates {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let results = stand.scope.evaluate_gates(&stand.deployment, stand.built).await?;
        stand.deployment.gates = gates::with_waivers(results, &stand.deployment.waivers);
        stand.save_deployment()?;
        let results = &stand.deployment.gates;
        let open: Vec<_> = results.iter().filter(|r| !gates::all_passed(std::slice::from_ref(r))).collect();
        if open.is_empty() {
            return Ok(format!("{} of {}", results.len(), results.len()));
        }
        let environment = &stand.scope.environment.name;
        let mut failure = Failure::new(
            FailureKind::User,
            format!("{} of {} gates are not passed; nothing was changed", open.len(), results.len()),
        );
        for result in open {
            failure = failure.because(format!("{}: {}", result.gate.name(), result.evidence));
        }
        Err(failure.hint(format!("ambit gates {environment} shows what to do about each")))
    }
}
