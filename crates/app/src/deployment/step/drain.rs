//! Requests in flight to the instances that were replaced finish; websockets get a grace period.
//!
//! It only waits: a crash at any point waits again.

use std::time::Duration;

use ambit_domain::{Failure, rollout::FormWork};
use async_trait::async_trait;

use super::{super::engine::Stand, Step};

/// How long a websocket may stay with an instance that was replaced: it has no end of its own.
const GRACE: Duration = Duration::from_secs(5);

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
        let begin = tokio::time::Instant::now();
        loop {
            // No proxy, no requests.
            let Ok(figures) = ambit_proxy::client::figures(&scope.ambit.home.proxy()).await else {
                return Ok("nothing in flight".to_owned());
            };
            let sum = |of: fn(&ambit_proxy::figures::Figures, u16) -> u64| {
                ports.iter().map(|port| of(&figures, *port)).sum::<u64>()
            };
            let all = sum(ambit_proxy::figures::Figures::in_flight_of);
            let tunnels = sum(ambit_proxy::figures::Figures::tunnels_of);
            if all == 0 {
                return Ok("every request finished".to_owned());
            }
            let waited = begin.elapsed();
            if all == tunnels && waited >= GRACE.min(longest) {
                return Ok(format!("every request finished, {tunnels} websockets were cut"));
            }
            if waited >= longest {
                scope
                    .progress
                    .notice("drain", format!("{all} requests took longer than {} s and were cut", longest.as_secs()));
                return Ok(format!("{all} requests were cut"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
