//! The instances that were replaced stop, and so does what is no longer declared.
//!
//! A crash in between leaves instances that the record names as retiring: the repeated step stops them.

use ambit_domain::{Failure, Real};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};
use crate::{ambit::now, servers::retiring};

pub(super) struct Stop;

#[async_trait]
impl Step for Stop {
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let count = retiring(&stand.record).len();
        scope.retire(&mut stand.record).await?;
        let mut told = match count {
            0 => Vec::new(),
            1 => vec!["1 instance".to_owned()],
            n => vec![format!("{n} instances")],
        };
        let work = stand.work()?;
        if round + 1 == ambit_domain::rollout::rounds(&work.services) {
            for name in &work.removed {
                match work.before.service(name).map(|s| &s.real) {
                    Some(Real::App { serving, retiring, .. }) => {
                        for instance in serving.iter().chain(retiring) {
                            scope.stop(name, *instance).await?;
                        }
                        told.push(format!("{name}, no longer declared"));
                    }
                    Some(Real::Server) => {
                        scope.ambit.provider.stop_instance(&scope.instance(name, 1)).await?;
                        told.push(format!("{name}, no longer declared; its data is kept"));
                    }
                    Some(Real::Site { .. } | Real::Job { .. }) => told.push(format!("{name}, no longer declared")),
                    None => {}
                }
            }
            stand.record.up_since.get_or_insert_with(now);
            stand.save_record()?;
        }
        Ok(if told.is_empty() { "nothing was replaced".to_owned() } else { told.join(", ") })
    }
}
