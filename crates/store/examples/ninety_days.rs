//! Writes ninety days of metrics of three environments as the daemon does, minute by minute, into a folder; `bench/metrics`
//! measures what they take.

use std::{env, path::Path};

use ambit_domain::EnvironmentId;
use ambit_store::{Metrics, StoreError};

const MINUTE: i64 = 60_000;
const MINUTES: i64 = 90 * 24 * 60;
/// When it begins, in minutes since the Unix epoch.
const BEGIN: i64 = 29_000_000;

/// What Kaia's environment has: five services with a route and a URL each, two servers.
fn names() -> Vec<String> {
    let services = ["backend", "web", "downloads", "docs", "admin"];
    let processes = ["backend", "postgres", "redis"];
    let servers = ["connections", "size", "dead", "waiting-segments", "transactions"].map(|n| format!("{n}/postgres"));
    let redis = ["connections", "data", "keys", "commands"].map(|n| format!("{n}/redis"));
    let of = |kinds: &[&str], all: &[&str]| -> Vec<String> {
        all.iter().flat_map(|service| kinds.iter().map(move |kind| format!("{kind}/{service}"))).collect()
    };
    let urls = |kind: &str| services.map(|service| format!("{kind}/{service} https://{service}.kaia.ai"));
    [
        of(&["cpu", "memory", "restarts"], &processes),
        of(&["requests", "errors", "p50", "p95", "p99"], &services),
        servers.into(),
        redis.into(),
        urls("uptime").into(),
        urls("answer").into(),
    ]
    .concat()
}

fn main() -> Result<(), StoreError> {
    let folder = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let metrics = Metrics::open(&Path::new(&folder).join("metrics.db"))?;
    let project = |name: &str| name.parse().expect("the names below are valid");
    let mut series: Vec<_> = ["dev", "test", "prod"]
        .into_iter()
        .map(|name| EnvironmentId { project: project("kaia"), environment: name.parse().expect("a valid name") })
        .flat_map(|id| names().into_iter().map(move |name| (Some(id.clone()), name, 0.0)))
        .collect();
    series.extend(["cpu", "memory", "disk", "load"].map(|name| (None, format!("machine/{name}"), 0.0)));
    let mut chance = 1_u64;
    for minute in BEGIN..BEGIN + MINUTES {
        for (_, name, value) in &mut series {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[allow(clippy::cast_precision_loss)]
            let noise = (chance >> 40) as f64;
            // Counts are whole and most are small; measures are not.
            *value = match name.split('/').next().unwrap_or_default() {
                "restarts" | "errors" | "waiting-segments" => 0.0,
                "uptime" => 1.0,
                "memory" | "size" | "data" | "dead" | "disk" => (noise * 64.0).floor(),
                "connections" | "keys" => (noise % 100.0).floor(),
                _ => noise / 1000.0,
            };
        }
        metrics.write(minute * MINUTE, &series)?;
        if minute % 10 == 0 {
            metrics.sum_up(minute * MINUTE)?;
        }
    }
    Ok(())
}
