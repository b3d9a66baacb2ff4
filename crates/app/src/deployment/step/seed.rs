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
            let progress = scope.progress.service(&service.name);
            let output = |line: &str| progress.output("seed", line);
            let task = scope.task_of(service, app, built, &command);
            let name = format!("seed-{}-{}", service.name, stand.deployment.number);
            let ran = scope.ambit.provider.run_task(&scope.id, &name, &task, &output).await;
            scope.ambit.provider.forget_task(&scope.id, &name).await?;
            ran?;
            done.push(command);
        }
        stand.record.seeded = true;
        stand.save_record()?;
        Ok(done.join(", "))
    }
}
