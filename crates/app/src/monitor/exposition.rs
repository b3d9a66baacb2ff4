//! Everything that was read last in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::{fmt::Write, path::Path};

use ambit_domain::{EnvironmentId, Failure, monitoring::Alert};
use ambit_proxy::figures::RouteFigures;

use super::{
    readings::{EnvironmentReadings, Readings, ServiceReading, UrlReading},
    sample::{count, whole},
};
use crate::ambit::{Ambit, now, store_failure};

impl Ambit {
    /// Everything that was read last, for Prometheus. Only the daemon reads anything.
    pub fn exposition(&self) -> Result<String, Failure> {
        let alerts = self.store.pending_alerts().map_err(|e| store_failure(&e))?;
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        let stored = size(&self.home.database()) + size(&self.home.metrics());
        Ok(self.with_readings(|readings| render(readings, &alerts, stored, now())))
    }
}

type Labels = Vec<(&'static str, String)>;

/// A value with what tells it from the others of its family.
type Sample = (Labels, f64);

/// The text, family after family.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// `help` is a text of this file: it holds nothing that would have to be escaped.
    fn family(&mut self, name: &str, sort: &str, help: &str, samples: impl IntoIterator<Item = Sample>) {
        self.begin(name, sort, help);
        for (labels, value) in samples {
            self.line(name, &labels, value);
        }
    }

    fn begin(&mut self, name: &str, sort: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {sort}");
    }

    fn line(&mut self, name: &str, labels: &[(&'static str, String)], value: f64) {
        let all: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = match all.as_slice() {
            [] => writeln!(self.0, "{name} {value}"),
            all => writeln!(self.0, "{name}{{{}}} {value}", all.join(",")),
        };
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn of(id: &EnvironmentId) -> Labels {
    vec![("project", id.project.to_string()), ("environment", id.environment.to_string())]
}

fn with(mut labels: Labels, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
    labels.extend(more);
    labels
}

fn number(count: usize) -> f64 {
    whole(i64::try_from(count).unwrap_or(i64::MAX))
}

fn flag(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

fn render(readings: &Readings, alerts: &[Alert], stored: u64, now: i64) -> String {
    let mut out = Exposition::default();
    of_machine(&mut out, readings, stored);
    of_requests(&mut out, readings);
    of_services(&mut out, readings);
    of_checks(&mut out, readings);
    of_servers(&mut out, readings);
    let open = alerts.iter().filter(|alert| alert.is_open()).map(|alert| {
        let check = &alert.check;
        let more =
            [("alert", alert.id.to_string()), ("check", check.what.to_string()), ("service", check.service.clone())];
        (with(of(&alert.environment), more), whole(now - alert.opened) / 1000.0)
    });
    out.family("ambit_alert_open_seconds", "gauge", "For how long an alert has been open.", open);
    out.0
}

fn of_machine(out: &mut Exposition, readings: &Readings, stored: u64) {
    let machine = &readings.machine;
    for (name, sort, help, value) in [
        ("ambit_machine_cpu_seconds_total", "counter", "Processor time that was not idle.", machine.cpu_seconds),
        ("ambit_machine_load", "gauge", "Processes that run or wait to, over a minute.", machine.load),
        ("ambit_machine_memory_bytes", "gauge", "Memory.", count(machine.memory_size)),
        ("ambit_machine_memory_available_bytes", "gauge", "Memory that is available.", count(machine.memory_available)),
        ("ambit_machine_disk_bytes", "gauge", "Size of the disk of the state folder.", count(machine.disk_size)),
        ("ambit_machine_disk_free_bytes", "gauge", "Room on it.", count(machine.disk_free)),
        ("ambit_state_bytes", "gauge", "Size of what the daemon remembers.", count(stored)),
        ("ambit_proxy_up", "gauge", "Whether the proxy answers.", flag(readings.figures.is_some())),
    ] {
        out.family(name, sort, help, [(Labels::new(), value)]);
    }
}

/// What the proxy counted. The names in a route's id are those of a project, an environment and a service.
fn of_requests(out: &mut Exposition, readings: &Readings) {
    let routes: Vec<(Labels, &RouteFigures)> = readings
        .figures
        .iter()
        .flat_map(|figures| &figures.routes)
        .filter_map(|route| {
            let names: Vec<&str> = route.id.split('/').collect();
            let [project, environment, service] = names.as_slice() else { return None };
            let names = [("project", project), ("environment", environment), ("service", service)];
            Some((names.map(|(label, name)| (label, (*name).to_owned())).into(), route))
        })
        .collect();
    let answers = routes.iter().flat_map(|(labels, route)| {
        let a = &route.answers;
        [
            ("1xx", a.informational),
            ("2xx", a.success),
            ("3xx", a.redirection),
            ("4xx", a.client_error),
            ("5xx", a.server_error),
        ]
        .map(|(class, answers)| (with(labels.clone(), [("class", class.to_owned())]), count(answers)))
    });
    out.family("ambit_requests_total", "counter", "Answers by the class of their status.", answers);
    let name = "ambit_request_duration_seconds";
    out.begin(name, "histogram", "Time to the head of an answer.");
    for (labels, route) in &routes {
        let total = count(route.latency.iter().sum());
        for (bound, below) in route.latency_below() {
            let labels = with(labels.clone(), [("le", bound.to_string())]);
            out.line(&format!("{name}_bucket"), &labels, count(below));
        }
        out.line(&format!("{name}_bucket"), &with(labels.clone(), [("le", "+Inf".to_owned())]), total);
        out.line(&format!("{name}_sum"), labels, route.latency_sum());
        out.line(&format!("{name}_count"), labels, total);
    }
    type Read = fn(&RouteFigures) -> u64;
    let single: [(&str, &str, &str, Read); 4] = [
        ("ambit_requests_in_flight", "gauge", "Requests whose answer is not finished.", |r| r.in_flight),
        ("ambit_websockets", "gauge", "Open websockets.", |r| r.websockets),
        ("ambit_request_bytes_total", "counter", "Bytes of requests' bodies.", |r| r.bytes_in),
        ("ambit_answer_bytes_total", "counter", "Bytes of answers' bodies.", |r| r.bytes_out),
    ];
    for (name, sort, help, read) in single {
        out.family(name, sort, help, routes.iter().map(|(labels, route)| (labels.clone(), count(read(route)))));
    }
}

fn of_services(out: &mut Exposition, readings: &Readings) {
    type Read = fn(&ServiceReading) -> f64;
    let each: [(&str, &str, &str, Read); 4] = [
        ("ambit_service_cpu_seconds_total", "counter", "Processor time of the processes that run.", |s| {
            s.used.cpu_seconds
        }),
        ("ambit_service_memory_bytes", "gauge", "Resident memory.", |s| count(s.used.memory)),
        ("ambit_service_instances", "gauge", "Instances that have a process.", |s| number(s.running)),
        (
            "ambit_service_restarts_total",
            "counter",
            "How often what runs ended by itself and was started again.",
            |s| f64::from(s.restarts),
        ),
    ];
    for (name, sort, help, read) in each {
        let samples = readings.environments.iter().flat_map(|(id, e)| {
            e.services.iter().map(|(service, s)| (with(of(id), [("service", service.clone())]), read(s)))
        });
        out.family(name, sort, help, samples);
    }
}

fn of_checks(out: &mut Exposition, readings: &Readings) {
    type Read = fn(&UrlReading) -> Option<f64>;
    let each: [(&str, &str, Read); 2] = [
        ("ambit_url_up", "Whether a URL answers as it should.", |u| Some(flag(u.up))),
        ("ambit_url_answer_seconds", "Time to the head of the last answer to a check.", |u| Some(u.millis? / 1000.0)),
    ];
    for (name, help, read) in each {
        let samples = readings.environments.iter().flat_map(|(id, e)| {
            e.urls.iter().filter_map(|((service, url), reading)| {
                let labels = with(of(id), [("service", service.clone()), ("url", url.clone())]);
                Some((labels, read(reading)?))
            })
        });
        out.family(name, "gauge", help, samples);
    }
    let checks = readings.environments.iter().flat_map(|(id, e)| {
        e.checks.iter().map(|(check, well)| {
            let more = [
                ("check", check.what.to_string()),
                ("service", check.service.clone()),
                ("target", check.target.clone()),
            ];
            (with(of(id), more), flag(*well))
        })
    });
    out.family("ambit_check_well", "gauge", "Whether a check found what it should.", checks);
}

fn of_servers(out: &mut Exposition, readings: &Readings) {
    type Read = fn(&EnvironmentReadings) -> Option<f64>;
    let each: [(&str, &str, &str, Read); 13] = [
        ("ambit_postgres_connections", "gauge", "Connections of clients.", |e| {
            Some(whole(e.postgres.as_ref()?.connections))
        }),
        ("ambit_postgres_max_connections", "gauge", "The most connections.", |e| {
            Some(whole(e.postgres.as_ref()?.max_connections))
        }),
        ("ambit_postgres_size_bytes", "gauge", "Size of the database.", |e| Some(whole(e.postgres.as_ref()?.size))),
        ("ambit_postgres_transactions_total", "counter", "Transactions.", |e| {
            Some(whole(e.postgres.as_ref()?.transactions))
        }),
        ("ambit_postgres_dead_bytes", "gauge", "Estimated size of dead rows.", |e| {
            Some(whole(e.postgres.as_ref()?.dead_bytes))
        }),
        ("ambit_postgres_waiting_segments", "gauge", "Segments of the log that wait to be archived.", |e| {
            Some(whole(e.postgres.as_ref()?.waiting_segments))
        }),
        ("ambit_redis_memory_bytes", "gauge", "Memory of the data.", |e| Some(count(e.redis?.memory))),
        ("ambit_redis_max_memory_bytes", "gauge", "The most memory of the data; 0 without a bound.", |e| {
            Some(count(e.redis?.max_memory))
        }),
        ("ambit_redis_connections", "gauge", "Connections of clients.", |e| Some(count(e.redis?.connections))),
        ("ambit_redis_keys", "gauge", "Keys.", |e| Some(count(e.redis?.keys))),
        ("ambit_redis_commands_total", "counter", "Commands.", |e| Some(count(e.redis?.commands))),
        ("ambit_deployments_unfinished", "gauge", "Deployments that are queued, wait or run.", |e| {
            Some(number(e.unfinished?))
        }),
        ("ambit_backup_timestamp_seconds", "gauge", "When the newest backup was begun.", |e| {
            Some(whole(e.backup_at?) / 1000.0)
        }),
    ];
    for (name, sort, help, read) in each {
        let samples = readings.environments.iter().filter_map(|(id, e)| Some((of(id), read(e)?)));
        out.family(name, sort, help, samples);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ambit_domain::monitoring::{Check, RedisFigures, What};
    use ambit_proxy::figures::Figures;

    use super::*;

    fn text() -> String {
        let id = EnvironmentId { project: "kaia".parse().unwrap(), environment: "prod".parse().unwrap() };
        let mut latency = vec![0; 128];
        (latency[30], latency[60]) = (3, 1);
        let route = RouteFigures { id: "kaia/prod/backend".into(), requests: 4, latency, ..RouteFigures::default() };
        let environment = EnvironmentReadings {
            redis: Some(RedisFigures { keys: 7, ..RedisFigures::default() }),
            urls: BTreeMap::from([(
                ("backend".to_owned(), "https://kaia.ai/a\"b\\c\nd".to_owned()),
                UrlReading { up: true, millis: Some(12.0), ..UrlReading::default() },
            )]),
            ..EnvironmentReadings::default()
        };
        let readings = Readings {
            figures: Some(Figures { routes: vec![route], ..Figures::default() }),
            environments: BTreeMap::from([(id.clone(), environment)]),
            ..Readings::default()
        };
        let alert = Alert::new(id, Check::of(What::Postgres, "postgres"), "no answer".into(), 1000);
        render(&readings, &[alert], 10, 3500)
    }

    #[test]
    fn a_family_is_described_once_and_before_its_lines_which_stand_together() {
        let text = text();
        assert!(text.ends_with('\n'));
        let mut seen: Vec<String> = Vec::new();
        for line in text.lines() {
            let name = match line.strip_prefix("# ") {
                Some(comment) => comment.split(' ').nth(1).unwrap().to_owned(),
                None => line.split(['{', ' ']).next().unwrap().to_owned(),
            };
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|f| f.ends_with("_duration_seconds")).unwrap_or(&name).to_owned();
            if line.starts_with("# HELP ") {
                assert!(!seen.contains(&family), "{family}");
                seen.push(family);
            } else {
                assert_eq!(seen.last(), Some(&family), "{line}");
            }
        }
    }

    #[test]
    fn a_histogram_grows_and_ends_with_its_count() {
        let text = text();
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        let buckets: Vec<f64> = text.lines().filter(|l| l.contains("_bucket{")).map(value).collect();
        assert!(buckets.windows(2).all(|pair| pair[0] <= pair[1]), "{buckets:?}");
        let count = text.lines().find(|l| l.starts_with("ambit_request_duration_seconds_count")).map(value);
        assert_eq!((buckets.last().copied(), count), (Some(4.0), Some(4.0)));
        assert!(buckets.contains(&3.0), "the fast ones are below a bound: {buckets:?}");
    }

    #[test]
    fn values_of_labels_are_escaped_and_what_is_unknown_is_left_out() {
        let text = text();
        assert!(text.contains(r#"url="https://kaia.ai/a\"b\\c\nd"} 1"#), "{text}");
        assert!(text.contains("ambit_redis_keys{project=\"kaia\",environment=\"prod\"} 7\n"), "{text}");
        assert!(!text.contains("ambit_postgres_connections{"));
        let alert = "environment=\"prod\",alert=\"0\",check=\"postgres\",service=\"postgres\"} 2.5";
        assert!(text.contains(alert), "{text}");
    }
}
