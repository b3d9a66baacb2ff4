//! What is measured each minute and kept: of processes, of requests, of servers, of the machine, and whether URLs answered.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure,
    monitoring::{MachineFigures, PostgresFigures, ProcessUse, RedisFigures},
    provider::InstanceHealth,
};
use ambit_proxy::figures::{Figures, RouteFigures};

use super::{
    readings::{EnvironmentReadings, Readings, ServiceReading},
    series::{MACHINE, UPTIME},
};
use crate::ambit::{Ambit, now, store_failure};

/// Looks of the monitor in a minute.
const LOOKS: u64 = 6;
const MINUTE: i64 = 60_000;
/// A proxy answers from memory; for one that does not, no look waits.
const PROXY: Duration = Duration::from_secs(1);

/// A value of a series; of the machine where no environment is named.
type Value = (Option<EnvironmentId>, String, f64);

/// What counters showed a minute ago: what is kept are differences.
#[derive(Default)]
pub(super) struct Sampler {
    at: i64,
    before: Readings,
    /// Processor time of each process.
    cpu: HashMap<u32, f64>,
}

impl Ambit {
    /// Measures, once a minute, and keeps it.
    pub(super) async fn sample(
        &self,
        running: &[(EnvironmentId, EnvironmentRecord)],
        sampler: &mut Sampler,
        look: u64,
    ) -> Result<(), Failure> {
        let figures = tokio::time::timeout(PROXY, ambit_proxy::client::figures(&self.home.proxy())).await;
        let figures = figures.ok().and_then(Result::ok);
        self.with_readings(|readings| {
            readings.figures = figures;
            readings.environments.retain(|id, _| running.iter().any(|(known, _)| known == id));
        });
        if !look.is_multiple_of(LOOKS) {
            return Ok(());
        }
        let at = now();
        let cpu = self.measure_processes(running);
        let machine = self.host.machine_figures();
        let readings = self.with_readings(|readings| {
            readings.machine = machine;
            let copy = readings.clone();
            for url in readings.environments.values_mut().flat_map(|e| e.urls.values_mut()) {
                (url.looks, url.well) = (0, 0);
            }
            copy
        });
        let first = sampler.at == 0;
        let seconds = f64::from(u32::try_from(at - sampler.at).unwrap_or(0)) / 1000.0;
        let values = values(&readings, &sampler.before, &sampler.cpu, &cpu, seconds);
        *sampler = Sampler { at, before: readings, cpu: cpu.into_iter().map(|(pid, (_, used))| (pid, used)).collect() };
        // Without a minute before there is nothing to take differences from.
        if first {
            return Ok(());
        }
        let metrics = self.kept_metrics()?;
        metrics.write(at - MINUTE, &values).map_err(|e| store_failure(&e))?;
        if look.is_multiple_of(10 * LOOKS) {
            metrics.sum_up(at).map_err(|e| store_failure(&e))?;
        }
        Ok(())
    }

    /// Measures every process, and tells the processor time of each with what it belongs to.
    fn measure_processes(&self, running: &[(EnvironmentId, EnvironmentRecord)]) -> Processors {
        let states: Vec<_> = running
            .iter()
            .flat_map(|(id, _)| self.host.process_states(id).into_iter().map(move |state| (id, state)))
            .filter(|(_, state)| state.health != InstanceHealth::Stopped)
            .collect();
        let pids: Vec<u32> = states.iter().filter_map(|(_, state)| state.pid).collect();
        let uses = self.host.uses(&pids);
        let mut cpu = Processors::new();
        let mut services: BTreeMap<EnvironmentId, BTreeMap<String, ServiceReading>> = BTreeMap::new();
        for (id, state) in states {
            let service = services.entry(id.clone()).or_default().entry(state.service.clone()).or_default();
            service.restarts += state.restarts;
            let Some((pid, used)) = state.pid.and_then(|pid| Some((pid, *uses.get(&pid)?))) else { continue };
            let ProcessUse { cpu_seconds, memory } = used;
            service.running += 1;
            service.used.cpu_seconds += cpu_seconds;
            service.used.memory += memory;
            cpu.insert(pid, ((id.clone(), state.service), cpu_seconds));
        }
        self.with_readings(|readings| {
            for (id, _) in running {
                let mine = services.remove(id).unwrap_or_default();
                readings.environments.entry(id.clone()).or_default().services = mine;
            }
        });
        cpu
    }
}

/// The service of each process, and its processor time in seconds.
type Processors = HashMap<u32, ((EnvironmentId, String), f64)>;

/// What is kept of a minute.
fn values(
    now: &Readings,
    before: &Readings,
    cpu_before: &HashMap<u32, f64>,
    cpu: &Processors,
    seconds: f64,
) -> Vec<Value> {
    let mut all = of_machine(&now.machine, &before.machine, seconds);
    let mut cores: BTreeMap<&(EnvironmentId, String), f64> = BTreeMap::new();
    for (pid, (service, used)) in cpu {
        // Of a process that began since, all of it.
        *cores.entry(service).or_default() += rate(*used, cpu_before.get(pid).copied().unwrap_or(0.0), seconds);
    }
    for ((id, service), cores) in cores {
        all.push((Some(id.clone()), format!("cpu/{service}"), cores));
    }
    let nothing = EnvironmentReadings::default();
    for (id, readings) in &now.environments {
        let earlier = before.environments.get(id).unwrap_or(&nothing);
        let mut add = |name: String, value: f64| all.push((Some(id.clone()), name, value));
        for (name, service) in &readings.services {
            add(format!("memory/{name}"), count(service.used.memory));
            let known = earlier.services.get(name).map_or(service.restarts, |s| s.restarts);
            add(format!("restarts/{name}"), f64::from(service.restarts.saturating_sub(known)));
        }
        for ((service, url), reading) in readings.urls.iter().filter(|(_, reading)| reading.looks > 0) {
            add(format!("{UPTIME}{service} {url}"), f64::from(reading.well) / f64::from(reading.looks));
            if let Some(millis) = reading.millis {
                add(format!("answer/{service} {url}"), millis);
            }
        }
        if let Some(figures) = &readings.postgres {
            of_postgres(figures, earlier.postgres.as_ref(), seconds, &mut add);
        }
        if let Some(figures) = &readings.redis {
            of_redis(figures, earlier.redis.as_ref(), seconds, &mut add);
        }
        let prefix = format!("{id}/");
        for route in now.figures.iter().flat_map(|f| &f.routes) {
            let Some(service) = route.id.strip_prefix(&prefix) else { continue };
            of_route(service, route, before.figures.as_ref(), seconds, &mut add);
        }
    }
    all
}

fn of_machine(now: &MachineFigures, before: &MachineFigures, seconds: f64) -> Vec<Value> {
    [
        ("cpu", rate(now.cpu_seconds, before.cpu_seconds, seconds)),
        ("memory", count(now.memory_size.saturating_sub(now.memory_available))),
        ("disk", count(now.disk_size.saturating_sub(now.disk_free))),
        ("load", now.load),
    ]
    .map(|(name, value)| (None, format!("{MACHINE}{name}"), value))
    .into()
}

fn of_postgres(
    now: &PostgresFigures,
    before: Option<&PostgresFigures>,
    seconds: f64,
    add: &mut impl FnMut(String, f64),
) {
    add("connections/postgres".to_owned(), whole(now.connections));
    add("size/postgres".to_owned(), whole(now.size));
    add("dead/postgres".to_owned(), whole(now.dead_bytes));
    add("waiting-segments/postgres".to_owned(), whole(now.waiting_segments));
    if let Some(before) = before {
        let rate = rate(whole(now.transactions), whole(before.transactions), seconds);
        add("transactions/postgres".to_owned(), rate);
    }
}

fn of_redis(now: &RedisFigures, before: Option<&RedisFigures>, seconds: f64, add: &mut impl FnMut(String, f64)) {
    add("connections/redis".to_owned(), count(now.connections));
    add("data/redis".to_owned(), count(now.memory));
    add("keys/redis".to_owned(), count(now.keys));
    if let Some(before) = before {
        add("commands/redis".to_owned(), rate(count(now.commands), count(before.commands), seconds));
    }
}

fn of_route(
    service: &str,
    now: &RouteFigures,
    before: Option<&Figures>,
    seconds: f64,
    add: &mut impl FnMut(String, f64),
) {
    let Some(before) = before else { return };
    let nothing = RouteFigures::default();
    let earlier = before.route(&now.id).filter(|earlier| earlier.requests <= now.requests).unwrap_or(&nothing);
    let since = |now: u64, before: u64| count(now.saturating_sub(before)) / seconds.max(1.0);
    add(format!("requests/{service}"), since(now.requests, earlier.requests));
    add(format!("errors/{service}"), since(now.answers.server_error, earlier.answers.server_error));
    if now.requests > earlier.requests {
        for (name, share) in [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)] {
            add(format!("{name}/{service}"), now.percentile_since(earlier, share));
        }
    }
}

/// By how much a counter grew in a second; one that fell began anew.
fn rate(now: f64, before: f64, seconds: f64) -> f64 {
    let grown = if now >= before { now - before } else { now };
    grown / seconds.max(1.0)
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[allow(clippy::cast_precision_loss)]
pub(super) fn whole(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::readings::UrlReading;

    fn prod() -> EnvironmentId {
        EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() }
    }

    fn value(values: &[Value], name: &str) -> Option<f64> {
        values.iter().find(|(_, known, _)| known == name).map(|(_, _, value)| *value)
    }

    fn route(requests: u64, errors: u64) -> Readings {
        let mut route = RouteFigures { id: "kaia/prod/backend".into(), requests, ..RouteFigures::default() };
        route.answers.server_error = errors;
        let figures = Figures { routes: vec![route], ..Figures::default() };
        let environments = BTreeMap::from([(prod(), EnvironmentReadings::default())]);
        Readings { figures: Some(figures), environments, ..Readings::default() }
    }

    #[test]
    fn counters_become_rates_and_one_that_fell_began_anew() {
        let none = HashMap::new();
        let all = values(&route(160, 6), &route(100, 0), &none, &Processors::new(), 60.0);
        assert_eq!((value(&all, "requests/backend"), value(&all, "errors/backend")), (Some(1.0), Some(0.1)));
        let restarted = values(&route(30, 0), &route(100, 0), &none, &Processors::new(), 60.0);
        assert_eq!(value(&restarted, "requests/backend"), Some(0.5));
        let idle = values(&route(100, 0), &route(100, 0), &none, &Processors::new(), 60.0);
        assert_eq!(value(&idle, "p95/backend"), None, "without requests there is no latency");
    }

    #[test]
    fn a_processs_time_is_its_own_and_that_of_a_service_the_sum() {
        let service = (prod(), "backend".to_owned());
        let cpu = Processors::from([(1, (service.clone(), 90.0)), (2, (service, 6.0))]);
        let all = values(&route(0, 0), &route(0, 0), &HashMap::from([(1, 60.0)]), &cpu, 60.0);
        assert_eq!(value(&all, "cpu/backend"), Some(0.6));
    }

    #[test]
    fn a_url_that_was_not_looked_at_has_no_uptime() {
        let mut now = route(0, 0);
        let urls = &mut now.environments.get_mut(&prod()).unwrap().urls;
        let url = |looks, well| UrlReading { looks, well, ..UrlReading::default() };
        urls.insert(("backend".into(), "https://api.kaia.ai".into()), url(6, 3));
        urls.insert(("web".into(), "https://kaia.ai".into()), url(0, 0));
        let all = values(&now, &route(0, 0), &HashMap::new(), &Processors::new(), 60.0);
        assert_eq!(value(&all, "uptime/backend https://api.kaia.ai"), Some(0.5));
        assert_eq!(value(&all, "uptime/web https://kaia.ai"), None);
    }
}
