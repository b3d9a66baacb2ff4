//! The checklist, looked at in the moment in which it counts.
//!
//! A crash before, within or after changes nothing outside: it is looked at again.

use ambit_domain::{Failure, gates};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::gates::refuse_closed;

pub(super) struct Gates;

#[async_trait]
impl Step for Gates {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let results = stand.scope.evaluate_gates(&stand.deployment, stand.built).await?;
        stand.deployment.gates = gates::with_waivers(results, &stand.deployment.waivers);
        stand.save_deployment()?;
        let results = &stand.deployment.gates;
        let (closed, all) = (gates::closed(results).count(), results.len());
        let message = format!("{closed} of {all} gates are not passed; nothing was changed");
        refuse_closed(results, &stand.scope.environment.name, message)?;
        Ok(format!("{all} of {all}"))
    }
}
