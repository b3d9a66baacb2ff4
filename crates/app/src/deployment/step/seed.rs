//! A new database is filled, once.
//!
//! A crash within leaves a task that the repeated step waits for or learns from how it ended, or a transaction that PostgreSQL
//! takes back. A file of SQL that ran right before a crash runs once more, which seeds have to bear.

use ambit_domain::Failure;
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct Seed;

#[async_trait]
impl Step for Seed {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let names: Vec<_> = stand.work()?.services.iter().map(|one| &one.service).collect();
        let number = Some(stand.deployment.number);
        let done = stand.scope.seed_all(stand.built, |name| names.contains(&name), number).await?;
        stand.record.seeded = true;
        stand.save_record()?;
        Ok(done.join(", "))
    }
}
