//! A new database is filled, once.
//!
//! A crash leaves a task that the repeated step waits for, or learns from how it ended.

use ambit_domain::{Failure, deployment::StepName};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct Seed;

#[async_trait]
impl Step for Seed {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let mut done = Vec::new();
        for one in &stand.work()?.services {
            let Ok((service, app, built)) = scope.app(stand.built, &one.service) else { continue };
            let Some(command) = built.recipe(service).seed else { continue };
            let number = stand.deployment.number;
            scope.run_once((service, app, built), &command, StepName::Seed, number).await?;
            done.push(command);
        }
        stand.record.seeded = true;
        stand.save_record()?;
        Ok(done.join(", "))
    }
}
