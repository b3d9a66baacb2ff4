//! A copy of the data, from before the migrations.
//!
//! A crash before or within leaves at most an unfinished file, which the repeated step replaces. A crash after the copy
//! and before it is recorded makes it once more.

use ambit_domain::Failure;
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct RestorePoint;

#[async_trait]
impl Step for RestorePoint {
    async fn run(&self, stand: &mut Stand<'_>, _round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let Some(server) = &scope.servers.postgres else { return Ok("there is no database".to_owned()) };
        let name = stand.deployment.number.to_string();
        let size = scope.ambit.copy_data(&scope.id, server, &name).await?.size;
        stand.deployment.restore_point = Some(name);
        stand.save_deployment()?;
        Ok(format!("{} kB", size.div_ceil(1024)))
    }
}
