//! A new database is filled, once.
//!
//! A crash within leaves a task that the repeated step waits for; a crash after it and before the record says so runs it
//! once more, which seeds have to bear.

use ambit_domain::Failure;
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
            let name = format!("seed-{}-{}", service.name, stand.deployment.number);
            scope.run_command((service, app, built), &command, "seed", &name).await?;
            done.push(command);
        }
        stand.record.seeded = true;
        stand.save_record()?;
        Ok(done.join(", "))
    }
}
