//! A new database is filled, once.
//!
//! A crash within leaves a task that the repeated step waits for, or a transaction that PostgreSQL takes back; a crash after
//! it and before the record says so runs it once more, which seeds have to bear.

use ambit_domain::Failure;
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct Seed;

#[async_trait]
impl Step for Seed {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let names: Vec<_> = stand.work()?.services.iter().map(|one| &one.service).collect();
        let run = stand.deployment.number.to_string();
        let done = stand.scope.seed_all(stand.built, |name| names.contains(&name), &run).await?;
        stand.record.seeded = true;
        stand.save_record()?;
        Ok(done.join(", "))
    }
}
