//! Requests in flight to the instances that were replaced finish; websockets get a grace period.
//!
//! It only waits: a crash at any point waits again.

use std::time::Duration;

use ambit_domain::{Failure, rollout::FormWork};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

pub(super) struct Drain;

#[async_trait]
impl Step for Drain {
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure> {
        let scope = stand.scope;
        let mut ports = Vec::new();
        let mut longest = Duration::ZERO;
        for one in &stand.work()?.services {
            let FormWork::App(instances) = &one.form else { continue };
            let going: Vec<u16> = instances.going(round).iter().filter_map(|i| i.port).collect();
            if !going.is_empty() {
                let declared = scope.app(stand.built, &one.service).map(|(_, app, _)| app.drain);
                longest = longest.max(declared.unwrap_or(Duration::ZERO));
            }
            ports.extend(going);
        }
        if ports.is_empty() {
            return Ok("nothing was replaced".to_owned());
        }
        let drained = scope.ambit.drain(&ports, longest).await;
        if drained.requests > 0 {
            let (cut, limit) = (drained.requests + drained.tunnels, longest.as_secs());
            scope.progress.notice("drain", format!("{cut} requests took longer than {limit} s and were cut"));
            return Ok(format!("{cut} requests were cut"));
        }
        Ok(match drained.tunnels {
            0 => "every request finished".to_owned(),
            tunnels => format!("every request finished, {tunnels} websockets were cut"),
        })
    }
}
